"""``<hub>``: a USB hub."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "hub",
    guest="@type",
    identity="alias address content",
)
