"""``<audio>``: where the sound goes on the host. The guest has a ``<sound>`` device."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "audio",
    host="""
        @id @type @driver @dspPolicy @exclusive @path @runtimeDir @serverName @timerPeriod @tryMMap input/** output/**
    """,
    unseen="*",
)
