"""``<panic>``: the device by which a guest reports that it crashed."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "panic",
    guest="@model",
    identity="alias @model",
)
