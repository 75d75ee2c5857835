"""The history: the first record of a host, a change with and without it, and the log of one domain."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection

SHOWN = "domain-00000"


def history_cases(command: Sequence[str], ours: Connection, bare: libvirt.virConnect) -> Iterator[Case]:
    """``command`` is the command line's beginning, for processes. The folder of the history is gone in the end."""
    assert ours.history_folder is not None
    folder = Path(ours.history_folder)

    def begin() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(0o700, parents=True)

    begin()

    def read_all() -> None:
        for domain in bare.listAllDomains(0):
            domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

    yield Case("history, first import", read_all, lambda: operations.record_host(ours), 2.0, before=begin)
    yield Case("history, nothing new", read_all, lambda: operations.record_host(ours))

    kept = folder.with_name("kept.git")
    turn = iter(range(1_000_000))

    def change() -> None:
        _process([*command, "set", SHOWN, "--title", f"title {next(turn)}"])()

    def change_without() -> None:
        folder.rename(kept)
        try:
            change()
        finally:
            kept.rename(folder)

    yield Case("process: change", change_without, change, 1.2)
    yield Case("process: log", _process([*command, "list"]), _process([*command, "log", SHOWN]), 1.5)
    shutil.rmtree(folder)


def _process(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
