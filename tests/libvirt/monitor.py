"""Speaking to a QEMU behind the back of its libvirtd, which is killed (:meth:`holdfast_lab.daemon.Host.kill`).

So a test makes what libvirt leaves when it dies between asking QEMU and writing down that it did.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from holdfast_lab.daemon import Host


class Monitor:
    """QEMU's monitor (QMP), which has one client at a time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._answer()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """What ``command`` returns; fails where QEMU refuses it."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        return self._answer()

    def until(self, event: str) -> None:
        """Wait for an event."""
        while json.loads(self._stream.readline()).get("event") != event:
            pass

    def write(self, disk: str, mark: int) -> None:
        """Write ``mark`` into the first bytes of a disk, named by its device, and flush it, as its guest does."""
        for deed in (f"write -P {mark} 0 4k", "flush"):
            found = self.ask("human-monitor-command", **{"command-line": f'qemu-io -d {disk} "{deed}"'})
            assert "error" not in found.lower(), found

    def _answer(self) -> Any:
        while True:
            line = json.loads(self._stream.readline())
            assert "error" not in line, line
            if "event" not in line:
                return line.get("return")


@contextmanager
def monitor(host: Host) -> Iterator[Monitor]:
    """The monitor of the domain that was started last, while libvirtd is dead."""
    folder = max((host.folder / "lib" / "qemu").glob("domain-*"), key=lambda each: each.stat().st_mtime)
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(str(folder / "monitor.sock"))
        with connected.makefile("rw") as stream:
            yield Monitor(stream)
