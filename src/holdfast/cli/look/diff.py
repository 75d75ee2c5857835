"""``holdfast diff``: what the guest would see differ between two documents."""

from __future__ import annotations

from dataclasses import replace

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, output_option, pass_session
from holdfast.cli.completion import complete_domains
from holdfast.errors import Refused


@click.command()
@click.argument("before", metavar="A", shell_complete=complete_domains)
@click.argument("after", metavar="B", shell_complete=complete_domains)
@output_option
@click.pass_context
@pass_session
def diff(session: Session, ctx: click.Context, before: str, after: str, output: str) -> None:
    """Say what a guest would see change from A to B.

    Each is a domain (NAME@live; NAME@config, what the next start uses; NAME, live while it runs and config otherwise),
    an entry of its history (NAME@REV: an id that 'holdfast log' shows, {2 days ago}, {2026-11-30 14:05} or last-start;
    beside it NAME is what the next start uses), or an XML file: "-" for standard input, or a name with a "/" in it or
    ".xml" at its end. A file is compared with a domain as libvirt would complete it; two files as they are.

    Exit code 0 when the guest sees no difference, 3 when it sees one.
    """
    from holdfast.operations.files import is_file
    from holdfast.operations.look.diff import diff as compare
    from holdfast.operations.look.diff import lost_state_of

    connection = None if is_file(before) and is_file(after) else session.connection
    difference = compare(connection, before, after)
    seen = [change for change in difference.changes if change.is_visible]
    names = [name for name in (before, after) if not is_file(name)]
    lost = dict.fromkeys(note for name in names for note in lost_state_of(session.connection, name))
    difference = replace(difference, notes=(*difference.notes, *lost))
    if output == "json":
        print_result(difference)
    else:
        for change in sorted(difference.changes, key=lambda change: not change.is_visible):
            click.echo(str(change))
        if not seen:
            click.echo("the guest sees no difference")
        for note in difference.notes:
            click.echo(f"note: {note}")
    if seen:
        ctx.exit(Refused.exit_code)
