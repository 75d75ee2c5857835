"""Adopting a domain that others created, and releasing it: facts are recorded or removed, hardware is never touched.

Every operation works on a domain that was never adopted too. What an adopted one has beside it: its origin, its owner
and the roles of its disks, and from its next start on the CPU and firmware that it was started with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.domainxml import metadata
from holdfast.domainxml.metadata import Adopted, DiskRecord, fact, facts
from holdfast.domainxml.origin import disk_records, origin, owner
from holdfast.errors import Failed
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disk_record import record_disk
from holdfast.operations.documents import read
from holdfast.operations.record import forget_all, record


@dataclass(frozen=True)
class Adoption:
    """What is recorded of an adopted domain. ``already`` is true when it was adopted before: then nothing was done."""

    name: str
    origin: str
    owner: str
    since: str
    disks: tuple[DiskRecord, ...]
    already: bool
    dry_run: bool


def adopt_domain(connection: Connection, name: str, *, dry_run: bool = False) -> Adoption:
    """Record of the domain ``name`` where it came from, whose it is and what its disks are for.

    Only its ``<metadata>`` is written, running or not; a second adoption changes nothing. (virDomainSetMetadata)
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        documents = read(domain).all()
        document = next(iter(documents.values()))
        before = fact(document, Adopted)
        if before is not None:
            disks = tuple(facts(document, DiskRecord))
            return Adoption(domain.name, before.origin, before.owner, before.since, disks, True, dry_run)
        adopted, disks = adoption_of(origin(document), owner(document)), tuple(disk_records(document))
        if not dry_run:
            for definition, each in documents.items():
                for record_of_disk in disk_records(each):
                    record_disk(domain, record_of_disk, [definition])
            record(domain, adopted)
    return Adoption(domain.name, adopted.origin, adopted.owner, adopted.since, disks, False, dry_run)


def adoption_of(origin: str, owner: str = "") -> Adopted:
    """The fact that a domain is adopted as of now."""
    return Adopted(now(), origin, owner)


def now() -> str:
    """The time, as it is recorded (ISO 8601, UTC)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def release_domain(connection: Connection, name: str, *, dry_run: bool = False) -> None:
    """Remove everything Holdfast recorded of the domain ``name``; nothing else of it changes. (virDomainSetMetadata)

    Raises Failed when nothing is recorded.
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        definitions = read(domain).all()
        if not any(domain.metadata(metadata.URI, definition) for definition in definitions):
            raise Failed(f"the domain {domain.name!r} is not adopted: there is nothing to release")
        if not dry_run:
            forget_all(domain)
