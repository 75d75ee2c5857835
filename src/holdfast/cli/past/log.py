"""``holdfast log``: who changed the hardware of a domain, when, and what the guest saw of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope
from holdfast.cli.common import Session, local_time, output_option, pass_session
from holdfast.cli.completion import complete_domains
from holdfast.text import printable

if TYPE_CHECKING:
    from holdfast.operations.past.log import LoggedChange


@click.command()
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_domains)
@click.option("--all", "of_host", is_flag=True, help="The entries of all domains, also of those that were deleted.")
@click.option("--since", metavar="WHEN", help='Only what came later: "2 days ago", 2026-11-30, "2026-11-30 14:05".')
@click.option("--patch", is_flag=True, help="With the difference of the documents' text.")
@output_option
@pass_session
def log(session: Session, name: str | None, of_host: bool, since: str | None, patch: bool, output: str) -> None:
    """Say what was done to the hardware of a domain, the last change first: when, by whom, what the guest saw.

    Each change is an entry of the host's history, with a short id. A domain that was deleted is found by its name too.
    """
    from holdfast.operations.past.log import log_domain, log_host

    if of_host is (name is not None):
        raise click.UsageError("name a domain, or say --all")
    if name is None:
        entries = log_host(session.connection, since=since, patch=patch)
    else:
        entries = log_domain(session.connection, name, since=since, patch=patch)
    if output == "json":
        print_envelope(entries=entries)
    else:
        several = len({entry.made_on for entry in entries}) > 1
        for entry in entries:
            click.echo("\n".join(_lines(entry, of_host, several)))


def _lines(entry: LoggedChange, of_host: bool, of_several_hosts: bool) -> Iterator[str]:
    on = [f"on {entry.made_on or 'an unknown host'}"] if of_several_hosts else []
    by = [entry.by] if entry.act == entry.command else []
    head = (entry.short_id, local_time(entry.time), *on, *([entry.name] if of_host else []), *by, entry.act)
    yield "  ".join(map(printable, head))
    for sentence in entry.sentences:
        yield f"          {printable(sentence)}"
    if entry.patch:
        yield from (f"  {printable(line)}" for line in entry.patch.splitlines())
