"""``holdfast history``: keeping the history of a host."""

from __future__ import annotations

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import ChangingCommand, Session, output_option, pass_session
from holdfast.cli.past.deleted import forget, restore
from holdfast.cli.past.off_host import pull, push
from holdfast.cli.past.soundness import check, repair, verify
from holdfast.cli.past.states import copy_state, restore_state, states
from holdfast.text import plural, printable


@click.group()
def history() -> None:
    """Keep the history of this host's domains; 'holdfast log' reads it."""


for _command in (copy_state, states, restore_state):
    history.add_command(_command)


@history.command(cls=ChangingCommand)
@output_option
@pass_session
def record(session: Session, output: str) -> None:
    """Record what others have changed since the last entry of each domain.

    Changes that Holdfast makes are recorded at once. This is for those of virsh and other programs, to be run by a
    timer; it changes no domain.
    """
    from holdfast.operations.past.record import record_host

    found = record_host(session.connection)
    if output == "json":
        print_result(found)
        return
    click.echo(f"{found.domains} {plural(found.domains, 'domain')} looked at, {len(found.recorded)} recorded")
    for said, names in {
        "recorded": found.recorded,
        "gone": found.gone,
        "history forgotten": found.forgotten,
        "being changed just now": found.skipped,
    }.items():
        for name in names:
            click.echo(f"{said}  {printable(name)}")


history.add_command(restore)
history.add_command(forget)
history.add_command(push)
history.add_command(pull)
for each in (check, repair, verify):
    history.add_command(each)
