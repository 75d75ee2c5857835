"""``<pstore>``: memory in which a guest's kernel leaves its last messages before a crash (libvirt ≥ 10.8)."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "pstore",
    guest="@backend size size@unit",
    host="path",
    identity="alias only",
)
