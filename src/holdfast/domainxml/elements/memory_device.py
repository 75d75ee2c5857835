"""``<memory>`` among the devices: a memory module (dimm, nvdimm, virtio-mem, virtio-pmem, sgx-epc)."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Note, Sides, View

_BASE = "target/address@base"


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """The address of virtio memory is chosen at each start, and named in live only (libvirt 11.3; in 9.0 nowhere)."""
    if (_BASE in one.guest) != (_BASE in other.guest):
        one.drop(_BASE)
        other.drop(_BASE)
    yield from ()


SIDES = Sides(
    "memory",
    guest=f"""
        @model uuid {virtio.OPTIONS}
        target/size target/size@unit target/requested target/requested@unit target/block target/block@unit
        target/node target/label/size target/label/size@unit target/readonly target/address@base
    """,
    host="@access @discard source/** target/current target/current@unit target@dynamicMemslots",
    identity="alias uuid address@type+address@bus+address@slot",
    reconcile=_reconcile,
)
"""A DIMM is identified by its slot: the base address is chosen at each start and named in live only."""
