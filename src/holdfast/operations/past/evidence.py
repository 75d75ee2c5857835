"""Whether the history is what it was: beside its remote, and beside the domains themselves."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import parse
from holdfast.errors import NotFound
from holdfast.errors.history import RECORDED_READ_ONLY
from holdfast.history.against_remote import wrong_entries
from holdfast.history.entry import Entry
from holdfast.history.push_note import push_notes
from holdfast.history.remote import Remote
from holdfast.history.repository import Repository
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.domain_list import inventory
from holdfast.operations.change_record import is_recorded, kept_document
from holdfast.operations.history_place import history_place
from holdfast.operations.past.off_host import remote_of


@dataclass(frozen=True, kw_only=True)
class DoubtfulEntry:
    """An entry that is not on both sides as it has to be.

    ``uuid``   the domain's
    ``wrong``  "missing here", "rewritten here" or "missing at the remote"
    ``entry``  as the side has it that has it
    """

    uuid: str
    wrong: str
    entry: Entry


@dataclass(frozen=True, kw_only=True)
class HistoryVerification:
    """What is not as it has to be.

    ``remote``      what the history was compared with, without a password
    ``entries``     those that were rewritten, or are missing
    ``unrecorded``  the names of the domains whose config document is not as their last entry has it: others have
                    changed them, and it is not recorded yet
    """

    remote: str
    entries: tuple[DoubtfulEntry, ...] = ()
    unrecorded: tuple[str, ...] = ()


def verify_history(connection: Connection, remote: str | None = None) -> HistoryVerification:
    """Compare the history with ``remote``, by default the one that is set, and with the domains. Changes nothing.

    Raises RECORDED_READ_ONLY over a connection that does not tell where documents have secrets, and otherwise as
    :func:`pull_history` does.
    """
    if connection.readonly:
        raise RECORDED_READ_ONLY(uri=connection.uri)
    to = Remote(remote or remote_of(connection))
    with Repository(history_place(connection)) as repository:
        note = push_notes(repository).get(to.name)
        found = wrong_entries(repository, to, {} if note is None else note.tips)
        entries = tuple(DoubtfulEntry(uuid=each.uuid, wrong=str(each.wrong), entry=each.entry) for each in found)
        return HistoryVerification(remote=to.name, entries=entries, unrecorded=_unrecorded(connection, repository))


def _unrecorded(connection: Connection, repository: Repository) -> tuple[str, ...]:
    found = []
    for domain in [each.domain for each in inventory(connection) if each.persistent]:
        try:
            document = parse(domain.xml(Definition.CONFIG, secure=True))
        except NotFound:  # undefined since it was listed
            continue
        if not is_recorded(repository, domain.uuid, kept_document(document)):
            found.append(domain.name)
    return tuple(found)
