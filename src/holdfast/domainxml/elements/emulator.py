"""``<emulator>``: the program on the host that runs the guest, which sees nothing of where it is."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "emulator",
    host=".",
    unseen="*",
)
