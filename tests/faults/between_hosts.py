"""``python -m tests.faults.between_hosts``: a guest moves to another host, and at each step something ends.

At each step of ``migrate``, and while libvirt is at a call, the command is killed, or interrupted, or one of the two
libvirtds is killed; and the cable between the hosts is pulled. Whatever it was, one copy of the guest runs then, with
the memory that it had; repeating the command says how things stand, and brings the guest to the other host. Needs an
enclosure: ``scripts/faults migration`` runs it there.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import libvirt_qemu

import libvirt
from holdfast.__main__ import main as command_line
from holdfast.errors import HoldfastError
from holdfast.libvirtapi.connection import open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast_lab.cable import Cable, two_hosts
from holdfast_lab.daemon import Host
from holdfast_lab.patience import wait_until
from tests.faults.steps import Fault, Kind, Point, Step, Watcher, read_steps
from tests.libvirt.domains import remove_domains
from tests.libvirt.hosts.moving_guest import COUNTER, writing_guest

_FAULTS = {"killed": Fault.KILL, "interrupted": Fault.INTERRUPT, "source": Fault.DAEMON, "destination": Fault.DAEMON}


@dataclass(frozen=True)
class Case:
    """What comes: one of the keys of :data:`_FAULTS`, at a point."""

    what: str
    point: Point
    step: Step

    def __str__(self) -> str:
        return f"{self.what} {'during' if self.point.during else 'before'} step {self.step.number} ({self.step.what})"


def main() -> int:
    """The table of all cases; 1 where one is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/faults migration")
    parser.add_argument("--fault", choices=_FAULTS, action="append")
    parser.add_argument("options", nargs="*", help="of the migration: --post-copy")
    asked, options = parser.parse_known_args()
    options = [*asked.options, *options]
    counted: Counter[str] = Counter()
    with two_hosts("kelp", "rock") as cable, tempfile.TemporaryDirectory() as folder:
        begin_anew(cable, Path(folder))
        steps = read_steps(run(cable.hosts, options).notes)
        for case in cases(steps, asked.fault or list(_FAULTS)):
            begin_anew(cable, Path(folder))
            verdict = judge(cable, case, options)
            counted[verdict.partition(":")[0]] += 1
            print(f"{case}: {verdict}", flush=True)
    print(", ".join(f"{count} {what}" for what, count in counted.items()))
    return int("wrong" in counted)


def cases(steps: list[Step], faults: list[str]) -> Iterator[Case]:
    """Every fault before each step, and while libvirt is at a call."""
    for name in faults:
        for step in steps:
            for during in (False, True):
                if step.kind is Kind.CALL or not (during or _FAULTS[name] is Fault.DAEMON):
                    yield Case(name, Point(_FAULTS[name], step.number, during), step)


def judge(cable: Cable, case: Case, options: list[str]) -> str:
    """What became of the guest: "clean" where it is at one host alone, "left" where the next command ends it."""
    before = memory(cable)
    ended = run(cable.hosts, options, case)
    stands = settled(cable)
    said = f"exit {ended.code} {ended.said}"
    if stands == [("kelp", "shut off")] and "--post-copy" in options:
        return f"off: its memory went with the other half; {said}"
    again = run(cable.hosts, [])
    if stands == [("kelp", "paused")] and again.code == 5:
        subprocess.run([sys.executable, "-m", "holdfast", "-c", cable.hosts[0].uri, "resume", "a"], check=True)
        again = run(cable.hosts, [])
    elif [state for _, state in stands].count("running") != 1:
        return f"wrong: {stands}; {said}; exit {again.code} {again.said}"
    if again.code == 6:
        again = run(cable.hosts, [])
    now = settled(cable)
    if [name for name, _ in now] != ["rock"] or again.code not in (0, 3):
        return f"wrong: {stands}, then {now}; {said}; exit {again.code} {again.said}"
    if memory(cable) < before:
        return f"wrong: the guest began anew; {said}"
    outcome = "clean" if [state for _, state in stands] == ["running"] else "left"
    return f"{outcome}: {', '.join(map(' '.join, stands))}; {said}"


