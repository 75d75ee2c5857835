"""What a cold start would do to a guest: one sentence for each part of its machine, with a weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum


class Effect(StrEnum):
    """The weight of an outlook. Only the first two mean that the guest would not start as it did before."""

    BLOCKS = "blocks"
    """The domain would not start at all."""
    CHANGES = "changes"
    """The guest would see a change."""
    UNKNOWN = "unknown"
    """Nobody can say before the start, or not from here."""
    NOTE = "note"
    """Nothing happens at this start, but something is worth knowing."""


@dataclass(frozen=True)
class Outlook:
    """One thing that a cold start would do.

    ``part``    what it concerns: "machine", "cpu", "firmware", "device" …
    ``unused``  the label of a device that nothing uses, and without which it would not come about; "" else
    """

    effect: Effect
    part: str
    sentence: str
    unused: str = ""

    def __str__(self) -> str:
        return self.sentence

    @property
    def stops(self) -> bool:
        """True when the domain would not start."""
        return self.effect is Effect.BLOCKS

    def to_json(self) -> dict[str, str]:
        """The outlook as a JSON object."""
        return {**asdict(self), "effect": str(self.effect)}


def differs(outlooks: Iterable[Outlook]) -> bool:
    """True when one of ``outlooks`` means that the guest would see a change, or would not start."""
    return any(outlook.effect in (Effect.BLOCKS, Effect.CHANGES) for outlook in outlooks)
