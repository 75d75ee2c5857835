"""What is done with a disk's image: beside the libvirt calls, and qemu-img, that do no more than the deed."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import holdfast
import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.operations.disks.spec import DiskSpec, Place

LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
MIB = 1 << 20
SIZE = 512 * MIB


def disk_image_cases(uri: str, folder: Path) -> Iterator[Case]:
    """Two domains with a disk of 512 MiB, all of it written, and a CD drive; running, then shut off."""
    ours, bare, numbers = holdfast.connect(uri), libvirt.open(uri), itertools.count()
    domains = {side: bare.defineXML(_document(side, folder)) for side in ("ours", "bare")}
    images = {side: folder / f"moved-{side}.img" for side in domains}
    for domain in domains.values():
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

    def bare_move(copy: Callable[[Path, Path], None]) -> Callable[[], None]:
        def move() -> None:
            old, new = images["bare"], folder / f"bare-{next(numbers)}.img"
            copy(old, new)
            old.unlink()
            images["bare"] = new

        return move

    def move() -> None:
        images["ours"] = folder / f"ours-{next(numbers)}.img"
        operations.move_disk(ours, "ours", "vda", Place(path=str(images["ours"])), delete_source=True)

    def job(_old: Path, new: Path) -> None:
        subprocess.run(["qemu-img", "create", "-q", "-f", "raw", new, str(SIZE)], check=True)
        flags = libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB | libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT
        domains["bare"].blockCopy("vda", _disk(new, "vda"), None, flags)
        while "ready='yes'" not in domains["bare"].XMLDesc(0):
            time.sleep(0.02)
        domains["bare"].blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)

    def convert(old: Path, new: Path) -> None:
        subprocess.run(["qemu-img", "create", "-q", "-f", "raw", new, str(SIZE)], check=True)
        # Not qemu-img's own choice, "unsafe": the old image goes when this one is on the disk.
        writeback = ["-n", "-t", "writeback", "-f", "raw", "-O", "raw"]
        subprocess.run(["qemu-img", "convert", *writeback, old, new], check=True)
        domains["bare"].updateDeviceFlags(_disk(new, "vda"), CONFIG)

    yield Case("move, running", bare_move(job), move, aim=1.1)

    media = [_image(folder / f"{name}.iso", MIB) for name in ("one", "two")]
    inserted = {side: itertools.cycle(media) for side in domains}

    def bare_insert() -> None:
        drive = _disk(next(inserted["bare"]), "sda", "cdrom")
        for flags in (LIVE, CONFIG):
            domains["bare"].updateDeviceFlags(drive, flags)

    def insert() -> None:
        medium = DiskSpec(path=str(next(inserted["ours"])), device="cdrom")
        operations.insert_medium(ours, "ours", "sda", medium)

    yield Case("insert a medium", bare_insert, insert)
    sizes = {side: itertools.count(SIZE + MIB, MIB) for side in domains}

    def bare_extend() -> None:
        domains["bare"].blockResize("vda", next(sizes["bare"]), libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    yield Case("extend, running", bare_extend, lambda: operations.extend_disk(ours, "ours", "vda", next(sizes["ours"])))
    for side, domain in domains.items():
        domain.destroy()
        subprocess.run(["truncate", "-s", str(SIZE), images[side]], check=True)
    yield Case("move, shut off", bare_move(convert), move, aim=1.1)
    for domain in domains.values():
        domain.undefine()
    for image in images.values():
        image.unlink()
    ours.close()
    bare.close()


def _image(path: Path, size: int) -> Path:
    path.write_bytes(b"\1" * size)
    return path


def _disk(path: Path, target: str, device: str = "disk") -> str:
    bus = {"disk": "virtio", "cdrom": "sata"}[device]
    return (
        f"<disk type='file' device='{device}'><driver name='qemu' type='raw'/><source file='{path}'/>"
        f"<target dev='{target}' bus='{bus}'/></disk>"
    )


def _document(side: str, folder: Path) -> str:
    disk = _disk(_image(folder / f"moved-{side}.img", SIZE), "vda")
    drive = _disk(_image(folder / "none.iso", MIB), "sda", "cdrom")
    return f"""<domain type='qemu'><name>{side}</name><memory unit='MiB'>64</memory>
<os><type machine='q35'>hvm</type></os><features><acpi/></features>
<devices><controller type='usb' model='none'/>{disk}{drive}<memballoon model='virtio'/></devices></domain>"""
