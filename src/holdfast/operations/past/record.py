"""Recording in the history what others have changed: for a timer, and for whoever watches a host."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import parse
from holdfast.errors import Failed, NotFound
from holdfast.errors.domains import LOCKED
from holdfast.errors.history import RECORDED_READ_ONLY
from holdfast.history.repository import Repository
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.domain_list import inventory
from holdfast.operations.change_record import is_recorded, kept_document, record_found, record_gone, said_once
from holdfast.operations.history_place import history_place, history_settings, keeps_history
from holdfast.operations.past.forget import forget_older


@dataclass(frozen=True, kw_only=True)
class HostRecord:
    """What was recorded of a host.

    ``domains``   how many it has, transient ones not counted: they have no config document
    ``recorded``  the names of those that an entry was made for: they are new, or differed from their last one
    ``gone``      the names of those that libvirt does not know any more, of which that was recorded
    ``forgotten`` the names of those whose history is gone, because they were deleted longer ago than it is to be kept
    ``skipped``   the names of those that a command of Holdfast is changing just now; it records them itself
    """

    domains: int
    recorded: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def record_host(connection: Connection) -> HostRecord:
    """Record what others have changed of the config documents of all domains, or undefined; see :class:`HostRecord`.

    The history of a domain that was deleted longer ago than its settings say (``keep``) is removed.

    Raises RECORDED_READ_ONLY over a connection that gives no secrets, and what is wrong with the history:
    NO_HISTORY_FOR, HISTORY_NOT_SET_UP, HISTORY_FOLDER, HISTORY_BUSY, HISTORY_UNUSABLE; with its settings, once all is
    recorded: SETTINGS_OF_OTHERS, SETTINGS_UNREADABLE, SETTING.
    (virConnectListAllDomains, virDomainGetXMLDesc)
    """
    if connection.readonly:
        raise RECORDED_READ_ONLY(uri=connection.uri)
    with Repository.made(history_place(connection)) as repository:
        domains = [each.domain for each in inventory(connection) if each.persistent]
        found = {domain.name: _record(repository, connection, domain) for domain in domains}
        with_history = repository.uuids()  # before the domains: one that is made meanwhile is not gone
        known = {domain.uuid for domain in connection.domains()}
        gone = [_record_gone(repository, connection, uuid) for uuid in with_history if uuid not in known]
        keep = history_settings(connection).keep
        forgotten = () if keep is None else forget_older(connection, repository, keep)
    return HostRecord(
        domains=len(domains),
        recorded=tuple(name for name, became in found.items() if became),
        gone=tuple(name for name in gone if name),
        forgotten=tuple(each.name for each in forgotten),
        skipped=tuple(name for name, became in found.items() if became is None),
    )


def record_seen(connection: Connection, domain: Domain) -> None:
    """Record what others have changed of ``domain``, where a history is kept; it never raises for that."""
    if keeps_history(connection):
        with said_once(), Repository.made(history_place(connection)) as repository:
            _record(repository, connection, domain)


def record_absent(connection: Connection, uuid: str) -> None:
    """Record that libvirt does not know a domain any more, where the history does not say so; it never raises."""
    with said_once(), Repository(history_place(connection)) as repository, repository.writing():
        record_gone(repository, connection, uuid)


def _record(repository: Repository, connection: Connection, domain: Domain) -> bool | None:
    """True where an entry was made, None where a command is at work on the domain."""
    try:
        text = domain.xml(Definition.CONFIG, secure=True)
        document = parse(text)
        kept = kept_document(document)
        if is_recorded(repository, domain.uuid, kept):
            return False
        with domain_lock(domain.uuid, domain.name, 0):
            now = domain.xml(Definition.CONFIG, secure=True)
            if now != text:
                document = parse(now)
                kept = kept_document(document)
            with repository.writing():
                return record_found(repository, connection, domain.uuid, document, kept)
    except NotFound:  # undefined since it was listed
        return False
    except Failed as error:
        if error.code != LOCKED.code:
            raise
        return None


def _record_gone(repository: Repository, connection: Connection, uuid: str) -> str:
    """The name of a domain whose end was recorded; "" where that was done already, or a command is at it."""
    last = repository.last_here(uuid)
    if last is None or last[0].is_end:
        return ""
    try:
        with domain_lock(uuid, last[0].name, 0), repository.writing():
            return record_gone(repository, connection, uuid)
    except Failed as error:
        if error.code != LOCKED.code:
            raise
        return ""