def begin_anew(cable: Cable, folder: Path) -> None:
    """The guest runs on the first host, and there is nothing on the other."""
    for host in cable.hosts:
        wait_until(lambda host=host: answers(host), "libvirtd does not come back")  # type: ignore[misc]
        with open_connection(host.uri) as connection:
            remove_domains(connection)
    with open_connection(cable.hosts[0].uri) as connection:
        domain = connection.define(writing_guest(folder))
        domain.start()
    wait_until(lambda: memory(cable) > 3, "the guest writes nothing")


def settled(cable: Cable) -> list[tuple[str, str]]:
    """Where the domain is and how, once nothing moves any more."""
    before: list[tuple[str, str]] | None = None
    while True:
        now = list(_states(cable))
        if now == before and not any(state == "moving" for _, state in now):
            return now
        before = now
        time.sleep(0.5)


def _states(cable: Cable) -> Iterator[tuple[str, str]]:
    for host in cable.hosts:
        wait_until(lambda host=host: answers(host), "libvirtd does not come back")  # type: ignore[misc]
        with open_connection(host.uri) as connection:
            for domain in connection.domains():
                yield host.name, _state(domain)


def _state(domain: Domain) -> str:
    try:
        state = domain.state()
        return "moving" if state != "shut off" and domain._handle.jobStats(0).get("type", 0) else state
    except (HoldfastError, libvirt.libvirtError):  # it is just going, or coming
        return "moving"


def memory(cable: Cable) -> int:
    """What the guest has counted to: it begins with 0 when it boots."""
    for host in cable.hosts:
        with open_connection(host.uri) as connection:
            for domain in connection.domains():
                if domain.state() == "running":
                    answer = libvirt_qemu.qemuMonitorCommand(domain._handle, f"xp /1dw {COUNTER}", 1)
                    return int(answer.split(":")[1])
    return -1


def answers(host: Host) -> bool:
    """True while its libvirtd can be reached."""
    try:
        with open_connection(host.uri):
            return True
    except HoldfastError:
        return False


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str
    notes: str


def run(hosts: tuple[Host, Host], options: list[str], case: Case | None = None) -> Ended:
    """``holdfast migrate a`` from the first host to the other, with what ``case`` lets come."""
    one, other = hosts
    host = other if case is not None and case.what == "destination" else one
    assert host.process.stdin is not None
    pipe = host.process.stdin.fileno()
    point = "" if case is None else f"{case.point.fault.name} {case.point.step} {int(case.point.during)}"
    words = ["-c", one.uri, "migrate", "a", other.uri, *options]
    with tempfile.TemporaryFile() as notes:
        inside = ["-m", __spec__.name, "--inside", point, str(notes.fileno()), str(pipe), str(host.socket)]
        ended = subprocess.run(
            [sys.executable, *inside, *words],
            pass_fds=[pipe, notes.fileno()],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        notes.seek(0)
        said = "; ".join((ended.stderr or ended.stdout).splitlines()[:2])
        return Ended(ended.returncode, said, notes.read().decode())


def _inside(point: str, notes: int, daemon: int, socket: Path, words: list[str]) -> None:
    """Be the command, with a fault at ``point``."""

    def kill_daemon() -> None:
        with suppress(FileNotFoundError):
            socket.unlink()
        os.write(daemon, b"daemon\n")

    at = None
    if point:
        name, step, during = point.split()
        at = Point(Fault[name], int(step), bool(int(during)))
    watcher = Watcher(notes, at, kill_daemon)
    watcher.install()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background process ignores it
    sys.argv = ["holdfast", *words]
    leave: Callable[[int], None] = os._exit

    def end(status: int) -> None:
        watcher.end()
        leave(status)

    os._exit = end  # type: ignore[assignment]
    try:
        command_line()
    except SystemExit as error:
        end(int(str(error.code or 0)))
    except KeyboardInterrupt:  # at the end, when no code of ours runs any more
        leave(130)
    end(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        _, _, where, fd, pipe_fd, path, *rest = sys.argv
        _inside(where, int(fd), int(pipe_fd), Path(path), rest)
    sys.exit(main())
