"""``<vsock>``: sockets between guest and host, addressed by the guest's number, its CID."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Note, Sides, View


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """With auto='yes' config names no CID: libvirt takes a free one at each start, and names it in live."""
    numbers = value_at(before, "cid@address"), value_at(after, "cid@address")
    automatic = "yes" in (value_at(before, "cid@auto"), value_at(after, "cid@auto"))
    if automatic and None in numbers and numbers[0] != numbers[1]:
        one.drop("cid@address")
        other.drop("cid@address")
        yield "cid@address", numbers[0] or "any that is free", numbers[1] or "any that is free"


SIDES = Sides(
    "vsock",
    guest=f"@model cid@address {virtio.OPTIONS}",
    host="cid@auto",
    identity="alias only",
    reconcile=_reconcile,
)
