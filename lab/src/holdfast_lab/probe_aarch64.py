"""What is different about the probe guest for ARM: where its parts come from, and how its disk boots.

All parts are Debian's packages for arm64, downloaded and unpacked, never installed. The disk boots by UEFI alone,
through systemd-boot: the kernel's command line stands in a file, and no tool for another architecture is needed.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from pathlib import Path

from holdfast_lab import errors
from holdfast_lab.packages import kernel_parts
from holdfast_lab.private_apt import PrivateApt

NO_MODULES = ("ahci",)
"""Those of the probe guest's modules that the kernel does not have: of USB and SATA it has no driver."""

COMMAND_LINE = "console=ttyAMA0 quiet rdinit=/init"

_KERNEL = "linux-image-cloud-arm64"
"""The package that depends on the current kernel's real package; the download is a third of linux-image-arm64's."""

_LOADER = "systemd-bootaa64.efi"
_ENTRY = f"title probe\nlinux /vmlinuz\ninitrd /initrd.gz\noptions {COMMAND_LINE}\n"


def why_no_arm_guest() -> str | None:
    """Why this machine cannot build the guest, in a sentence; None where it can."""
    system = platform.freedesktop_os_release()
    if system.get("ID") == "debian":
        return None
    return f"the ARM guest is made of Debian's packages, and this is {system.get('PRETTY_NAME')}"


def download(work: Path) -> Path:
    """The folder with kernel, busybox and boot loader as archives.

    Raises NO_ARM_PACKAGES when :func:`why_no_arm_guest` says so, NO_MIRROR and PACKAGES_NOT_DOWNLOADED.
    """
    if reason := why_no_arm_guest():
        raise errors.NO_ARM_PACKAGES(reason=reason)
    lists = work / "apt"
    lists.mkdir()
    apt = PrivateApt(lists, platform.freedesktop_os_release()["VERSION_CODENAME"], "arm64")
    (kernel,) = re.findall(r"Depends: (linux-image-\d\S+)", apt.run("apt-cache", "depends", _KERNEL))
    parts = kernel_parts(apt.run("apt-cache", "depends", kernel))
    return apt.download(kernel, *parts, "busybox-static", "systemd-boot-efi")


def write_disk(run: Callable[..., str], system: Path, result: Path, size: int) -> None:
    """Write ``disk.img`` of ``size`` bytes into ``result``: a FAT file system with the kernel and initramfs there.

    ``run`` runs a tool; the boot loader comes from ``system``.
    """
    disk = str(result / "disk.img")
    (loader,) = system.glob(f"**/{_LOADER}")
    entry = system / "probe.conf"
    entry.write_text(_ENTRY)
    run("mkfs.fat", "-C", "-F", "16", "-n", "PROBE", disk, str(size // 1024))
    run("mmd", "-i", disk, "::EFI", "::EFI/BOOT", "::loader", "::loader/entries")
    run("mcopy", "-i", disk, str(loader), "::EFI/BOOT/BOOTAA64.EFI")
    run("mcopy", "-i", disk, str(entry), "::loader/entries/probe.conf")
    run("mcopy", "-i", disk, str(result / "vmlinuz"), str(result / "initrd.gz"), "::")
