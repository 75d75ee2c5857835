"""The snapshots of a domain, and what reverting to each would change of its hardware."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot
from holdfast.errors import NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import current_snapshot, snapshots
from holdfast.operations.session import OpenDomain, looking
from holdfast.operations.snapshots.leftovers import unfinished_snapshots
from holdfast.operations.snapshots.plan import no_external_revert
from holdfast.operations.snapshots.revert_changes import changes_of_revert


@dataclass(frozen=True, kw_only=True)
class SnapshotInfo:
    """One snapshot.

    ``name``        its name
    ``created``     ISO 8601, UTC; "" for an unfinished one
    ``state``       what the domain was in: "running", "paused", "shutoff", "disk-snapshot" (of a running one, without
                    its memory); "unfinished" while it is made, and when that was interrupted
    ``external``    True where the images were left as they are, and the guest has written to overlays since
    ``memory``      True where the guest's memory is part of it
    ``parent``      the one before it; None for the first
    ``current``     True for the one that was made or reverted to last
    ``files``       the files that were made for it
    ``changes``     what a revert would change of the hardware that the domain has today
    ``impossible``  why it cannot be reverted to, in a sentence; None where it can
    """

    name: str
    created: str = ""
    state: str
    external: bool
    memory: bool = False
    parent: str | None = None
    current: bool = False
    description: str = ""
    files: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    impossible: str | None = None


def list_snapshots(connection: Connection, name: str) -> list[SnapshotInfo]:
    """The snapshots of the domain ``name``, oldest first, then those that are unfinished. Raises NO_DOMAIN.

    (virDomainListAllSnapshots, virDomainSnapshotGetXMLDesc)
    """
    domain = looking(connection, name)
    stored = _stored(domain)
    known = {each.name for each in stored}
    return [*_finished(domain, stored), *(each for each in _unfinished(domain) if each.name not in known)]


def snapshot_names(connection: Connection, name: str) -> list[str]:
    """Their names alone, for the shell's completion. Raises NO_DOMAIN. (virDomainListAllSnapshots)"""
    return [snapshot.name for snapshot in snapshots(looking(connection, name))]


def _stored(domain: OpenDomain) -> list[StoredSnapshot]:
    """The snapshots that libvirt has, oldest first."""
    found = []
    for snapshot in snapshots(domain):
        try:
            found.append(read_snapshot(snapshot.xml()))
        except NotFound:
            continue  # deleted since it was listed
    return sorted(found, key=lambda each: (each.created, each.name))


def _finished(domain: OpenDomain, stored: list[StoredSnapshot]) -> list[SnapshotInfo]:
    current = current_snapshot(domain) if stored else None
    no_revert = no_external_revert(domain.connection) if any(each.is_external for each in stored) else None
    return [
        SnapshotInfo(
            name=each.name,
            created=each.created,
            state=each.state,
            external=each.is_external,
            memory=each.memory != "no",
            parent=each.parent,
            current=current is not None and each.name == current.name,
            description=each.description,
            files=each.files,
            changes=tuple(changes_of_revert(domain.documents, each)),
            impossible=str(no_revert) if no_revert is not None and each.is_external else None,
        )
        for each in stored
    ]


def _unfinished(domain: OpenDomain) -> list[SnapshotInfo]:
    """Those that are being made, or whose making was interrupted."""
    files: dict[str, list[str]] = {}
    for entry in unfinished_snapshots(domain.documents):
        files.setdefault(entry.snapshot, []).extend([entry.file] if entry.file else [])
    return [
        SnapshotInfo(
            name=name, state="unfinished", external=bool(made), files=tuple(made), impossible="it is not finished"
        )
        for name, made in files.items()
    ]
