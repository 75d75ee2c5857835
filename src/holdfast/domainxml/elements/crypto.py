"""``<crypto>``: a virtual processor for cryptography (libvirt ≥ 9.2)."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "crypto",
    guest=f"@model @type backend@model,queues {virtio.OPTIONS}",
    identity="alias address content only",
)
"""The backend is guest side: what it can compute is what the device can compute."""
