"""``<watchdog>``. Every q35 has an iTCO one inside; newer libvirt (seen: 10.0) only begins to name it."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "watchdog",
    guest="@model",
    management="@action",
    identity="alias only",
    unseen="@model=itco",
)
