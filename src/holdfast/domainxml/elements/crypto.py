"""``<crypto>``: a processor for cryptography (libvirt 9.2)."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "crypto",
    guest=f"@model @type backend@model,queues {virtio.OPTIONS}",
    identity="alias address content only",
)
"""What the device can compute is what its backend can."""
