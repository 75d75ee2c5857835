"""``<input>``: a keyboard, a mouse, a tablet, or an input device of the host."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "input",
    guest=f"@type @bus @model source@evdev {virtio.OPTIONS}",
    host="source/**",
    identity="alias address content",
)
"""Of a device of the host that is handed through (type 'passthrough', ``source@evdev``) the guest sees name and keys.
Of one whose events go to the guest's own keyboard or mouse (type 'evdev', ``source@dev``) it sees nothing.
"""
