"""``<shmem>``: memory shared with other guests."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "shmem",
    guest="model@type size size@unit msi@vectors",
    host="@name @role server@path msi@ioeventfd",
    identity="alias @name",
)
