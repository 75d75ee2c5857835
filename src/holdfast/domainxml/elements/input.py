"""``<input>``: a keyboard, a mouse, a tablet, or an input device of the host."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "input",
    guest=f"@type @bus @model {virtio.OPTIONS}",
    host="source/**",
    identity="alias address content",
)
