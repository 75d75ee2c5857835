"""A host of our own: a private libvirtd in its own mount, network, UTS, IPC and PID namespaces.

Unlike the embedded driver it has storage pools, networks and secrets, and it is reached as every libvirt is: over a
socket. Its /etc/libvirt, /var/lib/libvirt, /run, cache and log are folders of ours, bound over the machine's inside
its mount namespace only, so nothing of a system libvirtd is seen or touched; all other paths (images under /tmp) are
the same inside and outside. It lives until its owner closes a pipe: also when the owner is killed, the kernel then
ends every process inside. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast_lab import enclosure
from holdfast_lab.embedded import QEMU_CONF

LIBVIRTD_CONF = """\
listen_tls = 0
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{uuid}"
log_outputs = "3:stderr"
"""

_PLACES = {
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "run": "/run",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
}
"""Folder of the host → what it is bound over inside."""

_START_TIMEOUT = 30.0


@dataclass(frozen=True)
class Host:
    """One running private host: its hostname, its host UUID, its folder here, and the process that holds it."""

    name: str
    uuid: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def socket(self) -> Path:
        """libvirtd's read-write socket, as seen from outside."""
        return self.folder / "run" / "libvirt" / "libvirt-sock"

    @property
    def uri(self) -> str:
        """The URI to connect to."""
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def images(self) -> Path:
        """A folder for storage pools and images: the same path inside and outside, removed with the host."""
        return self.folder / "images"

    def restart(self, *, guests: bool = True) -> None:
        """Kill libvirtd and start it anew; without ``guests`` every QEMU is killed with it, as when a host crashes.

        Connections are broken afterwards. Raises RuntimeError when it does not come up again.
        """
        assert self.process.stdin is not None
        self.socket.unlink()
        self.process.stdin.write(b"daemon\n" if guests else b"all\n")
        self.process.stdin.flush()
        _wait_until_up(self)

    def log(self) -> str:
        """What libvirtd said so far."""
        return (self.folder / "log" / "libvirtd.out").read_text(errors="replace")


@contextlib.contextmanager
def private_host(name: str = "holdfast-host") -> Iterator[Host]:
    """A running host with the hostname ``name``, gone at the end with its guests, networks and files.

    Raises RuntimeError, with libvirtd's own words, when it does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir=enclosure.lab_folder()))
    try:
        for place in (*_PLACES, "images", "run/lock"):  # libvirt locks a console's pty in /var/lock, which is /run/lock
            (folder / place).mkdir()
        (folder / "etc" / "qemu.conf").write_text(QEMU_CONF)
        identity = str(uuid.uuid4())
        (folder / "etc" / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(uuid=identity))
        host = Host(name, identity, folder, _launch(name, folder))
        try:
            _wait_until_up(host)
            yield host
        finally:
            assert host.process.stdin is not None
            host.process.stdin.close()
            host.process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _launch(name: str, folder: Path) -> subprocess.Popen[bytes]:
    unshare = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    inside = [sys.executable, "-m", "holdfast_lab.daemon", name, str(folder)]
    environment = {**os.environ, enclosure.MARK: enclosure.acceleration()}
    environment.pop("LIBVIRT_LOG_OUTPUTS", None)  # the enclosure silences the embedded driver; this one has a log
    with (folder / "log" / "libvirtd.out").open("wb") as log:
        # A session of its own: Ctrl-C is for the owner, which then closes the pipe.
        return subprocess.Popen(
            [*unshare, *inside], stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _wait_until_up(host: Host) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not host.socket.exists():
        if host.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the private libvirtd did not come up:\n{host.log()}")
        time.sleep(0.02)


def _inside(name: str, folder: Path) -> int:
    """Be PID 1 of the host: make its world, start libvirtd, reap whatever QEMU leaves, until the owner is gone."""
    enclosure.private_dev()
    enclosure.private_accounts()
    for place, target in _PLACES.items():
        Path(target).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", str(folder / place), target], check=True)
    socket.sethostname(name)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    killed = threading.Event()
    owner = threading.Thread(target=_obey_owner, args=(folder, killed), daemon=True)
    owner.start()
    while True:
        libvirtd = subprocess.Popen(["libvirtd"], stdin=subprocess.DEVNULL)
        status = enclosure.reap_until_exit(libvirtd)
        if not killed.is_set():
            return status
        killed.clear()
        if sys.stdin.buffer.closed:
            owner.join()


def _obey_owner(folder: Path, killed: threading.Event) -> None:
    """Kill what the owner names, line by line; with the end of its lines it is gone, and so is everything here."""
    everything = -1  # to kill(2): all but PID 1, which is this process
    for line in sys.stdin.buffer:
        killed.set()
        os.kill(everything if line == b"all\n" else int(Path("/run/libvirtd.pid").read_text()), signal.SIGKILL)
    sys.stdin.buffer.close()
    killed.set()
    os.kill(everything, signal.SIGKILL)  # nobody may write where we remove
    shutil.rmtree(folder, ignore_errors=True)  # an owner that was killed will not do it
    os._exit(0)  # PID 1 gone: the kernel drops every mount and network


if __name__ == "__main__":
    sys.exit(_inside(sys.argv[1], Path(sys.argv[2])))
