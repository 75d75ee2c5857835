"""``holdfast adopt`` and ``holdfast release``: keep facts of a domain that others created, or forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope, print_result
from holdfast.cli.columns import columns
from holdfast.cli.common import Session, dry_run_option, fresh_options, output_option, pass_session
from holdfast.cli.completion import complete_domains
from holdfast.cli.several import for_each, refuse_names_beside_all
from holdfast.errors.changes import ADOPTED_IN_PART

if TYPE_CHECKING:
    from holdfast.operations.domain.adopt import Adoption


@click.command()
@click.argument("names", metavar="[NAME]…", nargs=-1, shell_complete=complete_domains)
@click.option("--all", "all_", is_flag=True, help="Every domain of this connection.")
@fresh_options
@dry_run_option
@output_option
@pass_session
def adopt(session: Session, names: tuple[str, ...], all_: bool, fresh: list[str], dry_run: bool, output: str) -> None:
    """Record where domains came from, whose they are and what their disks are for.

    Their hardware is not touched, running or not. Adopting again records disks that others have attached since. With
    --fresh-nvram or --fresh-tpm, lost state no longer stops a start by another program, such as Nova. 'holdfast
    release' forgets everything. A domain that cannot be adopted does not hold up the others; the exit code is then 5.
    """
    from holdfast import operations

    refuse_names_beside_all(names, is_all=all_)
    if all_ and fresh:
        raise click.UsageError("name the domains whose NVRAM or TPM state may be made anew")
    connection = session.connection
    found = for_each(
        connection, names, lambda name: operations.adopt_domain(connection, name, fresh=fresh, dry_run=dry_run)
    )
    _report(found.done, found.gone, dry_run, output)
    found.refuse_if_none(dry_run=dry_run)
    if found.failed:
        raise ADOPTED_IN_PART(failed=len(found.failed), all=found.count, causes=found.failed)


def _report(adoptions: list[Adoption], gone: list[str], dry_run: bool, output: str) -> None:
    if output == "json":
        print_envelope(dry_run=dry_run, domains=adoptions, notes=gone)
        return
    rows = [
        [
            adoption.name,
            adoption.origin,
            adoption.owner,
            ", ".join(f"{disk.target} {disk.role}" for disk in adoption.disks),
            _outcome(adoption),
        ]
        for adoption in adoptions
    ]
    if rows:
        click.echo(columns(["NAME", "ORIGIN", "OWNER", "DISKS", ""], rows))
    for note in gone:
        click.echo(f"note: {note}")
    makes = "would make" if dry_run else "makes"
    for adoption in adoptions:
        for file in adoption.fresh:
            click.echo(f"{adoption.name}: its {file} is gone; the next start {makes} it anew")


def _outcome(adoption: Adoption) -> str:
    if not adoption.already:
        return "would be adopted" if adoption.dry_run else "adopted"
    if not adoption.updated:
        return "already adopted"
    return "would be brought up to date" if adoption.dry_run else "brought up to date"


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_domains)
@dry_run_option
@output_option
@pass_session
def release(session: Session, name: str, dry_run: bool, output: str) -> None:
    """Remove everything that Holdfast recorded about a domain. The domain itself stays as it is."""
    from holdfast import operations

    released = operations.release_domain(session.connection, name, dry_run=dry_run)
    if output == "json":
        print_result(released)
        return
    click.echo(f"{released.name}: {'would be ' if dry_run else ''}released")
