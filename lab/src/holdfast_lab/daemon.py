"""A host of our own: a private libvirtd in its own mount, network, UTS, IPC and PID namespaces.

Unlike the embedded driver it has storage pools, networks and secrets, and it is reached as every libvirt is: over a
socket. Its /etc/libvirt, /var/lib/libvirt, /run, cache and log are folders of ours, bound over the machine's inside
its mount namespace only, so nothing of a system libvirtd is seen or touched; all other paths (images under /tmp) are
the same inside and outside. It lives until its owner closes a pipe: also when the owner is killed, the kernel then
ends every process inside. Needs root.

Its libvirt and QEMU are the machine's, or those of another system in a folder (:mod:`holdfast_lab.other_debian`):
from the start, or from an upgrade on while guests run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast_lab import enclosure
from holdfast_lab.embedded import QEMU_CONF
from holdfast_lab.patience import wait_until

LIBVIRTD_CONF = """\
listen_tls = 0
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{uuid}"
log_outputs = "3:stderr"
"""

_QEMU_CONF_OF_PACKAGE = """\
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""
"""What Debian's package says (12, 13: nothing, so QEMU is libvirt-qemu and files are given to it), and what a namespace
of ours does not have: cgroups, a /dev for each QEMU, virtlogd."""

_LIBVIRTD_CONF_OF_PACKAGE = """\
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
"""
"""The socket's group and mode that Debian's packages have; there polkit, which needs systemd, lets the group in."""

_OWNERS_OF_PACKAGE = {
    "tmp": ("root", 0o1777),
    "etc/qemu.conf": ("root", 0o600),
    "images": ("root", 0o711),
    "lib/images": ("root", 0o711),
    "lib/qemu": ("libvirt-qemu", 0o750),
}
"""Owner and mode of what Debian's package makes (its postinst, 9.0 and 11.3)."""

_PLACES = {
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "run": "/run",
    "cache": "/var/cache/libvirt",
    "log": "/var/log",  # libvirt's, and swtpm's
}
"""Folder of the host → what it is bound over inside."""

_NETWORK = """\
link set lo up
link add eth0 type veth peer name cable
address add 198.51.100.1/24 dev eth0
link set cable up
link set eth0 up
route add 224.0.0.0/4 dev eth0
"""
"""A cable to nowhere: SPICE asks for an address besides the loopback's, a multicast interface for a route.

Where the kernel has no veth there is only the loopback, and the log says so.
"""


REVIVE = "revive"
"""The name of a file in a host's folder: where it is there, a libvirtd that ends by itself is started anew."""

ENDED = "libvirtd has ended by itself"
"""How a line of the host's log begins that tells of that."""


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

    @property
    def inside(self) -> int:
        """The process that is PID 1 of the host, as it is called here."""
        unshare = self.process.pid
        return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text())

    def restart(self, *, guests: bool = True) -> None:
        """Kill libvirtd and start it anew; without ``guests`` every QEMU is killed with it, as when a host crashes.

        Connections are broken afterwards. Raises RuntimeError when it does not come up again.
        """
        self.socket.unlink()
        self._tell("daemon" if guests else "all")
        _wait_until_up(self)

    def kill(self) -> None:
        """Kill libvirtd, and nothing else, until :meth:`start`. Connections are broken afterwards."""
        self._tell("kill")
        wait_until(lambda: not _listens(self.socket), "the private libvirtd outlives SIGKILL")

    def start(self) -> None:
        """Start libvirtd after :meth:`kill`. Raises RuntimeError when it does not come up again."""
        self.socket.unlink()
        self._tell("start")
        _wait_until_up(self)

    def _tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()

    def revive(self) -> None:
        """From now on a libvirtd that ends by itself is started anew; else the host ends with it."""
        (self.folder / REVIVE).touch()

    def log(self) -> str:
        """What libvirtd said so far."""
        return (self.folder / "log" / "libvirtd.out").read_text(errors="replace")

    def upgrade(self, system: Path) -> None:
        """Let the libvirtd of ``system`` take over from the one that runs; guests run on, connections are lost."""
        self.socket.unlink()
        self._tell(str(system))
        _wait_until_up(self)


