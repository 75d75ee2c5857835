"""Bringing a history and its remote together: nothing of either is rewritten, and what both have is joined.

The network is spoken to without the lock of the history: that is held for each line alone, to let it go on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError
from holdfast.errors.history import HISTORY_REMOTE, REMOTE_KEEPS_MOVING
from holdfast.history.entry import told_uuid
from holdfast.history.line import commits_from, joining
from holdfast.history.remote import Remote
from holdfast.history.repository import Repository, entry_in

if TYPE_CHECKING:
    from dulwich.objects import ObjectID

_TRIES = 6


class Became(StrEnum):
    """What became of a domain's line when the one of the remote was taken into it."""

    NOTHING = "as it was"
    NEW = "new here"
    LONGER = "longer"
    JOINED = "joined"


@dataclass
class Taken:
    """What a history took of its remote.

    ``became``   the domain → what became of its line; not those that stayed as they were
    ``refused``  the domain → why its line was not taken
    """

    became: dict[str, Became] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class Sent:
    """What a history gave to its remote.

    ``tips``     the last commit of each line that the remote has as it is here
    ``sent``     the domains whose line was not there before, or shorter
    ``taken``    what was taken of it first, where it had entries that were not here
    ``refused``  the domain → why the remote did not take its line
    """

    tips: dict[str, ObjectID] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    taken: Taken = field(default_factory=Taken)
    refused: dict[str, str] = field(default_factory=dict)


def pull(repository: Repository, remote: Remote, uuids: Container[str] | None = None) -> Taken:
    """Take all lines of ``remote``, or those of ``uuids``. Raises HISTORY_REMOTE, and what is wrong with the history.

    Where they cannot be had together, as one of them is damaged there, each is taken by itself.
    """
    theirs = {uuid: tip for uuid, tip in remote.tips().items() if uuids is None or uuid in uuids}
    wanted = [uuid for uuid, tip in theirs.items() if not is_in_line(repository, repository.tip(uuid), tip)]
    taken = Taken()
    try:
        _take(repository, remote, wanted, taken)
    except HoldfastError as error:
        if error.code != HISTORY_REMOTE.code or len(wanted) < 2:
            raise
        for uuid in wanted:
            try:
                _take(repository, remote, [uuid], taken)
            except HoldfastError as of_one:
                taken.refused[uuid] = of_one.message
        if len(taken.refused) == len(wanted):  # it is not the lines
            raise
    for uuid in wanted:  # a ref whose commit is not there is left out without a word by some that serve it
        if uuid not in taken.refused and not is_in_line(repository, repository.tip(uuid), theirs[uuid]):
            taken.refused[uuid] = "its last entry is not there"
    return taken


def push(repository: Repository, remote: Remote) -> Sent:
    """Give all lines to ``remote``, at once; where it has entries that are not here, they are joined first.

    Raises HISTORY_REMOTE, REMOTE_KEEPS_MOVING where others push all the time, and what is wrong with the history.
    """
    done = Sent()
    for attempt in range(_TRIES):
        if attempt > 1:
            time.sleep(random.uniform(0.1, 0.5) * attempt)
        sending = _Sending(repository, done.taken.refused)
        done.refused = remote.send(sending.choose, repository.objects)
        done.tips |= {uuid: tip for uuid, tip in sending.there.items() if uuid not in done.refused}
        done.sent |= sending.new - done.refused.keys()
        if not sending.behind and not done.refused:
            return done
        changed = _take(repository, remote, {*sending.behind, *done.refused}, done.taken)
        if not sending.behind and not changed and attempt:
            return done
    raise REMOTE_KEEPS_MOVING(remote=remote.name)


