"""``<sound>``: a sound card. Where its sound goes on the host is ``<audio>``."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "sound",
    guest=f"@model @multichannel=no @streams codec@type {virtio.OPTIONS}",
    host="audio@id",
    identity="alias address content @model",
)