@contextlib.contextmanager
def private_host(
    name: str = "holdfast-host", system: Path = Path("/"), *, as_packaged: bool = False, address: str = ""
) -> Iterator[Host]:
    """A running host with the hostname ``name``, gone at the end with its guests, networks and files.

    libvirtd, QEMU and all they need are those of ``system``, the root folder of an unpacked distribution. With
    ``as_packaged`` QEMU is not root, and the group libvirt may manage it: settings, owners and modes of the package.
    ``address`` is where other hosts reach it for a migration, once :mod:`.cable` joins it to one.
    Raises RuntimeError, with libvirtd's own words, when it does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir=enclosure.lab_folder()))
    try:
        for place in (*_PLACES, "images", "run/lock"):  # libvirt locks a console's pty in /var/lock, which is /run/lock
            (folder / place).mkdir()
        identity = str(uuid.uuid4())
        reached = f'migration_host = "{address}"\n' if address else ""
        (folder / "etc" / "qemu.conf").write_text((_QEMU_CONF_OF_PACKAGE if as_packaged else QEMU_CONF) + reached)
        more = _LIBVIRTD_CONF_OF_PACKAGE if as_packaged else ""
        (folder / "etc" / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(uuid=identity) + more)
        if as_packaged:
            _give_to_owners(folder)
        host = Host(name, identity, folder, _launch(name, folder, system, as_packaged))
        try:
            _wait_until_up(host)
            yield host
        finally:
            assert host.process.stdin is not None
            host.process.stdin.close()
            host.process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give_to_owners(folder: Path) -> None:
    folder.chmod(0o711)  # images are below it
    for place, (owner, mode) in _OWNERS_OF_PACKAGE.items():
        path = folder / place
        if not path.suffix:
            path.mkdir(exist_ok=True)
        shutil.chown(path, owner, owner)
        path.chmod(mode)


def _launch(name: str, folder: Path, system: Path, as_packaged: bool) -> subprocess.Popen[bytes]:
    unshare = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    inside = [sys.executable, "-m", "holdfast_lab.daemon", name, str(folder), str(system)]
    environment = {**os.environ, enclosure.MARK: enclosure.acceleration()}
    environment.pop("LIBVIRT_LOG_OUTPUTS", None)  # the enclosure silences the embedded driver; this one has a log
    if as_packaged:
        environment["TMPDIR"] = str(folder / "tmp")  # QEMU's helpers are not root, as swtpm_setup is not
    with (folder / "log" / "libvirtd.out").open("wb") as log:
        # A session of its own: Ctrl-C is for the owner, which then closes the pipe.
        return subprocess.Popen(
            [*unshare, *inside], stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _wait_until_up(host: Host) -> None:
    wait_until(lambda: _listens(host.socket) or host.process.poll() is not None, "the private libvirtd hangs")
    if host.process.returncode is not None:
        raise RuntimeError(f"the private libvirtd did not come up:\n{host.log()}")


def _listens(path: Path) -> bool:
    """True when somebody answers there; the file alone comes a moment before."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def _inside(name: str, folder: Path, system: Path) -> int:
    """Be PID 1 of the host: make its world, start libvirtd, reap whatever QEMU leaves, until the owner is gone."""
    enclosure.private_world()
    socket.sethostname(name)
    subprocess.run(["ip", "-batch", "-"], input=_NETWORK, text=True)
    _mount(system, folder)
    mounted = system
    libvirtd = _libvirtd(system)
    ended_by_us = threading.Lock()  # held until there is another, which the next line may be about
    crashed = killed = False

    def obey_owner() -> None:
        """End what the owner names, line by line; with the end of its lines it is gone, and so is everything here."""
        nonlocal system, crashed, killed
        everything = -1  # to kill(2): all but PID 1, which is this process
        for line in sys.stdin:
            ended_by_us.acquire()
            word = line.rstrip()
            if word == "all":
                crashed = True
                os.kill(everything, signal.SIGKILL)
            elif word in ("daemon", "kill", "start"):
                killed = word == "kill"
                os.kill(libvirtd.pid, signal.SIGKILL)
            else:
                system = Path(word)
                os.kill(libvirtd.pid, signal.SIGTERM)
        sys.stdin.close()
        ended_by_us.acquire()
        os.kill(everything, signal.SIGKILL)  # nobody may write where we remove
        shutil.rmtree(folder, ignore_errors=True)  # an owner that was killed will not do it
        os._exit(0)  # PID 1 gone: the kernel drops every mount and network

    owner = threading.Thread(target=obey_owner, daemon=True)
    owner.start()
    while True:
        status = enclosure.reap_until_exit(libvirtd)
        if not ended_by_us.locked() and not _is_revived(folder, status):
            return status
        if sys.stdin.closed:
            owner.join()
        if crashed:
            _forget_what_runs()
            crashed = False
        if system != mounted:
            _mount(system, folder)
            mounted = system
        libvirtd = _nothing() if killed else _libvirtd(system)
        if ended_by_us.locked():
            ended_by_us.release()


def _is_revived(folder: Path, status: int) -> bool:
    """True where a libvirtd that ends by itself is started anew, as systemd does; the log tells of each time."""
    print(f"{ENDED}, status {status}", flush=True)
    return (folder / REVIVE).exists()


def _forget_what_runs() -> None:
    """A host that boots has an empty /run: no domain is taken for running."""
    for state in Path("/run/libvirt/qemu").glob("*.xml"):
        state.unlink()


def _mount(system: Path, folder: Path) -> None:
    """Put the places of the host, in ``folder``, where the libvirtd of ``system`` looks for them.

    Of another system than the machine's own nothing is ever written.
    """
    mount = functools.partial(subprocess.run, check=True)
    if system != Path("/"):
        mount(["mount", "--bind", system, system])
        for shared in ("dev", "proc", "sys", "tmp"):
            mount(["mount", "--rbind", f"/{shared}", system / shared])
        authority = system / "var/lib/swtpm-localca"
        authority.mkdir(exist_ok=True)
        mount(["mount", "-t", "tmpfs", "-o", "mode=700,size=1m", "tpm", authority])
    for place, target in _PLACES.items():
        inside = system / target.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        mount(["mount", "--bind", folder / place, inside])
    if system != Path("/"):
        mount(["mount", "-o", "remount,bind,ro", system])


def _libvirtd(system: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["chroot", system, "libvirtd"], stdin=subprocess.DEVNULL)


def _nothing() -> subprocess.Popen[bytes]:
    """What stands in for a libvirtd that is to stay killed."""
    return subprocess.Popen(["sleep", "infinity"], stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(_inside(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
