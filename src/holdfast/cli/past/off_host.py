"""``holdfast history push`` and ``pull``: the history off the host, and what other hosts have recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import ChangingCommand, Session, output_option, pass_session
from holdfast.errors import PartlyDone
from holdfast.text import plural, printable

if TYPE_CHECKING:
    from holdfast.operations.past.off_host import ExchangedLine

remote_argument = click.argument("remote", metavar="[REMOTE]", required=False)
"""Where the history is pushed to: the settings say it where it is left out."""


@click.command(cls=ChangingCommand)
@remote_argument
@click.option(
    "--unattended",
    is_flag=True,
    help="For a timer: do nothing, and end well, where no remote is set or no network is up.",
)
@output_option
@click.pass_context
@pass_session
def push(session: Session, ctx: click.Context, remote: str | None, unattended: bool, output: str) -> None:
    """Push all entries to REMOTE: /PATH, ssh://HOST/PATH, USER@HOST:PATH or https://HOST/PATH.

    Without one it is the remote of the settings. Several hosts can push to one: where a domain has moved, their
    entries are joined. Nothing is rewritten, here or there.
    """
    from holdfast.operations.past.off_host import can_push, push_history

    if unattended and remote is None and not can_push(session.connection):
        return
    done = push_history(session.connection, remote)
    if output == "json":
        print_result(done)
    else:
        there = f"{done.domains} {plural(done.domains, 'domain')}"
        click.echo(f"{there} at {done.remote} as here, {done.pushed} pushed")
        _print_lines(done.lines)
        for sentence in done.elsewhere:
            click.echo(f"elsewhere  {printable(sentence)}")
    if any(line.refused for line in done.lines):
        ctx.exit(PartlyDone.exit_code)


@click.command(cls=ChangingCommand)
@remote_argument
@output_option
@click.pass_context
@pass_session
def pull(session: Session, ctx: click.Context, remote: str | None, output: str) -> None:
    """Take from REMOTE what is not here: other domains' histories, and entries that other hosts have made.

    Nothing that is here is rewritten or removed. Without REMOTE it is that of the settings.
    """
    from holdfast.operations.past.off_host import pull_history

    done = pull_history(session.connection, remote)
    if output == "json":
        print_result(done)
    else:
        taken = sum(bool(line.became) for line in done.lines)
        click.echo(f"{taken} {plural(taken, 'domain')} taken from {done.remote}")
        _print_lines(done.lines)
    if any(line.refused for line in done.lines):
        ctx.exit(PartlyDone.exit_code)


def _print_lines(lines: tuple[ExchangedLine, ...]) -> None:
    for line in lines:
        if line.became:
            click.echo(f"{line.became}  {printable(line.name)}")
        if line.refused:
            click.echo(f"refused  {printable(line.name)}: {printable(line.refused)}")
