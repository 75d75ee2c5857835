"""Images that are made: with the record that a crash leaves, beside qemu-img and libvirt's own calls."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import holdfast
import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec


def storage_cases(uri: str, folder: Path) -> Iterator[Case]:
    """A domain with a new image, and a new image for a domain that is shut off."""
    folder = Path(tempfile.mkdtemp(dir=folder))  # each number of domains begins anew
    ours, bare, numbers = holdfast.connect(uri), libvirt.open(uri), itertools.count()
    document = operations.create_domain(ours, "new", DomainSpec(memory=64 << 20), dry_run=True).document

    def image(side: str) -> str:
        return str(folder / f"{side}-{next(numbers)}.qcow2")

    def make(path: str) -> str:
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"], check=True)
        return (
            f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
            f"<target dev='vda' bus='virtio'/></disk>"
        )

    def create() -> None:
        disk = DiskSpec(path=image("ours"), size=1 << 20)
        operations.create_domain(ours, "ours", DomainSpec(memory=64 << 20, disks=(disk,)))

    def define() -> None:
        text = document.replace("</devices>", make(image("bare")) + "</devices>")
        text = text.replace("<name>new<", "<name>bare<")
        bare.defineXML(text)

    def undefine() -> None:
        for name in ("ours", "bare"):
            bare.lookupByName(name).undefine()

    yield Case("create with an image", define, create, after=undefine)

    create()
    define()

    def attach() -> None:
        operations.attach_disk(ours, "ours", DiskSpec(path=image("ours"), size=1 << 20, target="vdb"))

    def bare_attach() -> None:
        disk = make(image("bare")).replace("vda", "vdb")
        bare.lookupByName("bare").attachDeviceFlags(disk, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    def detach() -> None:
        operations.detach_device(ours, "ours", "vdb")
        operations.detach_device(ours, "bare", "vdb")

    yield Case("attach a new image, config", bare_attach, attach, after=detach)
    undefine()
    ours.close()
    bare.close()
