"""``holdfast rollback``: the hardware that a domain had before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import (
    Session,
    domain_argument,
    dry_run_option,
    fresh_options,
    local_time,
    output_option,
    pass_session,
)
from holdfast.cli.past.options import secret_option
from holdfast.text import printable

if TYPE_CHECKING:
    from holdfast.operations.domain.rollback import RolledBack


@click.command()
@domain_argument
@click.argument("rev", metavar="[REV]", required=False)
@secret_option
@fresh_options
@click.option("--accept", is_flag=True, help="Accept what the guest will see of it.")
@dry_run_option
@output_option
@pass_session
def rollback(
    session: Session,
    name: str,
    rev: str | None,
    secrets: dict[str, str],
    fresh: list[str],
    accept: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Give a domain that is shut off the hardware that it had at REV, an entry of its history.

    What its guest would see is shown, and refused with exit code 3 unless --accept takes it. Images, NVRAM and TPM
    state stay today's, and so do name, title, description and metadata. The rollback is an entry, too: it can be rolled
    back itself.

    \b
    holdfast rollback web 1c0be2d5 --dry-run
    holdfast rollback web@last-start --accept
    holdfast rollback web "{2 days ago}" --accept
    """
    from holdfast.operations.domain.rollback import rollback_domain
    from holdfast.operations.past.revision import named_revision

    if rev is None:
        name, rev = named_revision(session.connection, name)
        if not rev:
            raise click.UsageError(f"say which entry: holdfast rollback {name} REV; 'holdfast log {name}' shows them")
    rolled = rollback_domain(
        session.connection, name, rev, secrets=secrets, fresh=fresh, accept=accept, dry_run=dry_run
    )
    if output == "json":
        print_result(rolled)
    else:
        click.echo("\n".join(map(printable, _lines(rolled))))


def _lines(rolled: RolledBack) -> Iterator[str]:
    then = f"{rolled.entry.short_id} of {local_time(rolled.entry.time)}"
    if not rolled.rolled_back:
        yield f"{rolled.name}: has the hardware of {then} already; nothing was changed"
        return
    yield f"{rolled.name}: {'would be' if rolled.dry_run else 'is'} rolled back to {then}"
    yield "the guest sees:" if rolled.changes else "the guest sees no difference"
    yield from (f"  {change}" for change in rolled.changes)
    if rolled.host:
        yield f"on the host side: {'; '.join(rolled.host)}"
    yield from (f"it would not start: {reason}" for reason in rolled.blocks)
    yield from (f"note: {note}" for note in rolled.notes)
    if rolled.dry_run:
        yield "nothing was changed"
