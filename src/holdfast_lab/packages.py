"""The distribution's packages that the lab needs: the one list that scripts, the demo and the guest's build read.

``python3 packages.py`` (this file alone, with any Python) prints the names that are missing, one a line.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SYSTEM_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
"""PATH with the administrator's folders, which a user's own often lacks."""

PROBE_GUEST = {
    "busybox": "busybox-static",
    "depmod": "kmod",
    "mkfs.fat": "dosfstools",
    "mcopy": "mtools",
    "syslinux": "syslinux",
    "objcopy": "binutils",
    "/usr/lib/systemd/boot/efi/linuxx64.efi.stub": "systemd-boot-efi",
}
"""Command or file → package that brings it: what building the probe guest needs."""

LIBVIRT = {
    "libvirtd": "libvirt-daemon",
    "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so": "libvirt-daemon-driver-qemu",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
}
"""Command or file → package: what a private libvirt with guests needs. None of them starts a daemon."""

DEMO = {**LIBVIRT, **PROBE_GUEST}
"""All that ``holdfast demo`` and the guest tests need, besides Python packages."""


def missing(needed: dict[str, str] = DEMO) -> list[str]:
    """The packages of ``needed`` whose command or file is not here, sorted."""
    return sorted({package for thing, package in needed.items() if not _present(thing)})


def _present(thing: str) -> bool:
    return Path(thing).exists() if thing.startswith("/") else shutil.which(thing, path=SYSTEM_PATH) is not None


if __name__ == "__main__":
    print("".join(f"{package}\n" for package in missing()), end="")
