"""A running probe guest, spoken to over its serial console (``<serial type='pty'>``, the document's own default).

The guest says "@ready" every second, so nothing depends on who opened the console when. Each boot of a domain has a
new terminal, which only live names: the config document stays as it is.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import time
from collections.abc import Callable

from holdfast.domainxml.document import parse
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast_lab import errors
from holdfast_lab.inventory import Inventory, parse_inventory
from holdfast_lab.patience import PATIENCE


class Guest:
    """The probe guest in ``domain``. Make one per domain; it follows the domain through all its boots."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.boot_id: str | None = None
        self._terminal: _Terminal | None = None
        self._tokens = (f"{os.getpid()}.{number}" for number in itertools.count())

    def __repr__(self) -> str:
        return f"<Guest {self.domain.name}>"

    def close(self) -> None:
        """Let go of the console, so that somebody else can have it."""
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None

    def wait_for_boot(self) -> str:
        """Wait until a boot that was not waited for before is ready; return its boot id.

        Raises GUEST_NOT_RUNNING, GUEST_SILENT, GUEST_NO_CONSOLE.
        """
        deadline = _deadline()
        while True:
            line = self._line(deadline, "boot")
            if line.startswith("@ready ") and line.split()[1] != self.boot_id:
                self.boot_id = line.split()[1]
                return self.boot_id

    def wait_until_ready(self) -> str:
        """Wait until the boot that runs now is ready, new or not; return its boot id.

        Raises GUEST_NOT_RUNNING, GUEST_SILENT, GUEST_NO_CONSOLE.
        """
        self.close()  # of an earlier boot's terminal there may be lines left to read
        self.boot_id = None
        return self.wait_for_boot()

    def run(self, command: str) -> str:
        """Run a line of shell in the guest and return what it printed. Raises GUEST_COMMAND_FAILED."""
        token = next(self._tokens)
        deadline = _deadline()
        self._open(deadline).write(f"{token} {command}\n".encode())
        while self._line(deadline, f"answer to {command!r}") != f"@begin {token}":
            pass
        said = []
        while not (line := self._line(deadline, f"finish {command!r}")).startswith(f"@end {token} "):
            if not line.startswith("@ready "):
                said.append(line)
        if not line.endswith(" 0"):
            raise errors.GUEST_COMMAND_FAILED(command=command, name=self.domain.name, said=" / ".join(said))
        return "\n".join(said)

    def inventory(self) -> Inventory:
        """What the guest sees of its hardware now."""
        return parse_inventory(self.run("inventory").splitlines())

    def wait_until(self, condition: Callable[[Inventory], object]) -> Inventory:
        """Read the inventory until ``condition`` holds for it (a disk appears, or is gone).

        Raises GUEST_DOES_NOT_SEE.
        """
        deadline = _deadline()
        while not condition(inventory := self.inventory()):
            if time.monotonic() > deadline:
                raise errors.GUEST_DOES_NOT_SEE(name=self.domain.name)
            time.sleep(0.1)
        return inventory

    def ignore_hotplug(self, ignore: bool = True) -> None:
        """Make the guest deaf to attach and detach requests, or let it hear again, what it missed included.

        QEMU announces both by the ACPI event GPE 1, on i440fx and (since QEMU 6.1) on q35.
        """
        self.run(f"echo {'disable' if ignore else 'enable'} >/sys/firmware/acpi/interrupts/gpe01")

    def start_agent(self, *options: str) -> None:
        """Start the QEMU guest agent, with these options of qemu-ga, and wait until libvirt hears it."""
        self.run(f"sh /bin/agent start {' '.join(options)}")
        self.wait_for_agent()

    def stop_agent(self) -> None:
        """Stop the agent, and wait until libvirt knows: QEMU tells it of each change a second late (7.2)."""
        self.run("sh /bin/agent stop")
        self.wait_for_agent("disconnected")

    def wait_for_agent(self, state: str = "connected") -> None:
        """Wait until libvirt sees the agent's channel in this state. Raises GUEST_AGENT_STATE."""
        deadline = _deadline()
        while not parse(self.domain.xml(Definition.LIVE)).xpath(f"devices/channel/target[@state='{state}']"):
            if time.monotonic() > deadline:
                raise errors.GUEST_AGENT_STATE(name=self.domain.name, state=state)
            time.sleep(0.1)

    def _line(self, deadline: float, wanted: str) -> str:
        while time.monotonic() < deadline:
            line = self._open(deadline).line(deadline)
            if line is not None:
                return line
        raise errors.GUEST_SILENT(name=self.domain.name, wanted=wanted, seconds=PATIENCE)

    def _open(self, deadline: float) -> _Terminal:
        """The terminal of the running boot; waits for the domain to run."""
        while self._terminal is None or self._terminal.gone:
            self.close()
            if self.domain.is_active():
                serial = parse(self.domain.xml(Definition.LIVE)).find("devices/serial[@type='pty']")
                if serial is None:
                    raise errors.GUEST_NO_CONSOLE(name=self.domain.name)
                source = serial.find("source")  # while the domain starts or ends there is none
                with contextlib.suppress(OSError):
                    self._terminal = _Terminal("" if source is None else source.get("path", ""))
                    break
            if time.monotonic() > deadline:
                raise errors.GUEST_NOT_RUNNING(name=self.domain.name)
            time.sleep(0.1)
        return self._terminal


def _deadline() -> float:
    return time.monotonic() + PATIENCE


class _Terminal:
    """The host's end of a pseudo terminal, read line by line."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._read = b""
        self.gone = False
        """True once QEMU has closed its end."""

    def close(self) -> None:
        os.close(self._file)

    def write(self, data: bytes) -> None:
        os.write(self._file, data)

    def line(self, deadline: float) -> str | None:
        """The next whole line; None when the deadline passes or the other end has gone."""
        while b"\n" not in self._read:
            if self.gone or not select.select([self._file], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            try:
                data = os.read(self._file, 65536)
            except BlockingIOError:
                continue
            except OSError:  # EIO: the other end was closed
                data = b""
            self.gone = not data
            self._read += data
        line, self._read = self._read.split(b"\n", 1)
        return line.decode(errors="replace").strip("\r")
