"""Looking at the history itself: what is wrong with it, and keeping what can be read of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.errors import HoldfastError
from holdfast.history.damage import damaged_lines, foreign_refs, mend
from holdfast.history.push_note import PushNote, push_notes
from holdfast.history.remote import Remote, shown_remote
from holdfast.history.repository import Repository
from holdfast.hostfiles.history_damage import left_files, remove_left_files, remove_strays, why_not_written
from holdfast.hostfiles.history_folder import said_as_unusable
from holdfast.hostfiles.history_settings import HistorySettings
from holdfast.hostfiles.state_copies.encryption import encrypted
from holdfast.hostfiles.state_copies.place import state_place
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.history_place import history_place, history_settings


@dataclass(frozen=True, kw_only=True)
class HistoryCheck:
    """How a history stands.

    ``folder``      where it is
    ``domains``     how many have a history
    ``wrong``       what is wrong, in sentences
    ``remote``      where it is pushed to, without a password; "" where none is set
    ``last_push``   when the last push there ended, in ISO 8601; "" where there was none
    ``not_pushed``  how many entries that push did not have
    """

    folder: str
    domains: int = 0
    wrong: tuple[str, ...] = ()
    remote: str = ""
    last_push: str = ""
    not_pushed: int = 0


@dataclass(frozen=True, kw_only=True)
class RepairedLine:
    """What was made of the history of one domain of which not everything could be read.

    ``uuid``   the domain's
    ``last``   the entry that it was cut back to, by its id; "" where none of it can be read
    ``lost``   what cannot be read, in sentences
    ``aside``  the refs under which the rest of what can be read is kept
    """

    uuid: str
    last: str
    lost: tuple[str, ...]
    aside: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HistoryRepair:
    """What a repair did.

    ``lines``    the domains' histories of which not everything could be read
    ``removed``  what killed processes had left, and what is neither a file nor a folder
    """

    lines: tuple[RepairedLine, ...] = ()
    removed: tuple[str, ...] = ()


def check_history(connection: Connection) -> HistoryCheck:
    """Say what is wrong with the history: nothing is changed. Raises NO_HISTORY_FOR."""
    place = history_place(connection)
    settings, wrong = HistorySettings(), list[str]()
    try:
        settings = history_settings(connection)
        wrong.extend(_wrong_settings(settings))
    except HoldfastError as error:
        wrong.append(error.message)
    remote = shown_remote(settings.remote)
    try:
        with Repository(place) as repository:
            wrong.extend(_wrong(repository))
            note = push_notes(repository).get(remote, PushNote(time=""))
            if note.failure:
                wrong.append(f"the last push failed: {note.failure}")
            domains, not_pushed = _counted(repository, note)
    except HoldfastError as error:
        return HistoryCheck(folder=str(place.folder), wrong=(*wrong, error.message), remote=remote)
    return HistoryCheck(
        folder=str(place.folder),
        domains=domains,
        wrong=tuple(wrong),
        remote=remote,
        last_push=note.time,
        not_pushed=not_pushed if remote else 0,
    )


def repair_history(connection: Connection) -> HistoryRepair:
    """Keep all of the history that can be read: lines are cut back to their last whole entry, the rest is set aside.

    What a remote has more, :func:`pull_history` brings back. Raises what is wrong with the history as a whole:
    NO_HISTORY_FOR, HISTORY_NOT_SET_UP, NO_HISTORY_YET, HISTORY_FOLDER, HISTORY_BUSY, HISTORY_UNUSABLE.
    """
    with Repository(history_place(connection)) as repository:
        with said_as_unusable(repository.folder):
            removed = remove_strays(repository.folder)
        damaged = damaged_lines(repository)
        with repository.writing():
            removed += remove_left_files(repository.folder)
            mended = mend(repository, damaged)
    return HistoryRepair(
        lines=tuple(
            RepairedLine(
                uuid=line.uuid,
                last=line.last,
                lost=tuple(f"{id[:8]}: {why}" if id else why for id, why in line.lost.items()),
                aside=line.aside,
            )
            for line in mended
        ),
        removed=tuple(path.relative_to(repository.folder).as_posix() for path in removed),
    )


def _wrong_settings(settings: HistorySettings) -> list[str]:
    """What is set and cannot be used. A remote is not spoken to: when it was last pushed to is said."""
    attempts: dict[str, Callable[[str], object]] = {
        settings.remote: Remote,
        settings.state: lambda place: state_place(place).copies(),
        settings.recipient: lambda recipient: encrypted(b"", recipient),
    }
    wrong = []
    for value, attempt in attempts.items():
        try:
            if value:
                attempt(value)
        except HoldfastError as error:
            wrong.append(error.message)
    return wrong


def _wrong(repository: Repository) -> list[str]:
    found = [
        f"of the domain {line.uuid} cannot be read: {id[:8] or 'its last entry'} ({why})"
        for line in damaged_lines(repository)
        for id, why in line.missing.items()
    ]
    if why := why_not_written(repository.folder):
        found.append(f"nothing can be recorded: {why}")
    found += [f"{name} is no ref of Holdfast's" for name in foreign_refs(repository)]
    found += [f"{path} was left by a process that was killed" for path in left_files(repository.folder)]
    return found


def _counted(repository: Repository, note: PushNote) -> tuple[int, int]:
    """How many domains have a history, and how many entries of theirs were not pushed."""
    uuids, more = repository.uuids(), 0
    for uuid in uuids:
        try:
            more += repository.entries_since(uuid, note.tips.get(uuid, ""))
        except HoldfastError:  # it is said what cannot be read
            continue
    return len(uuids), more