class _Sending:
    """What can be sent to a remote, once it is known what is there.

    ``there``   the lines that the remote has afterwards as they are here
    ``new``     those of them that it has not yet
    ``behind``  those of which it has entries that are not here
    """

    def __init__(self, repository: Repository, leaving_out: Container[str]) -> None:
        self._repository = repository
        self._leaving_out = leaving_out
        self.there: dict[str, ObjectID] = {}
        self.new: set[str] = set()
        self.behind: set[str] = set()

    def choose(self, theirs: Mapping[str, ObjectID]) -> dict[str, ObjectID]:
        """The lines to send, where the remote has ``theirs``."""
        ours = {uuid: tip for uuid, tip in self._repository.tips().items() if uuid not in self._leaving_out}
        self.there = {uuid: tip for uuid, tip in ours.items() if is_in_line(self._repository, tip, theirs.get(uuid))}
        self.new = {uuid for uuid, tip in self.there.items() if theirs.get(uuid) != tip}
        self.behind = ours.keys() - self.there.keys()
        return {uuid: self.there[uuid] for uuid in self.new}


def is_in_line(repository: Repository, last: ObjectID | None, commit: ObjectID | None) -> bool:
    """True where ``commit`` is in the line that ends with ``last``, or None."""
    if commit is None or last == commit:
        return True
    with repository.told_as_unusable():
        if last is None or commit not in repository.objects:
            return False
        return any(each.id == commit for each in commits_from(repository.commit, [last]))


def _take(repository: Repository, remote: Remote, uuids: Iterable[str], taken: Taken) -> bool:
    """Take the lines of ``uuids``, as far as they are what lines are; returns whether any is another now."""
    wanted, changed = sorted(uuids), False
    if not wanted:
        return changed
    have = [tip for uuid in wanted if (tip := repository.tip(uuid)) is not None]
    with repository.storing():
        theirs = remote.fetch(wanted, have, repository.commit, repository.objects)
    for uuid, tip in theirs.items():
        changed = take_line(repository, uuid, tip, taken) or changed
    return changed


def take_line(repository: Repository, uuid: str, tip: ObjectID, taken: Taken) -> bool:
    """Take the line of ``uuid`` that ends with ``tip``, whose objects are here; returns whether it is another now."""
    if why := _what_is_wrong(repository, uuid, tip):
        taken.refused[uuid] = why
        return False
    while (became := _join(repository, uuid, tip)) is None:
        pass
    if became is Became.NOTHING:
        return False
    taken.became[uuid] = became
    return True


def _join(repository: Repository, uuid: str, theirs: ObjectID) -> Became | None:
    """Let the line of ``uuid`` have what leads to ``theirs``; None where an entry was added meanwhile."""
    ours = repository.tip(uuid)
    go_on = partial(repository.continue_with, uuid, ours)
    if ours is not None and is_in_line(repository, ours, theirs):
        return Became.NOTHING
    with repository.told_as_unusable():
        both = ours is not None and not is_in_line(repository, theirs, ours)
        commit = joining(repository.commit, ours, theirs) if both and ours is not None else None
    with repository.writing():
        if commit is not None:
            return Became.JOINED if go_on(commit.id, commit) else None
        return (Became.NEW if ours is None else Became.LONGER) if go_on(theirs) else None


def _what_is_wrong(repository: Repository, uuid: str, tip: ObjectID) -> str:
    """Why what leads to ``tip`` cannot be the line of ``uuid``; "" where it can be.

    Everything must be there and readable, up to what is in the line already: whoever has written it may be anybody.
    """
    last = repository.tip(uuid)
    known = set() if last is None else {each.id for each in commits_from(repository.commit, [last])}
    try:
        for commit in commits_from(repository.commit, [tip]):
            if commit.id in known:
                continue
            if len(commit.parents) > 2:
                return f"commit {commit.id.decode()} has more than two parents"
            repository.check_in(commit)
            if len(commit.parents) == 2:
                continue
            entry_in(commit)
            if told_uuid(commit.message.decode(errors="replace")) not in ("", uuid):
                return f"commit {commit.id.decode()} is an entry of another domain"
    except Exception as error:  # noqa: BLE001 - whatever dulwich says of what somebody else has written
        return f"{type(error).__name__}: {error}"
    return ""
