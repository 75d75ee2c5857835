"""``holdfast history restore`` and ``forget``: domains that were deleted, and that only the history has."""

from __future__ import annotations

import click

from holdfast.cli.as_json import print_envelope, print_result
from holdfast.cli.common import Session, dry_run_option, fresh_options, local_time, output_option, pass_session
from holdfast.cli.past.options import secret_option
from holdfast.text import printable


@click.command()
@click.argument("name", metavar="NAME")
@secret_option
@fresh_options
@click.option("--not-elsewhere", is_flag=True, help="Where it was moved to, it is no more, or that host stays off.")
@dry_run_option
@output_option
@pass_session
def restore(
    session: Session,
    name: str,
    secrets: dict[str, str],
    fresh: list[str],
    not_elsewhere: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Bring back a deleted domain: as it was when it was undefined, under the same UUID, shut off.

    By its last name, or its UUID ('holdfast log --all -o json' has it). Its images have to be there; so has its NVRAM,
    and the state of its TPM, unless they may be made anew. For saved memory there is 'holdfast restore'.
    """
    from holdfast.operations.domain.restore_deleted import restore_deleted

    back = restore_deleted(
        session.connection, name, secrets=secrets, fresh=fresh, not_elsewhere=not_elsewhere, dry_run=dry_run
    )
    if output == "json":
        print_result(back)
        return
    is_back = "would be" if dry_run else "is"
    click.echo(f"{printable(back.name)}: {is_back} back as it was on {local_time(back.entry.time)}, shut off")
    for note in back.notes:
        click.echo(f"note: {printable(note)}")
    if dry_run:
        click.echo("nothing was changed")


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--older-than", metavar="AGE", help='All domains that were deleted longer ago: "90 days", "5 years".')
@dry_run_option
@output_option
@pass_session
def forget(session: Session, name: str | None, older_than: str | None, dry_run: bool, output: str) -> None:
    """Remove the history of a deleted domain for good, by its last name or its UUID.

    That of a domain that libvirt has stays, whatever is asked. What was copied elsewhere stays there.
    """
    from holdfast.operations.past.forget import forget_history

    if (name is None) is (older_than is None):
        raise click.UsageError("name a domain, or say --older-than")
    gone = forget_history(session.connection, name, older_than=older_than, dry_run=dry_run)
    if output == "json":
        print_envelope(forgotten=gone, dry_run=dry_run)
        return
    for each in gone:
        forgotten = "would be forgotten" if dry_run else "is forgotten"
        click.echo(f"{printable(each.name)}: its history up to {local_time(each.last)} {forgotten} ({each.uuid})")
    if not gone:
        click.echo("no domain was deleted that long ago")
    if dry_run:
        click.echo("nothing was changed")
