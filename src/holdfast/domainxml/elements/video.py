"""``<video>``: a graphics card. How people see its picture is ``<graphics>``."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "video",
    guest=f"""
        model@type,ram,vram,vram64,vgamem model@heads=1 model@primary=no model@blob=off
        model/acceleration@accel2d=no model/acceleration@accel3d=no model/resolution@x,y driver@vgaconf
        {virtio.OPTIONS}
    """,
    host="driver@name model/acceleration@rendernode",
    identity="alias address content model@primary only",
)
