"""``<watchdog>``: it acts when a guest hangs. Every q35 has an iTCO one inside, which newer libvirt (10.0) names."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "watchdog",
    guest="@model",
    management="@action",
    identity="alias only",
    unseen="@model=itco",
)
