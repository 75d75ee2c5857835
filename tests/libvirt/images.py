"""qcow2 images of tests: made, written and read without a guest."""

from __future__ import annotations

import subprocess
from pathlib import Path

from holdfast.hostfiles.images import new_image
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.images.internal_snapshot import internal_snapshots


def create_image(path: str, format: str, size: int) -> None:
    """An empty image of ``size`` bytes."""
    subprocess.run(["qemu-img", "create", "-q", "-f", format, path, str(size)], check=True)


def virtual_size(path: str, format: str) -> int:
    """The bytes that a guest has of an image."""
    with open_for_qemu_img(path, format, None) as image:
        return new_image.virtual_size(image)


def qcow2(folder: Path, name: str, mark: int = 0) -> Path:
    """A qcow2 image of 1 MiB whose first bytes are ``mark``."""
    path = folder / f"{name}.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1M"], check=True)
    if mark:
        write(path, mark)
    return path


def qcow2_disk(path: Path, target: str = "vda", extra: str = "") -> str:
    """A disk element on a qcow2 image."""
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
        f"<target dev='{target}' bus='virtio'/>{extra}</disk>"
    )


def write(path: Path, mark: int) -> None:
    """Write ``mark`` into the first bytes of an image that no QEMU has open."""
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -q -P {mark} 0 4k", str(path)], check=True)


def mark_of(path: Path, format: str = "qcow2") -> int:
    """The first byte of an image."""
    command = ["qemu-io", "-r", "-U", "-f", format, "-c", "read -v 0 1", str(path)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(shown.split()[1], 16)


def tags(path: Path) -> list[str]:
    """The names of the internal snapshots of an image, as qemu-img lists them; checked against our own reading."""
    shown = subprocess.run(["qemu-img", "snapshot", "-U", "-l", str(path)], check=True, capture_output=True, text=True)
    names = [line.split()[1] for line in shown.stdout.splitlines()[2:]]
    assert names == list(internal_snapshots(str(path)).values())
    return names
