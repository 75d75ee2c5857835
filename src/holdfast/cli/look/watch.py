"""``holdfast watch``: what happens to the domains of one host or many, as it happens."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_line
from holdfast.cli.common import Session, output_option, pass_session
from holdfast.text import printable

if TYPE_CHECKING:
    from holdfast.operations.look.notice import Notice


@click.command()
@click.argument("uris", metavar="[URI]…", nargs=-1)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1, max=86400),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How often to look for what libvirt does not announce.",
)
@output_option
@click.pass_context
@pass_session
def watch(session: Session, ctx: click.Context, uris: tuple[str, ...], interval: float, output: str) -> None:
    """Report each change of state or hardware of the domains here, or on the hosts at each URI, whoever made it.

    Each line says what the guest sees; "config" means that it sees it at its next start. A lost host is reported,
    and tried again; what changed meanwhile is found. With -o json each line is one object. Ends with Ctrl-C.
    """
    from holdfast import operations

    several = len(set(uris)) > 1
    try:
        for notice in operations.watch(uris or (session.uri,), interval=interval, readonly=session.readonly):
            if output == "json":
                print_line(notice)
            else:
                click.echo(_line(notice, several))
    except KeyboardInterrupt:
        ctx.exit(130)


def _line(notice: Notice, several: bool) -> str:
    when = datetime.fromisoformat(notice.time).astimezone().strftime("%H:%M:%S")
    where = [notice.host] if several or notice.name is None else []
    whom = where if notice.name is None else [*where, printable(notice.name)]
    which = f"{' and '.join(map(str, notice.definitions))}: " if notice.definitions else ""
    return f"{when}  {'  '.join(whom)}  {which}{notice.sentence}"
