"""The steps of a command, found while it runs, and the fault that comes at one of them.

A step is whatever may change something: a call of libvirt's binding that is not declared here as one that only reads, a
change of a file (by Python's audit events, which come before it), and the start of a process. ``before`` a step is also
``after`` the step before it, for nothing changes in between; the end of the command is a step of its own. ``during`` is
while libvirt is at a call, while a process runs, and when one byte of a new file is written (RLIMIT_FSIZE).
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path

from tests.reading_calls import READS

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {
    *{"os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.chown"},
    *{"os.setxattr", "os.removexattr", "os.utime"},
}
"""The audit events of a change of a file, besides "open"."""

_REMOVES = ("remove ", "rmdir ")
"""What a full disk does not hinder."""

_NOT_OURS = ("/dev/", "/proc/")
END = "the end"


class Fault(Enum):
    """What happens at a point."""

    KILL = "SIGKILL"
    TERMINATE = "SIGTERM"
    INTERRUPT = "SIGINT"
    DAEMON = "libvirtd killed"
    FULL = "ENOSPC"
    READ_ONLY = "EROFS"

    @property
    def is_of_files(self) -> bool:
        """True for an error that only a step at a file meets."""
        return self in (Fault.FULL, Fault.READ_ONLY)


class Kind(StrEnum):
    """What a step is."""

    CALL = "call"
    FILE = "file"
    NEW_FILE = "new file"
    PROCESS = "process"
    END = "end"


@dataclass(frozen=True)
class Step:
    """One step: its number from 1 on, what it is, and what is called, changed or run."""

    number: int
    kind: Kind
    what: str


@dataclass(frozen=True)
class Point:
    """A fault at a step: before it, or ``during`` it."""

    fault: Fault
    step: int
    during: bool = False

    def __str__(self) -> str:
        return f"{self.fault.value} {'during' if self.during else 'before'} step {self.step}"


def points(steps: list[Step], fault: Fault) -> list[Point]:
    """Where ``fault`` can come in a command that takes these steps."""
    found = []
    for step in steps:
        if fault.is_of_files:
            meets = not (fault is Fault.FULL and step.what.startswith(_REMOVES))
            found += [Point(fault, step.number)] * (meets and step.kind in (Kind.FILE, Kind.NEW_FILE))
            found += [Point(fault, step.number, during=True)] * (step.kind is Kind.NEW_FILE and fault is Fault.FULL)
        elif fault is Fault.DAEMON:
            found += [Point(fault, step.number, during) for during in (False, True)] * (step.kind is Kind.CALL)
        else:
            found.append(Point(fault, step.number))
            during = (Kind.CALL, Kind.PROCESS, *([Kind.NEW_FILE] if fault is Fault.KILL else []))
            found += [Point(fault, step.number, during=True)] * (step.kind in during)
    return found


class Watcher:
    """Notes each step of this process in the pipe ``notes``, and lets the fault come at its point.

    For a process that was made for one command: audit hooks cannot be taken away.
    """

    def __init__(self, notes: int, point: Point | None, kill_daemon: Callable[[], None]) -> None:
        self._notes = notes
        self._point = point
        self._kill_daemon = kill_daemon
        self._count = 0
        self._noting = threading.local()

    def install(self) -> None:
        """From now on."""
        import libvirtmod  # type: ignore[import-not-found]
        import libvirtmod_qemu  # type: ignore[import-not-found]

        for module in (libvirtmod, libvirtmod_qemu):
            for name in dir(module):
                if name.startswith("vir") and not READS.match(name):
                    setattr(module, name, self._call(name, getattr(module, name)))
        started = subprocess.Popen.__init__

        def start(process: subprocess.Popen[bytes], *args: object, **options: object) -> None:
            started(process, *args, **options)  # type: ignore[call-overload]
            if during.pop("process", False):
                self._come()

        remove_folder = shutil.rmtree

        def remove(path: str | Path, *args: object, **options: object) -> None:
            try:
                self._step(Kind.FILE, f"remove {path} and all that is in it")
            except OSError:
                if options.get("ignore_errors"):
                    return
                raise
            self._noting.now = True
            try:
                remove_folder(path, *args, **options)  # type: ignore[arg-type]
            finally:
                self._noting.now = False

        during = self._during = dict[str, bool]()
        shutil.rmtree = remove  # type: ignore[assignment]
        subprocess.Popen.__init__ = start  # type: ignore[assignment,method-assign]
        sys.addaudithook(self._audit)

    def end(self) -> None:
        """The command has ended."""
        self._step(Kind.END, END)

    def _call(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def stepped(*args: object) -> object:
            if self._step(Kind.CALL, name):
                called = threading.Event()
                threading.Thread(target=self._come_soon, args=(called,), daemon=True).start()
                called.set()
            return call(*args)

        return stepped

    def _come_soon(self, called: threading.Event) -> None:
        """The binding lets other threads run once it has asked libvirt."""
        called.wait()
        self._come()

    def _audit(self, event: str, args: tuple[object, ...]) -> None:
        if getattr(self._noting, "now", False):
            return
        if event == "subprocess.Popen":
            if self._step(Kind.PROCESS, f"run {Path(os.fsdecode(args[0])).name}"):  # type: ignore[arg-type]
                self._during["process"] = True
        elif event == "open" and isinstance(args[0], str | bytes) and isinstance(args[2], int) and args[2] & _WRITES:
            path = os.fsdecode(args[0])
            if path.startswith(_NOT_OURS):
                return
            is_new = bool(args[2] & os.O_CREAT)
            if self._step(Kind.NEW_FILE if is_new else Kind.FILE, f"open {path}"):
                self._come_with_a_byte()
        elif event in _EVENTS:
            self._step(Kind.FILE, f"{event.removeprefix('os.')} {args[0]!s}")

    def _come_with_a_byte(self) -> None:
        """From now on no file of this process, or of its children, can be longer: written over, it is a full disk."""
        assert self._point is not None
        killed = self._point.fault is Fault.KILL
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if killed else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def _step(self, kind: Kind, what: str) -> bool:
        """Note a step, and let a fault come that is to come before it; true where one is to come during it."""
        self._count += 1
        self._noting.now = True
        try:
            os.write(self._notes, f"{self._count}\t{kind.value}\t{what}\n".encode(errors="replace"))
            is_here = self._point is not None and self._point.step == self._count
            if is_here and self._point is not None and not self._point.during:
                self._come()
                return False
            return is_here
        finally:
            self._noting.now = False

    def _come(self) -> None:
        assert self._point is not None
        fault, self._point = self._point.fault, None
        if fault is Fault.DAEMON:
            self._kill_daemon()
        elif fault.is_of_files:
            number = errno.ENOSPC if fault is Fault.FULL else errno.EROFS
            raise OSError(number, os.strerror(number))
        else:
            os.kill(os.getpid(), getattr(signal, fault.value))


def read_steps(notes: str) -> list[Step]:
    """The steps that a :class:`Watcher` has noted."""
    lines = [line.split("\t", 2) for line in notes.splitlines()]
    return [Step(int(number), Kind(kind), what) for number, kind, what in lines]
