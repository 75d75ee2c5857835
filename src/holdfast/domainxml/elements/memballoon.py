"""``<memballoon>``: the device by which the host asks the guest to give memory back."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "memballoon",
    guest=f"@model @autodeflate=off @freePageReporting=off {virtio.OPTIONS}",
    host="stats@period",
    identity="alias only",
)
