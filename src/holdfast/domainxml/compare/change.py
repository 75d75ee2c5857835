"""One difference between two documents as the guest sees it: as a value, as a sentence and as a JSON object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from holdfast.json_value import Json
from holdfast.text import HIDDEN, printable, shortened


class ChangeKind(StrEnum):
    """What became of a part of the hardware from one document to the other; docs/guest-view.md explains each kind."""

    MOVED = "moved"
    REPLACED = "replaced"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    COSMETIC = "cosmetic"


@dataclass(frozen=True)
class Change:
    """One change; ``str()`` gives the sentence.

    ``what``     the thing that changes, as a person names it: "disk vdb", "memory"
    ``where``    the path below <domain>, in libvirt's own words: "devices/disk/driver@queues"
    ``before``, ``after``  the two values; None where a document gives none, HIDDEN for one that is secret
    ``unknown``  true when Holdfast does not know this path, so that it counts as seen by the guest
    """

    kind: ChangeKind
    what: str
    where: str
    before: str | None
    after: str | None
    unknown: bool = False

    def __str__(self) -> str:
        sentence = printable(_SENTENCES[self.kind](self._shown))
        return f"{sentence} (unknown to Holdfast: counts as seen by the guest)" if self.unknown else sentence

    @property
    def _shown(self) -> Change:
        """The change with values, names and a path that are not too long to be read."""
        values = (None if value is None else shortened(value) for value in (self.before, self.after))
        return replace(
            self, what=shortened(self.what), where=shortened(self.where), before=next(values), after=next(values)
        )

    @property
    def words(self) -> str:
        """The sentence, without the remark that the guest does not see a cosmetic change."""
        return str(replace(self, kind=ChangeKind.CHANGED)) if self.kind is ChangeKind.COSMETIC else str(self)

    @property
    def is_visible(self) -> bool:
        """True when the guest sees the change, or might."""
        return self.kind is not ChangeKind.COSMETIC

    def to_json(self) -> dict[str, Json]:
        """The change as a JSON object, with its sentence; long values are shortened."""
        return {**asdict(self._shown), "kind": str(self.kind), "sentence": str(self)}


def visible(changes: Iterable[Change]) -> list[Change]:
    """Those of ``changes`` that the guest sees, or might: all but the cosmetic ones."""
    return [change for change in changes if change.is_visible]


def _item(change: Change) -> str:
    """The part of the thing that changes, in words: "disk vdb: driver queues"."""
    path = re.sub(r"^(devices/)?[^/@]+/?", "", change.where)
    words = re.sub(r"[/@]+(?![^\[]*\])", " ", path).strip()
    if not words and change.unknown and change.where.startswith("devices"):
        words = "text"
    return f"{change.what}: {words}" if words else change.what


def _changed(change: Change) -> str:
    item, before, after = _item(change), change.before, change.after
    if before is None and after == HIDDEN:
        return f"{item} is set {HIDDEN}"
    if after is None and before == HIDDEN:
        return f"{item} is no longer given {HIDDEN}"
    if before is None:
        return f"{item} is set to {after} (was not given)" if after else f"{item} is set (was not given)"
    if after is None:
        return f"{item} is no longer given (was {before})" if before else f"{item} is no longer given"
    if before == after == HIDDEN:
        return f"{item} is another one {HIDDEN}"
    return f"{item} is {after or 'empty'}, was {before or 'empty'}"


def _moved(change: Change) -> str:
    if change.after is None:
        return f"{change.what} may move: its place is left open, it was {change.before}"
    if change.before is None:
        return f"{change.what} may move: its place was left open, it is {change.after}"
    return f"{change.what} moved from {change.before} to {change.after}"


def _at(place: str | None) -> str:
    return f" at {place}" if place else ""


_SENTENCES: dict[ChangeKind, Callable[[Change], str]] = {
    ChangeKind.MOVED: _moved,
    ChangeKind.REPLACED: lambda c: f"{c.what} is replaced: {c.before} becomes {c.after}",
    ChangeKind.ADDED: lambda c: f"{c.what} is added{_at(c.after)}",
    ChangeKind.REMOVED: lambda c: f"{c.what} is removed{', it was' * bool(c.before)}{_at(c.before)}",
    ChangeKind.CHANGED: _changed,
    ChangeKind.COSMETIC: lambda c: f"{_changed(c)} (the guest does not see it)",
}
