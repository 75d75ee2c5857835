"""``holdfast upgrade``: newer hardware for a guest, deliberately."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session

if TYPE_CHECKING:
    from holdfast.operations import NvramUpgrade

_back_option = click.option("--back", is_flag=True, help="Take the upgrade back, and return to the old NVRAM.")
_accept_option = click.option(
    "--accept",
    is_flag=True,
    help="Accept that the guest asks for a recovery key, and loses what it has written since an upgrade taken back.",
)


@click.group()
def upgrade() -> None:
    """Raise the version of what a guest has, deliberately."""


@upgrade.command()
@domain_argument
@click.argument("machine", metavar="MACHINE")
@click.option("--lower", is_flag=True, help="Also allow an earlier version, to go back to it.")
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


@upgrade.command()
@domain_argument
@_back_option
@_accept_option
@dry_run_option
@output_option
@pass_session
def firmware(session: Session, name: str, back: bool, accept: bool, dry_run: bool, output: str) -> None:
    """Move a domain from a 2 MB UEFI firmware, or one that is gone, to one that this host has.

    Boot entries, Secure Boot keys and all other variables go along; the old NVRAM stays beside the new one. The domain
    must be shut off. A guest with a TPM may ask for the recovery key of its disks (BitLocker): this needs --accept, and
    is refused with exit code 3 otherwise.
    """
    from holdfast import operations

    verb = operations.take_back_firmware if back else operations.upgrade_firmware
    _print(verb(session.connection, name, accept=accept, dry_run=dry_run), output)


@upgrade.command()
@domain_argument
@_back_option
@_accept_option
@dry_run_option
@output_option
@pass_session
def certificates(session: Session, name: str, back: bool, accept: bool, dry_run: bool, output: str) -> None:
    """Add Microsoft's certificates of 2023 to the Secure Boot keys of a domain that has those of 2011.

    They are added to KEK and db; PK and dbx stay as they are, and so does the old NVRAM, beside the new one. The domain
    must be shut off. A guest with a TPM may ask for the recovery key of its disks (BitLocker): this needs --accept, and
    is refused with exit code 3 otherwise.
    """
    from holdfast import operations

    verb = operations.take_back_certificates if back else operations.upgrade_certificates
    _print(verb(session.connection, name, accept=accept, dry_run=dry_run), output)


def _print(found: NvramUpgrade, output: str) -> None:
    if output == "json":
        print_result(found)
        return
    if found.since is not None:
        went = "would go" if found.dry_run else "went"
        click.echo(f"{found.name}: {went} back to its {found.upgrade} and its NVRAM of {found.since}")
    elif found.before == found.after:
        click.echo(f"{found.name}: nothing to upgrade in its {found.upgrade}")
    else:
        click.echo(f"{found.name}: {'would upgrade' if found.dry_run else 'upgraded'} its {found.upgrade}")
    for change in found.changes:
        click.echo(f"  {change}")
    for certificate in found.added:
        click.echo(f"  certificate added: {certificate}")
    for variable in found.lost:
        click.echo(f"  written by the guest since, and lost: {variable}")
    if found.entries:
        click.echo(f"  boot entries: {', '.join(found.entries)}")
    if found.keys:
        click.echo(f"  Secure Boot keys: {', '.join(found.keys)}")
    if found.before != found.after:
        click.echo(f"  NVRAM: {found.after}")
    if found.kept:
        click.echo(f"  the old NVRAM stays: {found.kept}")
    for note in found.notes:
        click.echo(f"  note: {note}")
    if found.dry_run:
        click.echo("nothing was changed")
