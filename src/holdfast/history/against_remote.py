"""Comparing a history with its remote: which entries were rewritten, or are missing, on either side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from holdfast.history.entry import Entry
from holdfast.history.line import entries_from
from holdfast.history.remote import Remote
from holdfast.history.repository import Repository, entry_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dulwich.object_store import MemoryObjectStore
    from dulwich.objects import Commit, ObjectID


class Wrong(StrEnum):
    """What is wrong with an entry."""

    MISSING_HERE = "missing here"
    REWRITTEN_HERE = "rewritten here"
    MISSING_THERE = "missing at the remote"


@dataclass(frozen=True)
class WrongEntry:
    """An entry that one side has, and the other one had."""

    uuid: str
    wrong: Wrong
    entry: Entry


def wrong_entries(repository: Repository, remote: Remote, pushed: Mapping[str, str]) -> Iterator[WrongEntry]:
    """The entries that are not on both sides as they have to be; ``pushed`` are the last commits known to be there.

    One of this host that the remote has and this history has not was removed here, or rewritten where this history has
    another one of the same moment, or with the same entry before it. One that was pushed and is not there was removed
    there. Raises HISTORY_REMOTE, and what is wrong with the history.
    """
    from dulwich.object_store import MemoryObjectStore

    theirs = remote.tips()
    ours = {uuid: {entry.id: commit for commit, entry in _line(repository, uuid)} for uuid in repository.uuids()}
    # What is here to its end needs no look; the rest is fetched whole, into memory: what is here is not believed.
    unknown = [uuid for uuid, tip in theirs.items() if not _has(repository, uuid, tip)]
    objects = MemoryObjectStore()
    fetched = remote.fetch(unknown, [], repository.commit, objects) if unknown else {}
    for uuid in sorted({*theirs, *ours}):
        here = ours.get(uuid, {})
        if uuid in fetched:
            there = dict(_entries_in(objects, fetched[uuid]))
        else:
            there = dict(_entries_in(repository.objects, theirs[uuid])) if uuid in theirs else {}
        yield from _of_line(repository, uuid, here, there, pushed.get(uuid, ""))


def _of_line(
    repository: Repository, uuid: str, here: Mapping[str, Commit], there: Mapping[str, Commit], pushed: str
) -> Iterator[WrongEntry]:
    others = [commit for id, commit in here.items() if id not in there]
    moments = {commit.author_time for commit in others}
    earlier = {tuple(commit.parents) for commit in others}
    for id, commit in there.items():
        if id not in here and (entry := _told(commit)) is not None and repository.is_of_here(entry):
            rewritten = commit.author_time in moments or tuple(commit.parents) in earlier
            yield WrongEntry(uuid, Wrong.REWRITTEN_HERE if rewritten else Wrong.MISSING_HERE, entry)
    if pushed and others:
        before = dict(_entries_in(repository.objects, cast("ObjectID", pushed.encode())))
        for id in before.keys() & here.keys():
            if id not in there:
                yield WrongEntry(uuid, Wrong.MISSING_THERE, entry_in(here[id]))


def _told(commit: Commit) -> Entry | None:
    """The entry that a commit of the remote is; None for what somebody has put there that is none."""
    try:
        return entry_in(commit)
    except (ValueError, OverflowError, OSError, RecursionError):
        return None


def _line(repository: Repository, uuid: str) -> Iterator[tuple[Commit, Entry]]:
    with repository.told_as_unusable():
        tip = repository.tip(uuid)
        for commit in () if tip is None else entries_from(repository.commit, [tip]):
            yield commit, entry_in(commit)


def _has(repository: Repository, uuid: str, tip: ObjectID) -> bool:
    from holdfast.history.exchange import is_in_line

    last = repository.tip(uuid)
    return last is not None and is_in_line(repository, last, tip)


def _entries_in(objects: MemoryObjectStore | object, tip: ObjectID) -> Iterator[tuple[str, Commit]]:
    store = cast("Mapping[ObjectID, Commit]", objects)
    try:
        for commit in entries_from(lambda id: store[id], [tip]):
            yield commit.id.decode(), commit
    except (KeyError, AttributeError):  # not here any more: what was pushed was removed; or no commit
        return
