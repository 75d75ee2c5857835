"""The power commands: start, shutdown, reboot, reset, destroy, suspend, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import (
    Seconds,
    Session,
    accept_option,
    domain_argument,
    dry_run_option,
    fresh_options,
    output_option,
    pass_session,
)

if TYPE_CHECKING:
    from holdfast.operations.power.state_change import PowerChange


@click.command()
@domain_argument
@click.option("--paused", is_flag=True, help="Leave the vCPUs stopped until 'holdfast resume'.")
@fresh_options
@dry_run_option
@click.option("--arrived", is_flag=True, help="It is this host's: the one that it was moved from has it no more.")
@output_option
@pass_session
def start(
    session: Session, name: str, paused: bool, fresh: list[str], arrived: bool, dry_run: bool, output: str
) -> None:
    """Start a domain that is shut off.

    It starts from its config document as it stands, or continues from its managed-save image where it has one. For a
    domain that runs already, it records what an interrupted start, or a start by somebody else, has left unrecorded.
    """
    from holdfast import operations

    change = operations.start(session.connection, name, paused=paused, fresh=fresh, arrived=arrived, dry_run=dry_run)
    source = "its managed-save image" if change.restored else "its config document"
    rest = f"from {source}{', paused' if paused else ''}"
    report_power(change, output, would=f"start {rest}", done=f"started {rest}")


@click.command()
@domain_argument
@click.option(
    "--timeout",
    type=Seconds(),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the guest to stop.",
)
@dry_run_option
@output_option
@pass_session
def shutdown(session: Session, name: str, timeout: float, dry_run: bool, output: str) -> None:
    """Press the power button and wait until the guest has stopped.

    Exit code 5 when the guest still runs after the timeout: the button was pressed, and that cannot be undone.
    """
    from holdfast import operations

    change = operations.shutdown(session.connection, name, timeout=timeout, dry_run=dry_run)
    would, rescue = f"press the power button and wait up to {timeout:g} s", _left_rescue(change)
    report_power(change, output, would=f"{would}{rescue}", done=f"the guest has stopped{rescue}")


@click.command()
@domain_argument
@click.option("--hard", is_flag=True, help="Switch off and start again, whatever the guest is doing.")
@accept_option
@fresh_options
@dry_run_option
@output_option
@pass_session
def reboot(session: Session, name: str, hard: bool, accept: bool, fresh: list[str], dry_run: bool, output: str) -> None:
    """Ask the guest to reboot; with --hard switch it off and start it.

    A hard reboot starts from the config document as it stands; none is generated. Where config and live differ, so
    that the guest would see other hardware, this needs --accept, and is refused with exit code 3 otherwise (look first
    with --dry-run). Exit code 5 when the domain was switched off and does not start again.
    """
    from holdfast import operations

    change = operations.reboot(session.connection, name, hard=hard, accept=accept, fresh=fresh, dry_run=dry_run)
    if hard:
        start = "from its config document"
        report_power(change, output, would=f"switch off and start {start}", done=f"switched off and started {start}")
    else:
        report_power(change, output, would="ask the guest to reboot", done="asked the guest to reboot")


@click.command()
@domain_argument
@dry_run_option
@output_option
@pass_session
def reset(session: Session, name: str, dry_run: bool, output: str) -> None:
    """Press the reset button: the same hardware boots anew."""
    from holdfast import operations

    change = operations.reset(session.connection, name, dry_run=dry_run)
    report_power(change, output, would="press the reset button", done="reset")


@click.command()
@domain_argument
@dry_run_option
@output_option
@pass_session
def destroy(session: Session, name: str, dry_run: bool, output: str) -> None:
    """Switch a domain off at once, like pulling the plug. Its config document stays; 'holdfast delete' removes that."""
    from holdfast import operations

    change = operations.destroy(session.connection, name, dry_run=dry_run)
    rescue = _left_rescue(change)
    report_power(change, output, would=f"switch off at once{rescue}", done=f"switched off{rescue}")


@click.command()
@domain_argument
@dry_run_option
@output_option
@pass_session
def suspend(session: Session, name: str, dry_run: bool, output: str) -> None:
    """Pause the vCPUs of a domain."""
    from holdfast import operations

    change = operations.suspend(session.connection, name, dry_run=dry_run)
    report_power(change, output, would="pause its vCPUs", done="paused")


@click.command()
@domain_argument
@dry_run_option
@output_option
@pass_session
def resume(session: Session, name: str, dry_run: bool, output: str) -> None:
    """Let a paused domain run again."""
    from holdfast import operations

    change = operations.resume(session.connection, name, dry_run=dry_run)
    report_power(change, output, would="let its vCPUs run", done="running")


def _left_rescue(change: PowerChange) -> str:
    return ", which ends the rescue: the next start is its own" if change.left_rescue else ""


def report_power(change: PowerChange, output: str, *, would: str, done: str) -> None:
    """Print what was ``done``, or in a dry run what it ``would`` do."""
    if output == "json":
        print_result(change)
        return
    if change.recorded_now:
        would_be = "would be recorded" if change.dry_run else "is recorded now"
        click.echo(f"{change.name}: {change.before} already; {would_be} {', and '.join(change.recorded_now)}")
        return
    if change.dry_run:
        gone = "; it is transient, and would be gone" if change.after == "gone" else ""
        click.echo(f"{change.name}: would {would} (now {change.before}){gone}; nothing was changed")
    else:
        gone = "; it was transient, and is gone" if change.after == "gone" else ""
        click.echo(f"{change.name}: {done}{gone}")
    for sentence in change.mended:
        click.echo(f"{change.name}: {'would be mended' if change.dry_run else 'mended'}: {sentence}")
    if change.sees:
        click.echo("the guest sees at the start:")
        for sentence in change.sees:
            click.echo(f"  {sentence}")
    if change.waits:
        click.echo(
            "it continues with the hardware that it was saved with; what config says comes with the start after that:"
        )
        for sentence in change.waits:
            click.echo(f"  {sentence}")
    for note in change.notes:
        click.echo(f"note: {note}")
