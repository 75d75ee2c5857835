"""``<sound>``: the sound card."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "sound",
    guest="@model codec@type",
    host="audio@id",
    identity="alias address content @model",
)
