"""What a cold start would do to a guest: one sentence for each part of its machine, with a weight."""

from __future__ import annotations

from collections import Counter
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
    ``who``     the device that it is about, with whose name the sentence begins; "" else
    """

    effect: Effect
    part: str
    sentence: str
    unused: str = ""
    who: str = ""

    def __str__(self) -> str:
        return self.sentence

    @property
    def stops(self) -> bool:
        """True when the domain would not start."""
        return self.effect is Effect.BLOCKS

    @property
    def reason(self) -> str:
        """The sentence without the device, whose name can change while everything else stays."""
        return self.sentence.removeprefix(f"{self.who}: ")

    def to_json(self) -> dict[str, str]:
        """The outlook as a JSON object."""
        return {**asdict(self), "effect": str(self.effect)}


def newly_blocking(before: Iterable[Outlook], after: Iterable[Outlook]) -> list[str]:
    """What stops a start in ``after`` and did not in ``before``, in sentences, sorted.

    A device that only has another name than before stops nothing new.
    """
    was, becomes = ({each.sentence: each.reason for each in outlooks if each.stops} for outlooks in (before, after))
    renamed = Counter(reason for sentence, reason in was.items() if sentence not in becomes)
    found = []
    for sentence, reason in becomes.items():
        if sentence in was:
            continue
        renamed[reason] -= 1
        if renamed[reason] < 0:
            found.append(sentence)
    return sorted(found)


def differs(outlooks: Iterable[Outlook]) -> bool:
    """True when one of ``outlooks`` means that the guest would see a change, or would not start."""
    return any(outlook.effect in (Effect.BLOCKS, Effect.CHANGES) for outlook in outlooks)
