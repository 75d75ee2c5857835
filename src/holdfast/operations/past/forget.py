"""Forgetting: the history of a domain goes for good, once libvirt does not have the domain any more."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from holdfast.errors import NotFound
from holdfast.errors.domains import READ_ONLY
from holdfast.errors.history import FORGET_OF_KNOWN, NO_ENTRIES
from holdfast.history.entry import Entry
from holdfast.history.repository import Repository
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.history_place import history_place
from holdfast.operations.past.log import uuid_of
from holdfast.operations.past.moment import age_in
from holdfast.operations.results import Result


@dataclass(frozen=True, kw_only=True)
class Forgotten(Result):
    """The history of a deleted domain that is gone.

    ``last``  when its last entry was made, in ISO 8601
    """

    last: str


def forget_history(
    connection: Connection, name: str | None = None, *, older_than: str | None = None, dry_run: bool = False
) -> tuple[Forgotten, ...]:
    """Remove the history of the deleted domain ``name``, or of all whose deletion was recorded longer ago than that.

    ``older_than`` is "90 days" or "5 years". What was copied elsewhere stays there.

    Raises FORGET_OF_KNOWN for a domain that libvirt has, READ_ONLY, NO_ENTRIES, SEVERAL_HAD_NAME, NOT_AN_AGE, and what
    is wrong with the history. (virConnectListAllDomains)
    """
    age = None if older_than is None else age_in(older_than)
    if connection.readonly and not dry_run:
        raise READ_ONLY(name=name or "a history", uri=connection.uri)
    with Repository(history_place(connection)) as repository:
        if name is not None:
            found = _named(connection, repository, name)
        else:
            assert age is not None
            found = _old(connection, repository, age)
        return _forget(repository, found, dry_run)


def forget_older(connection: Connection, repository: Repository, age: timedelta) -> tuple[Forgotten, ...]:
    """Remove the histories of domains whose deletion was recorded longer ago than ``age``; not while writing."""
    return _forget(repository, _old(connection, repository, age), False)


def _named(connection: Connection, repository: Repository, name: str) -> dict[str, Entry]:
    uuid = uuid_of(connection, repository, name)
    with suppress(NotFound):
        raise FORGET_OF_KNOWN(name=connection.find_domain(uuid).name)
    last = repository.last(uuid)
    if last is None:
        raise NO_ENTRIES(folder=repository.folder, name=name)
    return {uuid: last[0]}


def _old(connection: Connection, repository: Repository, age: timedelta) -> dict[str, Entry]:
    """A domain of whose end there is no entry yet may have been undefined a moment ago."""
    known = {domain.uuid for domain in connection.domains()}
    before = datetime.now(UTC) - age
    lasts = {uuid: last[0] for uuid in repository.uuids() if uuid not in known and (last := repository.last(uuid))}
    return {uuid: last for uuid, last in lasts.items() if last.is_end and datetime.fromisoformat(last.time) < before}


def _forget(repository: Repository, found: dict[str, Entry], dry_run: bool) -> tuple[Forgotten, ...]:
    gone = list(found) if dry_run else repository.forget(found) if found else []
    return tuple(Forgotten(name=found[uuid].name, uuid=uuid, dry_run=dry_run, last=found[uuid].time) for uuid in gone)
