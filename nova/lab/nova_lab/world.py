"""One host of the lab: namespaces of its own, and a PID 1 that starts, signals and reaps what runs there.

A world has its own mount, network, UTS, IPC and PID namespaces. /etc, which begins as a copy of the machine's, /run,
/var/log and libvirt's folders are folders of ours, bound over the machine's inside only. Its processes are started by
name over a Unix socket, so that their pids are known to their parent alone and never guessed. When PID 1 is killed, the
kernel ends every process of the world, guests too, and drops its mounts, bridges and taps: nothing can be left.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from holdfast_lab import enclosure
from holdfast_lab.patience import PATIENCE

CHECKOUT = Path(__file__).parents[3]
"""The repository that this file is in."""

PLACES = {
    "system": "/etc",
    "libvirt": "/etc/libvirt",
    "ceph": "/etc/ceph",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "run": "/run",
    "log": "/var/log",
}
"""Folder of the world → what it is bound over inside."""

SECRETS = ("shadow*", "gshadow*", "ssh/*_key")
"""What is not copied of the machine's /etc."""

USER, USER_ID = "nova", 64060
"""The user that nova-compute runs as. It is in the groups libvirt and kvm, as packages have it."""


class _Request(TypedDict, total=False):
    """A line on the socket of a world's PID 1."""

    do: Literal["start", "signal", "status"]
    name: str
    command: list[str]
    environment: dict[str, str]
    signal_number: int


class _Entry(TypedDict):
    """One process in the answer: its pid as the world counts, and its exit status once it has ended."""

    pid: int
    status: int | None


_Answer = dict[str, _Entry]


class LabError(Exception):
    """Something of the lab did not start or answer; the message says what, and where its log is."""


@dataclass(frozen=True)
class World:
    """A host by its name and folder, running or not."""

    name: str
    folder: Path

    def log(self, process: str) -> Path:
        """Where the output of this process of the world goes."""
        return self.folder / "log" / f"{process}.log"

    @property
    def pid(self) -> int | None:
        """PID 1 of the world, as the machine counts; None when it does not run."""
        with contextlib.suppress(OSError, ValueError):
            pid, started = (self.folder / "pid").read_text().split()
            if _start_time(int(pid)) == started:
                return int(pid)
        return None

    def create(self) -> None:
        """Make the namespaces and PID 1. Needs root. Raises LabError when it does not come up."""
        for place in (*PLACES, "run/lock"):
            (self.folder / place).mkdir(parents=True, exist_ok=True)
        self._copy_etc()
        unshare = ["unshare", "-m", "-n", "-u", "-i", "-p", "--fork", "--kill-child", "--mount-proc", "--"]
        inside = [sys.executable, "-m", "nova_lab.world", self.name, str(self.folder)]
        environment = {**os.environ, enclosure.MARK: enclosure.acceleration()}
        environment.pop("LIBVIRT_LOG_OUTPUTS", None)
        with self.log("world").open("wb") as log:
            parent = subprocess.Popen(
                [*unshare, *inside],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        wait_for(lambda: _children(parent.pid), f"{self.name} did not start: see {self.log('world')}")
        (pid,) = _children(parent.pid)
        (self.folder / "pid").write_text(f"{pid} {_start_time(pid)}\n")
        wait_for(self._answers, f"{self.name} did not start: see {self.log('world')}", parent)

    def _copy_etc(self) -> None:
        system = self.folder / "system"
        subprocess.run(["cp", "-a", "/etc/.", system], check=True)
        for pattern in SECRETS:
            for path in system.glob(pattern):
                path.unlink()
        added = {
            "passwd": f"{USER}:*:{USER_ID}:{USER_ID}::{self.folder / USER}:/bin/sh\n",
            "group": f"{USER}:x:{USER_ID}:\n",
            "hosts": f"127.0.0.1 {self.name}\n",
        }
        for name, line in added.items():
            with (system / name).open("a") as file:
                file.write(line)

    def destroy(self) -> None:
        """End everything in the world. Nothing happens when it does not run."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: self.pid is None, f"{self.name} does not end")
        (self.folder / "pid").unlink(missing_ok=True)

    def start(self, process: str, *command: str | Path, **environment: str) -> None:
        """Start a process under a name, unless the one of that name still runs."""
        self._ask(do="start", name=process, command=[str(word) for word in command], environment=environment)

    def run(self, process: str, *command: str | Path, **environment: str) -> str:
        """Run a command to its end and return its output. Raises LabError when it fails."""
        log = self.log(process)
        before = log.stat().st_size if log.exists() else 0
        self.start(process, *command, **environment)
        wait_for(lambda: not self.runs(process), f"{process} does not end: see {log}")
        with log.open(errors="replace") as file:
            file.seek(before)
            said = file.read()
        if self._ask(do="status")[process]["status"] != 0:
            raise LabError(f"{process} failed: {' / '.join(said.strip().splitlines()[-3:])}; see {log}")
        return said

    def stop(self, process: str, signal_number: int = signal.SIGTERM, timeout: float = 30.0) -> None:
        """End a process and its group by a signal, and by SIGKILL when it has not ended in time (seconds)."""
        deadline = time.monotonic() + timeout
        self._ask(do="signal", name=process, signal_number=int(signal_number))
        while self.runs(process):
            if time.monotonic() > deadline:
                self._ask(do="signal", name=process, signal_number=int(signal.SIGKILL))
            time.sleep(0.05)

    def runs(self, process: str) -> bool:
        """True while the process of this name runs."""
        return self.processes().get(process, False)

    def processes(self) -> dict[str, bool]:
        """Every process that was started here → whether it still runs."""
        return {name: entry["status"] is None for name, entry in self._ask(do="status").items()}

    def pid_of(self, process: str) -> int:
        """The pid of a process as the world counts."""
        return int(self._ask(do="status")[process]["pid"])

    def inside(self, *command: str) -> list[str]:
        """The command line that runs ``command`` in the world's namespaces, but as a child of the caller."""
        return ["nsenter", "-t", str(self.pid), "--mount", "--net", "--uts", "--ipc", "--pid", "--", *command]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, LabError):
            self._ask(do="status")
            return True
        return False

    def _ask(self, **request: Unpack[_Request]) -> _Answer:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.folder / "control"))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise LabError(f"{self.name} of the lab does not run: 'scripts/nova-lab up' first") from error
            client.sendall(json.dumps(request).encode() + b"\n")
            with client.makefile() as answers:
                answer: _Answer = json.loads(answers.readline())
        return answer


