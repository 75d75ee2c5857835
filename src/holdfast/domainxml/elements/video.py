"""``<video>``: a graphics card. How people see its picture is ``<graphics>``."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Note, Sides, View


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """Which device of QEMU the model virtio is has always been libvirt's choice; from 12.5 on it is written down."""
    if ("model@device" in one.guest) != ("model@device" in other.guest):
        one.drop("model@device")
        other.drop("model@device")
    yield from ()


SIDES = Sides(
    "video",
    guest=f"""
        model@type,device,ram,vram,vram64,vgamem model@heads=1 model@primary=no model@blob=off model@edid=on
        model/acceleration@accel2d=no model/acceleration@accel3d=no model/resolution@x,y driver@vgaconf
        {virtio.OPTIONS}
    """,
    host="driver@name model/acceleration@rendernode",
    identity="alias address content model@primary only",
    reconcile=_reconcile,
)
