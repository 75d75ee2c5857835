"""``<shmem>``: memory that a guest shares with other guests or with a program of the host."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "shmem",
    guest="model@type size size@unit msi@vectors",
    host="@name @role server@path msi@ioeventfd",
    identity="alias @name",
)
