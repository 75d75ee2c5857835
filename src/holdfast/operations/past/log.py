"""What was done to the hardware of a domain, or of all domains of a host: entry by entry, the last one first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from holdfast.errors import NotFound
from holdfast.errors.history import NO_ENTRIES, SEVERAL_HAD_NAME
from holdfast.history.entry import Entry
from holdfast.history.repository import Repository
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.history_place import history_place
from holdfast.operations.past.moment import moment_in

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class LoggedChange(Entry):
    """An entry of a log.

    ``uuid``   of the domain; its ``name`` may have been another one then
    ``patch``  how the document's text differs from that of the entry before, as ``diff -u`` writes it; "" unless it was
               asked for
    """

    uuid: str
    patch: str = ""


def log_domain(
    connection: Connection, name: str, *, since: str | None = None, patch: bool = False
) -> tuple[LoggedChange, ...]:
    """The entries of the domain ``name``, by name or UUID; of one that was deleted as well.

    ``since`` is "2 days ago" (minutes, hours, days, weeks), "2026-11-30" or "2026-11-30 14:05". Raises NO_HISTORY_FOR
    for a libvirt elsewhere, HISTORY_NOT_SET_UP, NO_HISTORY_YET, NO_ENTRIES, SEVERAL_HAD_NAME, NOT_A_TIME, and what else
    is wrong with the history: HISTORY_FOLDER, HISTORY_UNUSABLE.
    """
    begin = None if since is None else moment_in(since)
    with Repository(history_place(connection)) as repository:
        uuid = uuid_of(connection, repository, name)
        if repository.last(uuid) is None:
            raise NO_ENTRIES(folder=repository.folder, name=name)
        return tuple(_logged(repository, uuid, begin, patch))


def log_host(connection: Connection, *, since: str | None = None, patch: bool = False) -> tuple[LoggedChange, ...]:
    """The entries of all domains of the host, also of those that were deleted. Raises as :func:`log_domain` does."""
    begin = None if since is None else moment_in(since)
    with Repository(history_place(connection)) as repository:
        found = [each for uuid in repository.uuids() for each in _logged(repository, uuid, begin, patch)]
    return tuple(sorted(found, key=lambda change: change.time, reverse=True))


def uuid_of(connection: Connection, repository: Repository, name: str) -> str:
    """The UUID of the domain ``name``, which libvirt or only the history knows. Raises NO_ENTRIES, SEVERAL_HAD_NAME."""
    try:
        return connection.find_domain(name).uuid
    except NotFound:
        if _UUID.fullmatch(name):
            return name
    last = ((uuid, repository.last(uuid)) for uuid in repository.uuids())
    found = [uuid for uuid, entry in last if entry is not None and entry[0].name == name]
    if len(found) > 1:
        raise SEVERAL_HAD_NAME(name=name, uuids=found)
    if not found:
        raise NO_ENTRIES(folder=repository.folder, name=name)
    return found[0]


def _logged(repository: Repository, uuid: str, since: datetime | None, patch: bool) -> Iterator[LoggedChange]:
    entries = repository.entries(uuid)
    entry = next(entries, None)
    while entry is not None and (since is None or datetime.fromisoformat(entry.time) >= since):
        before = next(entries, None)
        text = _patch(repository, before, entry) if patch else ""
        yield LoggedChange(**vars(entry), uuid=uuid, patch=text)
        entry = before


def _patch(repository: Repository, before: Entry | None, after: Entry) -> str:
    old = "" if before is None else repository.kept(before).document
    new = repository.kept(after).document
    names = ("/dev/null" if before is None else before.short_id, after.short_id)
    return "\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm=""))
