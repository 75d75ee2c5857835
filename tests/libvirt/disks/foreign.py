"""Images that somebody else made, and what their headers lead to."""

from __future__ import annotations

import subprocess
from pathlib import Path

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, DomainSpec

MIB = 1024 * 1024
SECRET = b"only root reads this".ljust(MIB, b"\n")


def qemu_img(*arguments: str) -> str:
    return subprocess.run(["qemu-img", *arguments], check=True, capture_output=True, text=True).stdout


def secret(folder: Path) -> Path:
    path = folder / "secret"
    path.write_bytes(SECRET)
    return path


def evil_vmdk(folder: Path) -> Path:
    """The image of the issue: a description whose extent is a file of the host."""
    path = folder / "evil.vmdk"
    path.write_text(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        f'createType="monolithicFlat"\nRW 2048 FLAT "{secret(folder)}" 0\nddb.adapterType = "ide"\n'
    )
    return path


def create(connection: Connection, *disks: DiskSpec, start: bool = False) -> object:
    spec = DomainSpec(memory=64 * MIB, disks=disks, graphics="none")
    return operations.create_domain(connection, "a", spec, start=start)
