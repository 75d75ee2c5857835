"""Adopting a domain that others created, and releasing it: facts are recorded or removed, hardware is never touched.

Every operation works on a domain that was never adopted too. What an adopted one has beside it: its origin, its owner
and the roles of its disks, and from its next start on the CPU and firmware that it was started with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from holdfast.domainxml import metadata
from holdfast.domainxml.metadata import Adopted, DiskRecord, Snapshotting, fact, facts, with_all
from holdfast.domainxml.records.disk_record import left_in_making
from holdfast.domainxml.records.origin import complete_records, origin, owner
from holdfast.errors import Failed, Refused
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.keep_record import refuse_while_moved
from holdfast.operations.facts import forget_all, record, rewrite
from holdfast.operations.session import Need, changing


@dataclass(frozen=True)
class Adoption:
    """What is recorded of an adopted domain, now or (``dry_run``) if it were adopted.

    ``already`` is true when it was adopted before, ``updated`` when the records of its ``disks`` were not all as they
    are now.
    """

    name: str
    origin: str
    owner: str
    since: str
    disks: tuple[DiskRecord, ...]
    already: bool
    updated: bool
    dry_run: bool


def adopt_domain(connection: Connection, name: str, *, dry_run: bool = False) -> Adoption:
    """Record of the domain ``name`` where it came from, whose it is and what its disks are for.

    Only its ``<metadata>`` is written, running or not. Adopting it again brings the records of its disks up to date,
    where somebody else attached or detached some: one is made for each that has none, and what names a disk that is
    not there goes. (virDomainSetMetadata)
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        documents = domain.documents.present
        document = next(iter(documents.values()))
        before = fact(document, Adopted)
        adopted = before or adoption_of(origin(document), owner(document))
        disks = complete_records(document)
        updated = set(disks) != set(facts(document, DiskRecord))
        if not dry_run:
            for definition, each in documents.items():
                rewrite(domain, partial(with_all, kind=DiskRecord, new=complete_records(each)), definition)
            record(domain, adopted)
    return Adoption(
        name=domain.name,
        origin=adopted.origin,
        owner=adopted.owner,
        since=adopted.since,
        disks=tuple(disks),
        already=before is not None,
        updated=updated,
        dry_run=dry_run,
    )


def adoption_of(origin: str, owner: str = "") -> Adopted:
    """The fact that a domain is adopted as of now."""
    return Adopted(now(), origin, owner)


def now() -> str:
    """The time, as it is recorded (ISO 8601, UTC)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def release_domain(connection: Connection, name: str, *, dry_run: bool = False) -> None:
    """Remove everything Holdfast recorded of the domain ``name``; nothing else of it changes. (virDomainSetMetadata)

    Raises Failed when nothing is recorded, Refused in rescue, and while that tells of an image which nobody
    else would know of.
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        documents = domain.documents.present
        if not any(domain.metadata(metadata.URI, definition) for definition in documents):
            raise Failed(f"the domain {domain.name!r} is not adopted: there is nothing to release")
        for document in documents.values():
            for disk in document.iterfind("devices/disk"):
                refuse_while_moved(domain, disk, documents.values())
            for left in left_in_making(document):
                raise Refused(
                    f"an image was being made for {left.target} of {domain.name!r} when something broke: {left.place}",
                    f"'holdfast disk detach {domain.name} {left.target}' removes it",
                )
            for entry in facts(document, Snapshotting):
                raise Refused(
                    f"the making of the snapshot {entry.snapshot!r} of {domain.name!r} was interrupted",
                    f"'holdfast snapshot delete {domain.name} {entry.snapshot}' removes what is left of it",
                )
        if not dry_run:
            forget_all(domain)
