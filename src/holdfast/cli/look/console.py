"""``holdfast console``: the guest's serial console on this terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.common import Session, domain_argument, pass_session
from holdfast.errors.programs import NO_TERMINAL, OUTPUT_LOST

if TYPE_CHECKING:
    from holdfast.operations.vocabulary import Console

_ESCAPE = b"\x1d"
"""Ctrl-], as in virsh and telnet."""


@click.command()
@domain_argument
@click.option("--device", metavar="ALIAS", help="Alias of the console or serial port; default: the first.")
@click.option("--force", is_flag=True, help="Take the console from whoever has it open.")
@pass_session
def console(session: Session, name: str, device: str | None, force: bool) -> None:
    """Connect this terminal to the guest's serial console; Ctrl-] leaves it."""
    from holdfast.operations.look.console import open_console

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NO_TERMINAL()
    opened = open_console(session.connection, name, _print, device=device, force=force)
    try:
        click.echo(f"Connected to the console of {name!r}; Ctrl-] leaves it.", err=True)
        with _raw_terminal():
            _type_into(opened)
    except OSError as error:  # the terminal has gone, and whoever closed it has no signal for us
        raise OUTPUT_LOST(reason=error.strerror) from error
    finally:
        opened.close()
    click.echo("\nThe console is closed.", err=True)


def _print(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _type_into(opened: Console) -> None:
    """Send what is typed until Ctrl-], the end of the input, or the end of the console."""
    import select

    while not opened.wait(0):
        # The end of the console comes in another thread: look for it between keys.
        if not select.select([0], [], [], 0.2)[0]:
            continue
        keys, escape, _ = os.read(0, 4096).partition(_ESCAPE)
        opened.send(keys)
        if escape or not keys:
            return


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Every key goes to the guest, Ctrl-C too; the terminal is as before at the end, also after SIGTERM and SIGHUP.

    And while the process is stopped: kill -TSTP, then fg.
    """
    import termios
    import tty

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    def stop(_number: int, _frame: object) -> None:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.raise_signal(signal.SIGSTOP)

    def go_on(_number: int, _frame: object) -> None:
        tty.setraw(0)

    before = termios.tcgetattr(0)
    ours = {signal.SIGTERM: leave, signal.SIGHUP: leave, signal.SIGTSTP: stop, signal.SIGCONT: go_on}
    handlers = {number: signal.signal(number, handler) for number, handler in ours.items()}
    try:
        tty.setraw(0)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        with contextlib.suppress(termios.error):  # the terminal has gone
            termios.tcsetattr(0, termios.TCSADRAIN, before)
