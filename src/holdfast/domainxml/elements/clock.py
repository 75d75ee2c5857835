"""``<clock>``: the time that a guest starts with, and the timers it has."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "clock",
    guest="""
        @offset=utc @basis=utc @timezone @start timer[name]@present,tickpolicy,track,frequency,mode
        timer/catchup@threshold,slew,limit
    """,
    management="@adjustment",
    device=False,
)
"""``@adjustment``, of offset='variable', follows the clock that the guest itself sets while it runs."""
