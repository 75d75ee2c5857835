"""``<rng>``: the guest's source of random numbers."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "rng",
    guest=f"@model {virtio.OPTIONS}",
    host="backend/** rate@bytes,period",
    identity="alias address content only",
)
