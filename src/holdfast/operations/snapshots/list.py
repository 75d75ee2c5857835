"""The snapshots of a domain, and what reverting to each would change of its hardware."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot
from holdfast.errors import NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.documents import Documents
from holdfast.operations.session import looking
from holdfast.operations.snapshots.leftovers import being_made
from holdfast.operations.snapshots.plan import why_no_external_revert
from holdfast.operations.snapshots.revert_changes import changes_of_revert


@dataclass(frozen=True)
class SnapshotInfo:
    """One snapshot.

    ``created``     ISO 8601, UTC; empty for an unfinished one
    ``state``       what the domain was in: "running", "paused", "shutoff", "disk-snapshot" (of a running one, without
                    its memory); "unfinished" while it is made, and when that was interrupted
    ``kind``        "internal" or "external"
    ``memory``      True when the guest's memory is part of it
    ``parent``      the one before it; None for the first
    ``current``     True for the one that was made or reverted to last
    ``files``       the files that were made for it
    ``changes``     sentences: what a revert would change of the hardware that the domain has today
    ``impossible``  the sentence on why there is no reverting to it; None where there is
    """

    name: str
    created: str
    state: str
    kind: str
    memory: bool
    parent: str | None
    current: bool
    description: str
    files: tuple[str, ...]
    changes: tuple[str, ...]
    impossible: str | None


def list_snapshots(connection: Connection, name: str) -> list[SnapshotInfo]:
    """The snapshots of the domain ``name``, oldest first. Raises NotFound. (virDomainListAllSnapshots)"""
    domain = looking(connection, name)
    documents = domain.documents
    found = []
    for snapshot in snapshots(domain):
        try:
            stored = read_snapshot(snapshot.xml())
            impossible = why_no_external_revert(connection) if stored.is_external else None
            found.append(_described(documents, stored, snapshot.is_current(), impossible))
        except NotFound:
            continue  # deleted since
    known = {each.name for each in found}
    unfinished: dict[str, list[str]] = {}
    for entry in being_made(documents):
        unfinished.setdefault(entry.snapshot, []).append(entry.file)
    return sorted(found, key=lambda each: (each.created, each.name)) + [
        _unfinished(name, [file for file in files if file]) for name, files in unfinished.items() if name not in known
    ]


def snapshot_names(connection: Connection, name: str) -> list[str]:
    """Their names alone, for the shell's completion. Raises NotFound. (virDomainListAllSnapshots)"""
    return [snapshot.name for snapshot in snapshots(connection.find_domain(name))]


def _described(documents: Documents, stored: StoredSnapshot, current: bool, impossible: str | None) -> SnapshotInfo:
    return SnapshotInfo(
        name=stored.name,
        created=stored.created,
        state=stored.state,
        kind="external" if stored.is_external else "internal",
        memory=stored.memory != "no",
        parent=stored.parent,
        current=current,
        description=stored.description,
        files=stored.files,
        changes=tuple(map(str, changes_of_revert(documents, stored))),
        impossible=impossible,
    )


def _unfinished(name: str, files: list[str]) -> SnapshotInfo:
    kind = "external" if files else "internal"
    return SnapshotInfo(name, "", "unfinished", kind, False, None, False, "", tuple(files), (), "it is not finished")
