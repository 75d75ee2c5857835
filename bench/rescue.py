"""Rescue and leaving it, beside the bare calls on a document that somebody edited by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec

OURS, BARE = "domain-00000", "domain-00001"


def rescue_cases(ours: Connection, bare: libvirt.virConnect, folder: Path) -> Iterator[Case]:
    """On two domains, which are shut off before and after."""
    images = {name: folder / f"rescue-{name}.img" for name in (OURS, BARE)}
    for path in images.values():
        with path.open("wb") as file:
            file.truncate(1024 * 1024)
    medium = DiskSpec(path=str(images[OURS]), format="raw")
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images[BARE]}'/>"
        "<target dev='vdz' bus='virtio'/><boot order='1'/></disk></devices>"
    )

    def bare_rescue() -> None:
        config = bare.lookupByName(BARE).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        bare.createXML(config.replace("<boot dev='hd'/>", "").replace("</devices>", disk))

    def bare_unrescue() -> None:
        domain = bare.lookupByName(BARE)
        domain.destroy()
        domain.create()

    def rescue() -> None:
        operations.rescue(ours, OURS, medium)

    def both() -> None:
        rescue()
        bare_rescue()

    def off() -> None:
        for name in (OURS, BARE):
            bare.lookupByName(name).destroy()

    yield Case("rescue", bare_rescue, rescue, aim=1.1, after=off)
    yield Case(
        "unrescue", bare_unrescue, lambda: operations.unrescue(ours, OURS, start=True), 1.1, before=both, after=off
    )