def wait_for(
    condition: Callable[[], object],
    otherwise: str,
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Wait until ``condition`` holds. Raises LabError when it never does, or when ``process`` ends."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise LabError(otherwise)
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _start_time(pid: int) -> str:
    """When the process was started, in the kernel's ticks: with its pid it names it for good."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ProcessLookupError(pid)
    return fields[19]


class _Supervisor:
    """PID 1's table of processes by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def obey(self, request: _Request) -> _Answer:
        """Do what a line on the socket asks for; answers with every process's pid and exit status."""
        name = request.get("name", "")
        process = self.processes.get(name)
        runs = process is not None and process.returncode is None
        if request["do"] == "start" and not runs:
            with (self.folder / "log" / f"{name}.log").open("ab") as log:
                environment = {**os.environ, **request["environment"]}
                self.processes[name] = subprocess.Popen(
                    # The shell reports a missing command.
                    ["sh", "-c", 'exec "$@"', name, *request["command"]],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
        elif request["do"] == "signal" and process is not None and runs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, request["signal_number"])
        return {name: {"pid": entry.pid, "status": entry.returncode} for name, entry in self.processes.items()}

    def reap(self) -> None:
        """Wait for whatever has ended, including orphans."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for process in self.processes.values():
                    if process.pid == ended[0] and process.returncode is None:
                        process.returncode = os.waitstatus_to_exitcode(ended[1])


def _let_everybody_reach(*folders: Path) -> None:
    """Where one of these is in somebody's private home, mount over that a folder that has nothing but these."""
    private: dict[Path, list[Path]] = {}
    for folder in folders:
        closed = [parent for parent in reversed(folder.parents) if not parent.stat().st_mode & 0o001]
        if closed:
            private.setdefault(closed[0], []).append(folder)
    for home, inside in private.items():
        with tempfile.TemporaryDirectory(prefix="holdfast-home-") as made:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=1m", "home", made], check=True)
            for folder in inside:
                target = Path(made, folder.relative_to(home))
                target.mkdir(parents=True, exist_ok=True)
                subprocess.run(["mount", "--rbind", folder, target], check=True)
            subprocess.run(["mount", "--rbind", made, home], check=True)
            subprocess.run(["umount", "-R", made], check=True)


def _inside(name: str, folder: Path) -> None:
    """Be PID 1: make the world's mounts, then obey the socket for ever."""
    enclosure.private_dev()
    _let_everybody_reach(Path(sys.prefix).parent, CHECKOUT, folder)
    socket.sethostname(name)
    os.environ.pop("PYTHONPATH", None)  # ours; what runs here has what is installed
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)  # with this network's interfaces
    for place, target in PLACES.items():
        Path(target).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", folder / place, target], check=True)
    enclosure.private_accounts()
    supervisor = _Supervisor(folder)
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with socket.socket(socket.AF_UNIX) as server:
        (folder / "control").unlink(missing_ok=True)
        server.bind(str(folder / "control"))
        server.listen(16)
        while True:
            waiting: list[socket.socket | int] = [server, wake]
            ready, _, _ = select.select(waiting, [], [])
            if wake in ready:
                os.read(wake, 4096)
            supervisor.reap()
            if server in ready:
                with contextlib.suppress(OSError, ValueError), server.accept()[0] as client:
                    client.settimeout(5)
                    with client.makefile() as lines:
                        answer = supervisor.obey(json.loads(lines.readline()))
                    client.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    _inside(sys.argv[1], Path(sys.argv[2]))
