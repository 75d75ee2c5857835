"""The console in both directions: the firmware of a domain without disks prints, and answers a key."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator

import pytest

import holdfast
from holdfast import operations
from holdfast.errors.domains import NO_DOMAIN, NOT_RUNNING
from holdfast.errors.look import NO_CONSOLE
from holdfast.libvirtapi.connection import Connection
from holdfast_lab.daemon import private_host
from holdfast_lab.patience import PATIENCE, wait_until
from tests.libvirt.commands import run
from tests.libvirt.domains import domain_xml
from tests.raising import raising

SERIAL = "<serial type='pty'/>"
TALKING = "<bootmenu enable='yes' timeout='60000'/><bios useserial='yes'/></os>"


def talking(connection: Connection) -> None:
    """A paused domain whose firmware, once it is resumed, asks for a key on the serial console."""
    connection.define(domain_xml(extra=SERIAL).replace("</os>", TALKING)).start(paused=True)


class Screen:
    """What came out of a console, and waiting for a text in it."""

    def __init__(self) -> None:
        self.text = b""
        self._came = threading.Condition()

    def __call__(self, data: bytes) -> None:
        with self._came:
            self.text += data
            self._came.notify_all()

    def shows(self, text: bytes) -> bool:
        with self._came:
            return self._came.wait_for(lambda: text in self.text, timeout=PATIENCE)


def test_what_the_guest_prints_arrives_and_keys_reach_it(connection: Connection) -> None:
    talking(connection)
    screen = Screen()
    console = operations.open_console(connection, "a", screen)
    operations.resume(connection, "a")
    assert screen.shows(b"Press ESC for boot menu"), screen.text
    console.send(b"\x1b")
    assert screen.shows(b"Select boot device"), screen.text
    console.close()


def test_a_console_ends_with_its_domain(connection: Connection) -> None:
    talking(connection)
    console = operations.open_console(connection, "a", Screen())
    operations.destroy(connection, "a")
    assert console.wait(PATIENCE)
    console.send(b"x")
    console.close()


def test_a_second_console_is_refused_and_force_takes_it_over(connection: Connection) -> None:
    talking(connection)
    first = operations.open_console(connection, "a", Screen())
    with raising(NO_CONSOLE) as caught:
        operations.open_console(connection, "a", Screen())
    assert "Active console session exists" in str(caught.value)
    second = operations.open_console(connection, "a", Screen(), force=True)
    assert first.wait(PATIENCE)
    second.close()


def test_bad_cases_say_why(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml())
    with raising(NO_DOMAIN):
        operations.open_console(connection, "nosuch", print)
    with raising(NOT_RUNNING):
        operations.open_console(connection, "a", print)
    domain.start(paused=True)
    with raising(NO_CONSOLE) as caught:
        operations.open_console(connection, "a", print)
    assert "character device" in str(caught.value)
    result = run(uri, "console", "a")
    assert result.exit_code == 2
    assert "needs a terminal" in result.stderr


@pytest.fixture
def daemon(daemon_uri: str) -> Iterator[Connection]:
    """A connection to the private libvirtd, with the domain "a" that talks."""
    with holdfast.connect(daemon_uri) as connection:
        talking(connection)
        yield connection
        operations.delete_domain(connection, "a", force=True)


class Terminal:
    """``holdfast console a`` as a process of its own on a terminal of ours."""

    def __init__(self, uri: str) -> None:
        self.ours, its = pty.openpty()
        self.before = self.settings()
        command = [sys.executable, "-m", "holdfast", "-c", uri, "console", "a"]
        self.process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True)
        os.close(its)  # so that reading fails when the process is gone

    def settings(self) -> list[object]:
        return termios.tcgetattr(self.ours)

    def shows(self, text: bytes) -> None:
        seen = b""
        while text not in seen:
            seen += os.read(self.ours, 4096)


def test_the_command_connects_the_terminal_and_restores_it(daemon: Connection) -> None:
    terminal = Terminal(daemon.uri)
    terminal.shows(b"Connected")
    operations.resume(daemon, "a")
    terminal.shows(b"Press ESC")
    assert terminal.settings() != terminal.before
    os.write(terminal.ours, b"\x1b")
    terminal.shows(b"Select boot device")
    os.write(terminal.ours, b"\x1d")
    terminal.shows(b"closed")
    assert terminal.process.wait(PATIENCE) == 0
    assert terminal.settings() == terminal.before


def test_a_terminated_console_restores_the_terminal(daemon: Connection) -> None:
    terminal = Terminal(daemon.uri)
    terminal.shows(b"Connected")
    operations.resume(daemon, "a")
    terminal.shows(b"Press ESC")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert terminal.settings() == terminal.before


def test_console_whose_libvirt_dies_says_so_and_restores_the_terminal() -> None:
    with private_host() as host:
        with holdfast.connect(host.uri) as connection:
            talking(connection)
        terminal = Terminal(host.uri)
        terminal.shows(b"Connected")
        host.restart(guests=False)
        terminal.shows(b"error: the connection to libvirt was lost")
        assert terminal.process.wait(PATIENCE) == 6
        assert terminal.settings() == terminal.before


def test_stopped_console_gives_the_terminal_back_and_takes_it_again(daemon: Connection) -> None:
    terminal = Terminal(daemon.uri)
    terminal.shows(b"Connected")
    wait_until(lambda: terminal.settings() != terminal.before, "the terminal is not taken")
    terminal.process.send_signal(signal.SIGTSTP)
    os.waitpid(terminal.process.pid, os.WUNTRACED)
    assert terminal.settings() == terminal.before
    terminal.process.send_signal(signal.SIGCONT)
    wait_until(lambda: terminal.settings() != terminal.before, "the terminal is not taken again")
    os.write(terminal.ours, b"\x1d")
    terminal.shows(b"closed")
    assert terminal.process.wait(PATIENCE) == 0


def test_output_that_cannot_be_shown_ends_the_console_with_its_reason(connection: Connection) -> None:
    def broken(data: bytes) -> None:
        raise OSError("the terminal has gone")

    talking(connection)
    console = operations.open_console(connection, "a", broken)
    operations.resume(connection, "a")
    with pytest.raises(OSError, match="the terminal has gone"):
        console.wait(PATIENCE)
    console.close()
