"""Adopting a domain that others created, and releasing it: facts are recorded or removed, hardware is never touched.

Every operation works on a domain that was never adopted too. What an adopted one has beside it: its origin, its owner
and the roles of its disks, and from its next start on the CPU and firmware that it was started with.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from holdfast.domainxml import metadata
from holdfast.domainxml.fact import Adopted, DiskRecord, SeenState, Snapshotting
from holdfast.domainxml.host.state_files import StateFile
from holdfast.domainxml.metadata import fact, facts, with_all, with_fact, without_facts
from holdfast.domainxml.records.disk_record import left_in_making
from holdfast.domainxml.records.origin import complete_records, origin, owner
from holdfast.errors.changes import IMAGE_LEFT, NOT_ADOPTED, SNAPSHOT_LEFT
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disks.keep_record import refuse_while_moved
from holdfast.operations.disks.known_files import record_below
from holdfast.operations.facts import forget_all, record_fact, rewrite
from holdfast.operations.own_state import lost_state, state_to_record
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing


@dataclass(frozen=True, kw_only=True)
class Adoption(Result):
    """What is recorded of an adopted domain.

    ``origin``   what made it: "virt-manager", "nova" …
    ``owner``    whose it is, where its maker has said so; else ""
    ``since``    when it was adopted (ISO 8601, UTC); in a dry run the time of that, unless it was adopted before
    ``disks``    the records of its disks
    ``already``  True when it was adopted before
    ``updated``  True when the records of its disks were not all as they are now
    ``fresh``    the NVRAM and TPM state that is lost, in words, and that the next start may make anew
    """

    origin: str
    owner: str
    since: str
    disks: tuple[DiskRecord, ...]
    already: bool
    updated: bool
    fresh: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Released(Result):
    """A release: nothing is recorded of the domain any more. It has no fields of its own."""


def adopt_domain(connection: Connection, name: str, *, fresh: Collection[str] = (), dry_run: bool = False) -> Adoption:
    """Record of the domain ``name`` where it came from, whose it is and what its disks are for.

    Only its ``<metadata>`` is written, running or not. Adopting it again brings the records of its disks up to date,
    where somebody else attached or detached some: one is made for each that has none, and what names a disk that is
    not there goes. NVRAM or TPM state that is lost, of the kinds in ``fresh`` ("nvram", "tpm"), is recorded no more:
    whoever starts the domain next lets it be made anew. (virDomainSetMetadata)
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        documents = domain.documents.present
        if domain.in_rescue:  # live has the rescue's medium besides
            documents.pop(Definition.LIVE)
        document = next(iter(documents.values()))
        before = fact(document, Adopted)
        adopted = before or adoption_of(origin(document), owner(document))
        disks = complete_records(document)
        updated = set(disks) != set(facts(document, DiskRecord))
        lost = _lost(domain, fresh)
        if not dry_run:
            for definition, each in documents.items():
                rewrite(domain, partial(_adopted, adopted=adopted, disks=complete_records(each)), definition)
            _forget_state(domain, lost)
            _record_state(domain)
            record_below(domain, document.iterfind("devices/disk"))
    return Adoption(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        origin=adopted.origin,
        owner=adopted.owner,
        since=adopted.since,
        disks=tuple(disks),
        already=before is not None,
        updated=updated,
        fresh=tuple(map(str, lost)),
    )


def _adopted(ours: str | None, adopted: Adopted, disks: list[DiskRecord]) -> str:
    """Our element with what an adoption records, all at once: half of it would make the domain look like ours."""
    return with_fact(with_all(ours, DiskRecord, disks), adopted)


def _lost(domain: OpenDomain, fresh: Collection[str]) -> list[StateFile]:
    config = domain.documents.config
    lost = [] if config is None or not fresh else lost_state(domain.connection, config)
    return [file for file in lost if file.kind in fresh]


def _forget_state(domain: OpenDomain, lost: Collection[StateFile]) -> None:
    gone = {file.kind for file in lost}
    rewrite(domain, lambda ours: without_facts(ours, SeenState, lambda seen: seen.kind in gone), Definition.CONFIG)


def _record_state(domain: OpenDomain) -> None:
    """Record what a running guest has beside its documents, of the kinds of which nothing is recorded yet."""
    live, config = domain.documents.live, domain.documents.config
    if live is None or config is None or domain.in_rescue:
        return
    known = {seen.kind for seen in facts(config, SeenState)}
    for seen in state_to_record(domain.connection, live, config):
        if seen.kind not in known:
            record_fact(domain, seen, Definition.CONFIG)


def adoption_of(origin: str, owner: str = "") -> Adopted:
    """The fact that a domain is adopted as of now."""
    return Adopted(now(), origin, owner)


def now() -> str:
    """The time, as it is recorded (ISO 8601, UTC)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def release_domain(connection: Connection, name: str, *, dry_run: bool = False) -> Released:
    """Remove everything Holdfast recorded of the domain ``name``; nothing else of it changes. (virDomainSetMetadata)

    Raises NOT_ADOPTED when nothing is recorded, IN_RESCUE, and IMAGE_LEFT, SNAPSHOT_LEFT and the like while a record
    tells of a file that nobody else would know of.
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        documents = domain.documents.present
        if not any(domain.metadata(metadata.URI, definition) for definition in documents):
            raise NOT_ADOPTED(name=domain.name)
        _refuse_to_forget_files(domain)
        if not dry_run:
            forget_all(domain)
    return Released(name=domain.name, uuid=domain.uuid, dry_run=dry_run)


def _refuse_to_forget_files(domain: OpenDomain) -> None:
    documents = domain.documents.present.values()
    for document in documents:
        for disk in document.iterfind("devices/disk"):
            refuse_while_moved(domain, disk, documents)
        for left in left_in_making(document):
            raise IMAGE_LEFT(name=domain.name, target=left.target, place=left.place)
        for entry in facts(document, Snapshotting):
            raise SNAPSHOT_LEFT(name=domain.name, snapshot=entry.snapshot)
