"""``<devices><memory>``: memory modules (dimm, nvdimm, virtio-mem, virtio-pmem, sgx-epc)."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "memory",
    guest="""
        @model uuid
        target/size target/size@unit target/requested target/requested@unit target/block target/block@unit
        target/node target/label/size target/label/size@unit target/readonly
    """,
    host="@access @discard source/** target/current target/current@unit",
    identity="alias uuid address@type+address@bus+address@slot",
)
"""A dimm is known by its slot: the base address is resolved at each start and named in live only."""
