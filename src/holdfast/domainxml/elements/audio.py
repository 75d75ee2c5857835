"""``<audio>``: where the sound of a ``<sound>`` card goes on the host. The guest sees nothing of it."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "audio",
    host="""
        @id @type @driver @dspPolicy @exclusive @path @runtimeDir @serverName @timerPeriod @tryMMap input/** output/**
    """,
    unseen="*",
)
