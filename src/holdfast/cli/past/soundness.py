"""``holdfast history check``, ``repair`` and ``verify``: the history itself."""

from __future__ import annotations

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import ChangingCommand, Session, local_time, output_option, pass_session
from holdfast.cli.past.off_host import remote_argument
from holdfast.errors import PartlyDone, Refused
from holdfast.text import plural, printable


@click.command()
@output_option
@click.pass_context
@pass_session
def check(session: Session, ctx: click.Context, output: str) -> None:
    """Say what is wrong with the history, and whether all of it is at its remote. Changes nothing.

    Exit code 0 when nothing is wrong, 3 when something is.
    """
    from holdfast.operations.past.soundness import check_history

    found = check_history(session.connection)
    if output == "json":
        print_result(found)
    else:
        click.echo(f"{found.folder}: {found.domains} {plural(found.domains, 'domain')}")
        if found.remote:
            when = f"last push {local_time(found.last_push)}" if found.last_push else "never pushed"
            entries = "entry" if found.not_pushed == 1 else "entries"
            click.echo(f"{found.remote}: {when}, {found.not_pushed} {entries} not pushed")
        for sentence in found.wrong:
            click.echo(f"wrong  {printable(sentence)}")
    if found.wrong:
        ctx.exit(Refused.exit_code)


@click.command(cls=ChangingCommand)
@output_option
@click.pass_context
@pass_session
def repair(session: Session, ctx: click.Context, output: str) -> None:
    """Keep what can be read of a damaged history.

    The entries of a domain go back to the last one of which, with all before it, everything can be read. What can be
    read besides is set aside under refs/lost. Then 'holdfast history pull' brings back what the remote has.

    Exit code 0 when nothing was lost, 5 when something was.
    """
    from holdfast.operations.past.soundness import repair_history

    done = repair_history(session.connection)
    if output == "json":
        print_result(done)
    else:
        for name in done.removed:
            click.echo(f"removed  {printable(name)}")
        for line in done.lines:
            kept = f"kept up to {line.last[:8]}" if line.last else "nothing can be read"
            click.echo(f"{line.uuid}  {kept}")
            for said, texts in {"lost": line.lost, "set aside": line.aside}.items():
                for text in texts:
                    click.echo(f"  {said}  {printable(text)}")
        if not done.removed and not done.lines:
            click.echo("nothing to repair")
    if done.lines:
        ctx.exit(PartlyDone.exit_code)


@click.command()
@remote_argument
@output_option
@click.pass_context
@pass_session
def verify(session: Session, ctx: click.Context, remote: str | None, output: str) -> None:
    """Say which entries were rewritten or are missing, here or at REMOTE, and what is not recorded yet.

    A remote that refuses rewritten refs makes it evidence. Without REMOTE it is that of the settings. Changes nothing.

    Exit code 0 when all is as it has to be, 3 when something is not.
    """
    from holdfast.operations.past.evidence import verify_history

    found = verify_history(session.connection, remote)
    if output == "json":
        print_result(found)
    else:
        for each in found.entries:
            entry = each.entry
            head = (each.wrong, entry.short_id, local_time(entry.time), entry.name, entry.by, entry.act)
            click.echo("  ".join(map(printable, head)))
        for name in found.unrecorded:
            click.echo(f"not recorded yet  {printable(name)}")
        if not found.entries and not found.unrecorded:
            click.echo(f"all as at {found.remote}, and as the domains are")
    if found.entries or found.unrecorded:
        ctx.exit(Refused.exit_code)
