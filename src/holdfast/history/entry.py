"""One entry of a domain's history, and the commit's message that says it: in words, and as JSON in a trailer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TRAILER = "Holdfast-Entry: "
_VERSION = 1


class EntryKind(StrEnum):
    """What an entry tells of."""

    FIRST_SEEN = "first seen"
    CHANGED = "changed"
    OUTSIDE = "outside Holdfast"
    DELETED = "deleted"
    MOVED = "moved to another host"
    GONE = "deleted outside Holdfast"


@dataclass(frozen=True)
class KeptDocument:
    """What is kept of a config document.

    ``document``  it, without secrets
    ``omitted``   where it has secrets, as XPaths into ``document``
    """

    document: str
    omitted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Happened:
    """What an entry says besides the document.

    ``kind``     whether Holdfast changed the document, or saw that others had
    ``name``     the domain's, then
    ``user``     who ran the program that wrote the entry: "root (sudo: anna)"
    ``command``  what was asked for, without secrets: "holdfast interface attach a --network quiet"; else the program
    ``changes``  what differs, as changes are in JSON; each has its sentence, which says whether the guest sees it
    ``host``     where nothing of that differs: what does on the host side, in words
    ``started``  what a start really gave the guest, by its name: "cpu", "firmware", "mtu of 52:54:00:…"
    ``made_on``  the host that wrote the entry: a domain that moves has entries of several; "" where it is not known
    ``asked``    where a manager did it: which one and for whom, by name: "manager", "request", "user", "project" …
    """

    kind: EntryKind
    name: str
    user: str
    command: str
    changes: tuple[Mapping[str, object], ...] = ()
    host: tuple[str, ...] = ()
    started: dict[str, str] = field(default_factory=dict)
    made_on: str = ""
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def by(self) -> str:
        """Who did it."""
        return "outside Holdfast" if self.kind in (EntryKind.OUTSIDE, EntryKind.GONE) else self.user

    @property
    def is_end(self) -> bool:
        """True where the domain is not there any more."""
        return self.kind in (EntryKind.DELETED, EntryKind.MOVED, EntryKind.GONE)

    @property
    def act(self) -> str:
        """What was done, in one line: what was asked for, or what was found."""
        return self.command if self.kind in (EntryKind.CHANGED, EntryKind.DELETED, EntryKind.MOVED) else str(self.kind)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What differs, and what a start gave, in sentences."""
        seen = (str(change["sentence"]) for change in self.changes)
        host = ["on the host side: " + "; ".join(self.host)] if self.host else []
        gone = [str(self.kind)] if self.kind in (EntryKind.DELETED, EntryKind.MOVED) else []
        started = (f"started with {name} {value}" for name, value in self.started.items())
        return (*self._asked(), *seen, *host, *gone, *started)

    def _asked(self) -> Iterator[str]:
        """Who asked the manager: "nova: request req-…, user …"."""
        if self.asked:
            manager, *rest = self.asked.items()
            yield f"{manager[1]}: {', '.join(f'{name} {value}' for name, value in rest)}"


@dataclass(frozen=True, kw_only=True)
class Entry(Happened):
    """An entry as the history has it.

    ``id``    of the commit, in 40 hexadecimal digits
    ``time``  when it was written, in ISO 8601
    """

    id: str
    time: str

    @property
    def short_id(self) -> str:
        """As much of the id as is shown."""
        return self.id[:8]


def message_of(uuid: str, happened: Happened) -> str:
    """The message of the commit that tells what ``happened`` to the domain ``uuid``."""
    sentences = happened.sentences
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    first = ": ".join((happened.act, *(f"{each}{more}" for each in sentences[:1])))
    on = f" on {happened.made_on}" if happened.made_on else ""
    by = f"{'written' if happened.by != happened.user else 'done'} by {happened.user}{on}: {happened.command}"
    said = {
        "version": _VERSION,
        "uuid": uuid,
        "kind": happened.kind,
        "name": happened.name,
        "user": happened.user,
        "command": happened.command,
        "changes": happened.changes,
        "host": happened.host,
        "started": happened.started,
        "made_on": happened.made_on,
        "asked": happened.asked,
    }
    return "\n".join((first, "", *sentences, *([""] if sentences else []), by, "", TRAILER + json.dumps(said), ""))


def entry_of(commit: str, time: str, message: str) -> Entry:
    """The entry that a commit with this ``message`` is. Raises ValueError where the message has no trailer of ours."""
    said = _trailer(message)
    try:
        return Entry(
            id=commit,
            time=time,
            kind=EntryKind(said["kind"]),
            name=str(said["name"]),
            user=str(said["user"]),
            command=str(said["command"]),
            changes=tuple({**change, "sentence": str(change["sentence"])} for change in said["changes"]),
            host=tuple(map(str, said["host"])),
            started=_words(said["started"]),
            made_on=str(said.get("made_on", "")),
            asked=_words(said.get("asked", {})),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the trailer of commit {commit} lacks {error}") from error


def _words(said: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in said.items()}


def told_uuid(message: str) -> str:
    """The domain of which the entry with this ``message`` is; "" where it does not say. Raises ValueError."""
    return str(_trailer(message).get("uuid", ""))


def _trailer(message: str) -> dict[str, Any]:
    lines = [line for line in message.splitlines() if line.startswith(TRAILER)]
    said = json.loads(lines[-1].removeprefix(TRAILER)) if lines else None
    if not isinstance(said, dict):
        raise ValueError(f"it has no line {TRAILER.strip()!r}")
    return said
