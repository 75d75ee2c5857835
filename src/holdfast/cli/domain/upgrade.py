"""``holdfast upgrade``: newer hardware for a guest, deliberately."""

from __future__ import annotations

import click

from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session


@click.group()
def upgrade() -> None:
    """Raise the version of what a guest has, deliberately."""


@upgrade.command()
@domain_argument
@click.argument("machine", metavar="MACHINE")
@click.option("--lower", is_flag=True, help="Allow an earlier version too: the way back.")
@dry_run_option
@output_option
@pass_session
def machine(session: Session, name: str, machine: str, lower: bool, dry_run: bool, output: str) -> None:
    """Give a domain a later version of its machine type, such as pc-q35-7.2; every device keeps its address.

    It is written to config: a running guest has the old one until its next cold start. Look first with
    'holdfast plan machine'.
    """
    from holdfast.cli.look.plan import print_upgrade
    from holdfast.operations.domain.upgrade_machine import upgrade_machine

    found = upgrade_machine(session.connection, name, machine, lower=lower, dry_run=dry_run)
    print_upgrade(found, output)
