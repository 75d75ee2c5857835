"""Making a snapshot: of the disks in their own images (internal) or beside them (external), with memory or without.

The guest sees nothing of it. A snapshot that is being made is recorded: so what a crash leaves of it is told from what
belongs to somebody, and making it again, or deleting it, removes that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from holdfast.domainxml.metadata import Snapshotting
from holdfast.domainxml.snapshots.stored import new_snapshot, read_snapshot, with_metadata_of
from holdfast.errors import LibvirtRefused, PartlyDone, Refused
from holdfast.hostfiles.new_image import refuse_existing
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.snapshot import Snapshot
from holdfast.operations.documents import Documents, read
from holdfast.operations.facts import record
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.snapshots.leftovers import being_made, holds, remove_leftovers, settle
from holdfast.operations.snapshots.plan import LeftOut, SnapshotDisk, SnapshotPlan, check_snapshot_name, plan_snapshot
from holdfast.operations.snapshots.volumes import follow_images


@dataclass(frozen=True)
class SnapshotCreated:
    """A snapshot that was made, or with ``dry_run`` would be.

    ``external``     the images are left as they are, and each disk is written to an overlay from now on
    ``memory``       True when the guest's memory is part; ``memory_file`` is where, None for inside the first image
    ``disks``, ``left_out``  what is part of it, and what is not
    ``notes``        sentences on what else is not part of it, or cannot be done with it
    """

    name: str
    uuid: str
    snapshot: str
    external: bool
    memory: bool
    memory_file: str | None
    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    dry_run: bool


def create_snapshot(
    connection: Connection,
    name: str,
    snapshot: str,
    *,
    external: bool = False,
    memory: bool = True,
    without: Collection[str] = (),
    folder: str | None = None,
    quiesce: bool = False,
    description: str = "",
    dry_run: bool = False,
) -> SnapshotCreated:
    """Make the snapshot ``snapshot`` of the domain ``name``, with its memory where it runs (unless ``memory`` is off).

    An ``external`` one leaves the images as they are and lets the guest write new files from now on, made in
    ``folder`` (else beside the images); it can leave out the disks ``without`` (targets). ``quiesce`` lets the guest
    agent freeze the file systems meanwhile. A running guest stands still while its memory is written.

    Raises UsageError, NotFound and Failed where it cannot be made, Refused (3) for a transient domain, in rescue, for
    a name or a file that is taken, and while a managed-save image waits. (virDomainSnapshotCreateXML)
    """
    check_snapshot_name(snapshot)
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        documents = domain.documents
        if documents.config is None:
            raise Refused(f"the domain {domain.name!r} is transient: its snapshots would be forgotten once it stops")
        refuse_with_managed_save(domain, "its disks belong to that memory")
        plan = plan_snapshot(
            connection,
            domain.name,
            documents,
            domain.state(),
            snapshot,
            external=external,
            memory=memory,
            without=without,
            folder=folder,
            quiesce=quiesce,
        )
        stored = libvirt_snapshot.snapshots(domain)
        known = [each.name for each in stored]
        if snapshot in known:
            raise Refused(
                f"the domain {domain.name!r} has a snapshot {snapshot!r} already",
                f"choose another name, or 'holdfast snapshot delete {domain.name} {snapshot}' first",
            )
        if external:
            _refuse_after_internal(domain, stored)
        if connection.is_local:
            _refuse_taken(plan, snapshot, [each.file for each in being_made(documents) if each.snapshot == snapshot])
        if not dry_run:
            settle(domain, documents, known)
            remove_leftovers(connection, domain, documents, snapshot)
            after = _create(domain, documents, plan, snapshot, description, quiesce)
            follow_images(connection, domain, documents, after)
    return SnapshotCreated(
        domain.name,
        domain.uuid,
        snapshot,
        external,
        plan.memory,
        plan.memory_file,
        plan.disks,
        plan.left_out,
        plan.notes,
        dry_run,
    )


def _refuse_after_internal(domain: OpenDomain, stored: list[Snapshot]) -> None:
    """Raise Refused where an external snapshot would come after an internal one: then neither could be got rid of.

    libvirt (9.0) deletes no external one whose parent is internal; and to revert to that parent would rewrite what the
    external one rests on.
    """
    for each in stored:
        if each.is_current() and not read_snapshot(each.xml()).is_external:
            raise Refused(
                f"after the internal snapshot {each.name!r} an external one could not be deleted again, "
                f"and while it is there {each.name!r} could not be reverted to",
                f"'holdfast snapshot delete {domain.name} {each.name}' first, or make an internal one",
            )


def _refuse_taken(plan: SnapshotPlan, snapshot: str, ours: Collection[str]) -> None:
    """Raise Refused where a file, or an internal snapshot of this name, is there already and is not ``ours``."""
    for path in plan.files:
        if path not in ours:
            refuse_existing(path)
    for disk in plan.disks:
        if disk.overlay is None and "" not in ours and holds(disk.image, snapshot):
            raise Refused(
                f"{disk.image} has an internal snapshot {snapshot!r} that libvirt does not know",
                f"choose another name, or remove it: qemu-img snapshot -d {snapshot} {disk.image}",
            )


def _create(
    domain: OpenDomain,
    documents: Documents,
    plan: SnapshotPlan,
    snapshot: str,
    description: str,
    quiesce: bool,
) -> Documents:
    """Make it, prove that the guest sees nothing of it, and return the documents of after."""
    for file in plan.files or [""]:
        record(domain, Snapshotting(snapshot, file), Definition.CONFIG)
    request = new_snapshot(
        snapshot,
        description,
        internal=[disk.target for disk in plan.disks if disk.overlay is None],
        overlays={disk.target: disk.overlay for disk in plan.disks if disk.overlay is not None},
        left_out=[each.target for each in plan.left_out],
        memory_file=plan.memory_file,
    )
    try:
        disk_only = bool(plan.files) and not plan.memory
        libvirt_snapshot.make_snapshot(domain, request, disk_only=disk_only, quiesce=quiesce)
    except LibvirtRefused:
        settle(domain, read(domain), [snapshot])  # libvirt has taken back what it made
        raise
    after = domain.documents
    made = libvirt_snapshot.find_snapshot(domain, snapshot)
    # The documents in it have the record of its making, which another tool's revert would bring back.
    libvirt_snapshot.redefine_snapshot(domain, with_metadata_of(made.xml(secure=True), after.live, after.config))
    settle(domain, after, [snapshot])
    changes = after.guest_changes_since(documents)
    if changes:
        raise PartlyDone(
            f"the snapshot {snapshot!r} was made, but the hardware has changed too: {'; '.join(changes)}",
            "somebody else may have changed it meanwhile: see 'holdfast show'",
        )
    return after
