"""A private world for a libvirt of our own: mount, PID and IPC namespaces that vanish with the process.

Two traps of real machines are handled here. A ``/dev/kvm`` that opens but does not work makes libvirt 9.0 probe QEMU
anew at every call: the enclosure has a /dev without it, unless KVM was seen to work. And QEMU daemonizes, so whoever
is above libvirt must reap it: PID 1 of the enclosure does. When PID 1 ends, the kernel kills every process inside and
drops every mount, also after Ctrl-C or a crash. As root: ``python -m holdfast_lab.enclosure [--emulate] COMMAND …``;
``--emulate`` hides KVM also where it works, so that what a test sees does not depend on the machine.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from holdfast_lab.patience import PATIENCE

MARK = "HOLDFAST_ENCLOSURE"
ORDINARY, ORDINARY_HOME = "holdfast-user", "/run/holdfast-user"
"""A user without any right of its own, and the home that it has on a private host."""

_DEVICES = [
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "ptmx",
    "loop-control",
    "fuse",
    "vhost-net",
    "vsock",
    "vhost-vsock",
    "vfio/vfio",
    "net/tun",
]


@functools.cache
def kvm_works() -> bool:
    """True when a guest really runs under KVM here; the device node alone proves nothing.

    Starts a QEMU without disks: its BIOS finds nothing to boot and says so, at once; a KVM that does not work ends QEMU
    or stops the guest. With SMM, as Secure Boot needs it: a KVM nested in another hypervisor may run a BIOS and lack
    that.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = (
        "qemu-system-x86_64 -accel kvm -machine q35,smm=on -cpu host -m 64 -nodefaults -display none"
        " -qmp stdio -debugcon file:/dev/stdout -global isa-debugcon.iobase=0x402"
    )
    try:
        qemu = subprocess.Popen(
            command.split(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except OSError:
        return False
    assert qemu.stdin is not None and qemu.stdout is not None
    given_up = threading.Timer(PATIENCE, qemu.kill)
    given_up.start()
    try:
        with contextlib.suppress(BrokenPipeError), qemu:
            qemu.stdin.write('{"execute": "qmp_capabilities"}\n')
            qemu.stdin.flush()
            for line in qemu.stdout:
                if "No bootable device" in line or '"STOP"' in line:
                    qemu.kill()
                    return '"STOP"' not in line
        return False
    finally:
        given_up.cancel()


def acceleration() -> str:
    """How guests run here: "kvm" or "emulation"."""
    return os.environ.get(MARK) or ("kvm" if kvm_works() else "emulation")


def enclosed() -> bool:
    """True inside an enclosure."""
    return MARK in os.environ


def enclose(command: list[str], *, emulate: bool = False) -> int:
    """Run ``command`` in a new enclosure and return its exit status; ``emulate`` hides KVM also where it works.

    Needs root. Raises OSError without unshare(1).
    """
    if os.geteuid() != 0:
        print("the lab needs root to make its own namespaces; run it with sudo", file=sys.stderr)
        return 1
    environment = {
        "LIBVIRT_LOG_OUTPUTS": "4:file:/dev/null",  # the embedded driver would log to our stderr
        **os.environ,
        MARK: "emulation" if emulate else acceleration(),
    }
    inside = [sys.executable, "-m", "holdfast_lab.enclosure", "--inside", *command]
    # Whatever kills us ends unshare, and that ends its child, PID 1.
    unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--ipc", "--pid", "--fork", "--kill-child"]
    # Its own temporary folder, so that nothing is left of a run that was interrupted; short, for sockets' paths.
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        environment["TMPDIR"] = folder
        Path(folder).chmod(0o711)  # what others than root may open is below it, too
        world = subprocess.Popen([*unshare, "--mount-proc", "--", *inside], env=environment)
        # Ctrl-C reaches the whole group; the command inside decides what to do with it, and we wait for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: _kill_inside(world.pid))
        return world.wait() % 256


def _kill_inside(unshare: int) -> None:
    """Kill PID 1 of the enclosure; unshare, which blocks SIGTERM (util-linux 2.38), ends when all inside is gone."""
    for child in Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


def lab_folder() -> str:
    """Where the lab puts its folders, with a path as short as can be: sockets in them have 108 bytes."""
    return tempfile.gettempdir() if enclosed() else "/tmp"


def private_world() -> None:
    """What an enclosure, and each host in it, has for itself: the authority for TPMs belongs to one user of swtpm."""
    private_dev()
    private_accounts()
    private_tpm_authority()


def private_dev() -> None:
    """Mount a /dev of our own over the machine's: without kvm unless it works."""
    wanted = [*_DEVICES, "kvm"] if os.environ[MARK] == "kvm" else _DEVICES
    run = functools.partial(subprocess.run, check=True)
    run(["mount", "--make-rprivate", "/"])
    with tempfile.TemporaryDirectory(prefix="holdfast-dev-") as folder:
        run(["mount", "-t", "tmpfs", "-o", "mode=755,size=1m", "dev", folder])
        for name in wanted:
            if Path("/dev", name).is_char_device():
                target = Path(folder, name)
                target.parent.mkdir(exist_ok=True)
                run(["cp", "-a", f"/dev/{name}", str(target)])
        for name in ("pts", "shm"):
            Path(folder, name).mkdir()
            run(["mount", "--rbind", f"/dev/{name}", f"{folder}/{name}"])
        for name, source in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
            Path(folder, name).symlink_to(f"/proc/self/fd{source}")
        run(["mount", "--rbind", folder, "/dev"])
        run(["umount", "-R", folder])


def private_accounts() -> None:
    """Give libvirt the accounts it looks up even when told to use root (libvirt 9.0; Debian's package makes them).

    And a user who is nobody in particular (:mod:`holdfast_lab.ordinary_user`).
    """
    accounts = {
        "/etc/passwd": [
            "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin",
            f"{ORDINARY}:x:64058:64058::{ORDINARY_HOME}:/bin/sh",
        ],
        "/etc/group": ["libvirt-qemu:x:64055:", "kvm:x:64056:", "libvirt:x:64057:", f"{ORDINARY}:x:64058:"],
    }
    for file, entries in accounts.items():
        lines = Path(file).read_text().splitlines()
        names = {line.split(":")[0] for line in lines}
        missing = [entry for entry in entries if entry.split(":")[0] not in names]
        if missing:
            with tempfile.NamedTemporaryFile("w", prefix="holdfast-accounts-") as copy:
                copy.write("\n".join([*lines, *missing, ""]))
                copy.flush()
                Path(copy.name).chmod(0o644)
                subprocess.run(["mount", "--bind", copy.name, file], check=True)


def private_tpm_authority() -> None:
    """Hide the machine's own certificate authority for TPMs: swtpm_setup would make one and keep it there."""
    folder = Path("/var/lib/swtpm-localca")
    if folder.is_dir():
        owner = folder.stat()
        options = f"mode=750,uid={owner.st_uid},gid={owner.st_gid},size=1m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tpm", str(folder)], check=True)


def _inside(command: list[str]) -> int:
    """Be PID 1 of the enclosure: start the command and reap everything until it ends."""
    private_world()
    # libvirt locks a console's terminal there; a container may have an empty /run.
    Path("/run/lock").mkdir(parents=True, exist_ok=True)
    payload = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: payload.send_signal(signal.SIGTERM))
    return reap_until_exit(payload)


def reap_until_exit(payload: subprocess.Popen[bytes]) -> int:
    """As PID 1: wait for whatever ends, libvirt's daemonized QEMUs too; return the payload's exit status."""
    while True:
        pid, status = os.wait()
        if pid == payload.pid:
            return os.waitstatus_to_exitcode(status) % 256


if __name__ == "__main__":
    option, *rest = sys.argv[1:] or [""]
    if option == "--inside":
        sys.exit(_inside(rest))
    sys.exit(enclose(rest, emulate=True) if option == "--emulate" else enclose(sys.argv[1:]))
