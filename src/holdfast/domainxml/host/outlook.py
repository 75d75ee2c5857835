"""What a cold start would do to a guest: one sentence for each thing, with its weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum


class Effect(StrEnum):
    """The weight of an outlook: only the first two mean that a cold start is not like the last one."""

    BLOCKS = "blocks"
    """It does not start at all."""
    CHANGES = "changes"
    """The guest sees something else."""
    UNKNOWN = "unknown"
    """Nobody can tell beforehand, or not from here."""
    NOTE = "note"
    """Nothing happens at this start, but it is worth knowing."""


@dataclass(frozen=True)
class Outlook:
    """One thing about a cold start. ``part`` is what it is about: "machine", "cpu", "firmware", "device" …"""

    effect: Effect
    part: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def to_json(self) -> dict[str, str]:
        """The outlook as a JSON object."""
        return {**asdict(self), "effect": str(self.effect)}


def differs(outlooks: Iterable[Outlook]) -> bool:
    """True when the guest would see something, or would not start."""
    return any(outlook.effect in (Effect.BLOCKS, Effect.CHANGES) for outlook in outlooks)
