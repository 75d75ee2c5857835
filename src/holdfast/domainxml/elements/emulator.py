"""``<emulator>``: the program on the host that runs the guest."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "emulator",
    unseen="*",
)
