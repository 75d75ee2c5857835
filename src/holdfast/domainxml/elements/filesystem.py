"""``<filesystem>``: a folder of the host, which the guest mounts by the name of its target."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "filesystem",
    guest=f"""
        @model @accessmode=passthrough @multidevs=default @fmode @dmode target@dir readonly boot@order,loadparm
        driver@type,queue space_hard_limit space_hard_limit@unit space_soft_limit space_soft_limit@unit
        idmap/uid@start,target,count idmap/gid@start,target,count {virtio.OPTIONS}
    """,
    host="@type source/** driver@format,wrpolicy binary/**",
    identity="alias target@dir",
)
