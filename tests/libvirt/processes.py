"""Processes that a test ends, each named by an argument that is its own."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from holdfast.libvirtapi.domain import Domain
from holdfast_lab.patience import PATIENCE


def kill(argument: str) -> None:
    """Kill the processes that have ``argument``, whole, on their command line. Fails where none has."""
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if argument in _arguments(entry)]
    assert pids, argument
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _arguments(process: Path) -> list[str]:
    with contextlib.suppress(OSError):  # it has ended
        return (process / "cmdline").read_text(errors="replace").split("\0")
    return []


def pid_of(domain: Domain) -> int:
    """The process of a running domain's QEMU."""
    (pid,) = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if domain.uuid in _arguments(entry)]
    return pid


def crash(domain: Domain) -> None:
    """End a domain's QEMU as a crash of the host does: nobody asked for it."""
    with domain.stopped() as stopped:
        kill(domain.uuid)
        assert stopped.wait(PATIENCE)
