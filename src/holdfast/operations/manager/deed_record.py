"""For a manager that records by itself what it did to a domain: from texts, so that it can do so when it has time."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.describe.given_at_start import given_at_start
from holdfast.domainxml.document import parse
from holdfast.history.entry import EntryKind
from holdfast.history.repository import HistoryPlace, Repository
from holdfast.hostfiles.history_folder import history_is_there
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.change_record import ManagerAct, add_entry, kept_document, past_document, record_found
from holdfast.operations.history_place import history_place

__all__ = ["Deed", "HistoryPlace", "ManagerAct", "is_kept", "place_of_history", "record_deed", "record_met"]


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What a manager has done to a domain.

    ``uuid``    the domain's
    ``act``     what it did, and for whom
    ``before``  the config document with its secrets before that; None where there was no domain
    ``after``   likewise after it; None where it is gone
    ``live``    what it runs with, where this was a start; else None
    """

    uuid: str
    act: ManagerAct
    before: str | None
    after: str | None
    live: str | None = None


def place_of_history(connection: Connection) -> HistoryPlace | None:
    """Where the history of the domains of ``connection`` belongs; None for a libvirt elsewhere."""
    return None if connection.history_folder is None else history_place(connection)


def is_kept(place: HistoryPlace) -> bool:
    """True where a history is kept at ``place``: somebody has made its folder."""
    return history_is_there(place.folder)


def record_met(place: HistoryPlace, uuid: str, config: str) -> None:
    """Record the config document that a manager meets before it does something, where others have changed it.

    Raises what is wrong with the history: HISTORY_NOT_SET_UP, HISTORY_FOLDER, HISTORY_BUSY, HISTORY_UNUSABLE.
    """
    with Repository.made(place) as repository, repository.writing():
        record_found(repository, ManagerAct(), uuid, parse(config))


def record_deed(place: HistoryPlace, deed: Deed) -> None:
    """Record what a manager has done: nothing where the document is as it was, and this was no start.

    What somebody else has recorded meanwhile as found is the manager's all the same, and is recorded as that. Raises
    what :func:`record_met` does.
    """
    with Repository.made(place) as repository, repository.writing():
        last = repository.last(deed.uuid)
        if last is not None and last[0].is_end:
            last = None
        if deed.after is None:
            if last is not None:
                document = past_document(last[1], repository.folder)
                add_entry(repository, deed.act, deed.uuid, EntryKind.DELETED, document, document, last[1])
            return
        after = parse(deed.after)
        kept = kept_document(after)
        if last is not None and last[1] != kept:
            before: str | None = last[1].document
        elif last is None or deed.before != deed.after or deed.live is not None:
            before = deed.before
        else:
            return
        started = {} if deed.live is None else given_at_start(parse(deed.live))
        known = None if before is None else parse(before)
        add_entry(repository, deed.act, deed.uuid, EntryKind.CHANGED, known, after, kept, started)
