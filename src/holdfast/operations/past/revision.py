"""What NAME@REV means: the document that a domain had at an entry of its history, to be looked at and compared.

REV is the id of an entry, as the log shows it; a moment in braces, {2 days ago}; or last-start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from holdfast.domainxml.document import Element, parse
from holdfast.errors import NotFound
from holdfast.errors.history import BEFORE_HISTORY, NO_ENTRIES, NO_SUCH_ENTRY, NOT_A_REVISION, SEVERAL_ENTRIES
from holdfast.history.entry import Entry, KeptDocument
from holdfast.history.repository import Repository
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.change_record import past_document
from holdfast.operations.history_place import history_place
from holdfast.operations.past.log import uuid_of
from holdfast.operations.past.moment import moment_in

_REVISION = r"((?P<id>[0-9a-f]{7,40})|(?P<start>last-start)|\{(?P<moment>.*)\})"
_PAST = re.compile(rf"(?P<name>.+)@{_REVISION}", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class PastDomain:
    """A domain as it was at an entry of its history.

    ``uuid``   the domain's
    ``entry``  the entry
    ``kept``   the config document of then, without its secrets, and where it had some
    """

    uuid: str
    entry: Entry
    kept: KeptDocument

    @property
    def document(self) -> Element:
        """The config document of then, without its secrets."""
        return parse(self.kept.document)


def past_domain(connection: Connection, name: str) -> PastDomain | None:
    """What ``name`` means where it is NAME@REV; None for any other, and where a domain itself has that name.

    Raises NO_ENTRIES, NO_SUCH_ENTRY, SEVERAL_ENTRIES, BEFORE_HISTORY, NOT_A_TIME, and what is wrong with the history.
    """
    said = _PAST.fullmatch(name)
    if said is None or _is_domain(connection, name):
        return None
    return _past(connection, said["name"], said)


def named_revision(connection: Connection, name: str) -> tuple[str, str]:
    """The domain and the revision in ``name``; the latter is "" where there is none or a domain has that name."""
    before, at, revision = name.rpartition("@")
    return (name, "") if not at or _is_domain(connection, name) else (before, revision)


def domain_at(connection: Connection, name: str, revision: str) -> PastDomain:
    """The domain ``name`` as it was at ``revision``, an id, "last-start" or "{2 days ago}".

    Raises NOT_A_REVISION, and else as :func:`past_domain` does.
    """
    said = re.fullmatch(_REVISION, revision, re.DOTALL)
    if said is None:
        raise NOT_A_REVISION(text=revision)
    return _past(connection, name, said)


def last_of(connection: Connection, name: str) -> PastDomain:
    """The last that the history has of the domain ``name``, which may be deleted.

    Raises NO_ENTRIES, SEVERAL_HAD_NAME, and what is wrong with the history.
    """
    with Repository(history_place(connection)) as repository:
        uuid = uuid_of(connection, repository, name)
        last = repository.last(uuid)
        if last is None:
            raise NO_ENTRIES(folder=repository.folder, name=name)
        return _readable(repository, PastDomain(uuid=uuid, entry=last[0], kept=last[1]))


def documents_before(connection: Connection, past: PastDomain) -> Iterator[Element]:
    """The documents that the domain had before that entry, without their secrets, the last one first."""
    with Repository(history_place(connection)) as repository:
        entries = repository.entries(past.uuid)
        next(entry for entry in entries if entry.id == past.entry.id)
        yield from (past_document(repository.kept(entry), repository.folder) for entry in entries)


def _past(connection: Connection, name: str, said: re.Match[str]) -> PastDomain:
    with Repository(history_place(connection)) as repository:
        uuid = uuid_of(connection, repository, name)
        entries = list(repository.entries(uuid))
        if not entries:
            raise NO_ENTRIES(folder=repository.folder, name=name)
        entry = _entry(name, said, entries)
        return _readable(repository, PastDomain(uuid=uuid, entry=entry, kept=repository.kept(entry)))


def _readable(repository: Repository, past: PastDomain) -> PastDomain:
    """``past`` itself. Raises HISTORY_UNUSABLE where it has no document."""
    past_document(past.kept, repository.folder, past.uuid)
    return past


def _is_domain(connection: Connection, name: str) -> bool:
    try:
        connection.find_domain(name)
    except NotFound:
        return False
    return True


def _entry(name: str, said: re.Match[str], entries: list[Entry]) -> Entry:
    """The one of ``entries`` of ``name``, of which the last one comes first, that is meant."""
    if said["moment"] is not None:
        moment = moment_in(said["moment"])
        found = [entry for entry in entries if datetime.fromisoformat(entry.time) <= moment][:1]
        if not found:
            first = datetime.fromisoformat(entries[-1].time).astimezone()
            raise BEFORE_HISTORY(name=name, revision=said["moment"], first=f"{first:%Y-%m-%d %H:%M:%S}")
    elif said["start"]:
        found = [entry for entry in entries if entry.started][:1]
    else:
        found = [entry for entry in entries if entry.id.startswith(said["id"])]
    if not found:
        raise NO_SUCH_ENTRY(name=name, revision=said["start"] or said["id"])
    if len(found) > 1:
        raise SEVERAL_ENTRIES(name=name, revision=said["id"])
    return found[0]
