"""Making a snapshot: of the disks in their own images (internal) or beside them (external), with memory or without.

The guest sees nothing of it. A snapshot that is being made is recorded, so that what a crash leaves of it is told from
what belongs to somebody else; making it again, or deleting it, removes that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from holdfast.domainxml.fact import Snapshotting
from holdfast.domainxml.snapshots.carry_metadata import with_metadata_of
from holdfast.domainxml.snapshots.new import new_snapshot
from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot, written_images
from holdfast.errors import LibvirtRefused
from holdfast.errors import snapshots as errors
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.snapshot import Snapshot
from holdfast.operations.disk_source import refuse_existing_image
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.documents import Documents
from holdfast.operations.facts import record_fact
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.snapshots.leftovers import (
    forget_unfinished,
    has_internal_snapshot,
    overlays_in_use,
    remove_leftovers,
    unfinished_snapshots,
)
from holdfast.operations.snapshots.plan import (
    LeftOut,
    SnapshotDisk,
    SnapshotPlan,
    SnapshotWish,
    check_snapshot_name,
    plan_snapshot,
)
from holdfast.operations.snapshots.volumes import follow_images


@dataclass(frozen=True, kw_only=True)
class SnapshotCreated(Result):
    """A snapshot that was made; ``notes`` say what is not part of it, and what cannot be done with it.

    ``snapshot``     its name
    ``external``     True where the images are left as they are, and each disk is written to an overlay from now on
    ``memory``       True where the guest's memory is part of it: it stands still while that is written
    ``memory_file``  the file of that memory; None where there is none, or where it is inside the first image
    ``disks``, ``left_out``  what is part of it, and what is not
    """

    snapshot: str
    external: bool
    memory: bool
    memory_file: str | None
    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...]


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

    Repeated after something broke, it finishes what libvirt has made, or begins anew.

    Raises TRANSIENT, IN_RESCUE, MANAGED_SAVE, NAME_TAKEN, NAME_TAKEN_IN_IMAGE, AFTER_INTERNAL and Refused for a file
    that is there; UsageError, NotFound and Failed where it cannot be made (see :func:`.plan.plan_snapshot`); and
    MADE_AND_CHANGED, OVERLAYS_NOT_WRITTEN, OVERLAYS_TAKEN_BACK. (virDomainSnapshotCreateXML)
    """
    wish = SnapshotWish(
        snapshot=snapshot,
        external=external,
        memory=memory,
        without=without,
        folder=folder,
        quiesce=quiesce,
        description=description,
    )
    check_snapshot_name(snapshot)
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG, dry_run=dry_run) as domain:
        refuse_with_managed_save(domain, "its disks belong to that memory")
        others = libvirt_snapshot.snapshots(domain)
        if (made := _made_before(domain, wish, others)) is not None:
            if not dry_run:
                _settle_made(domain, made)
            return _finished(domain, made, dry_run)
        plan = plan_snapshot(domain, wish)
        _refuse_taken(domain, wish, plan, others)
        if not dry_run:
            forget_unfinished(domain, [each.name for each in others])
            remove_leftovers(domain, snapshot)
            _create(domain, wish, plan)
        return _created(domain, wish, plan, dry_run)


def _created(domain: OpenDomain, wish: SnapshotWish, plan: SnapshotPlan, dry_run: bool) -> SnapshotCreated:
    return SnapshotCreated(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        notes=(*plan.notes, *folder_risks(domain.connection, [], plan.files)),
        snapshot=wish.snapshot,
        external=wish.external,
        memory=plan.memory,
        memory_file=plan.memory_file,
        disks=plan.disks,
        left_out=plan.left_out,
    )


def _made_before(domain: OpenDomain, wish: SnapshotWish, others: Collection[Snapshot]) -> StoredSnapshot | None:
    """The snapshot of this name that libvirt has made for us, when something broke before that was recorded."""
    if wish.snapshot not in [each.snapshot for each in unfinished_snapshots(domain.documents)]:
        return None
    made = [read_snapshot(each.xml()) for each in others if each.name == wish.snapshot]
    return made[0] if made and made[0].is_external is wish.external else None


def _settle_made(domain: OpenDomain, made: StoredSnapshot) -> None:
    """Record that it is made, as :func:`_create` would have done."""
    _carry_records(domain, made.name)
    forget_unfinished(domain, [made.name])
    follow_images(domain, Documents(made.taken if domain.documents.live is not None else None, made.config))


def _finished(domain: OpenDomain, made: StoredSnapshot, dry_run: bool) -> SnapshotCreated:
    images = made.images()
    taken = {target: image for target, image in images.items() if target in made.inside or target in made.overlays}
    return SnapshotCreated(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        notes=("an interrupted command had made it already; it is now finished",),
        snapshot=made.name,
        external=made.is_external,
        memory=made.memory != "no",
        memory_file=made.memory_file,
        disks=tuple(SnapshotDisk(target, image, made.overlays.get(target)) for target, image in taken.items()),
        left_out=tuple(LeftOut(target, "as it was made") for target in images if target not in taken),
    )


def _refuse_taken(domain: OpenDomain, wish: SnapshotWish, plan: SnapshotPlan, others: Collection[Snapshot]) -> None:
    """Raise NAME_TAKEN, AFTER_INTERNAL, NAME_TAKEN_IN_IMAGE, and Refused for a file that somebody else has made."""
    _refuse_name(domain, wish.snapshot, others)
    if wish.external and others:
        _refuse_after_internal(domain)
    if not domain.connection.is_local:
        return
    ours = [each.file for each in unfinished_snapshots(domain.documents) if each.snapshot == wish.snapshot]
    for path in plan.files:
        if path not in ours:
            refuse_existing_image(domain.connection, path)
    for disk in plan.disks:
        if (
            disk.overlay is None
            and "" not in ours
            and has_internal_snapshot(domain.connection, disk.image, wish.snapshot)
        ):
            raise errors.NAME_TAKEN_IN_IMAGE(image=disk.image, snapshot=wish.snapshot)


def _refuse_name(domain: OpenDomain, name: str, others: Collection[Snapshot]) -> None:
    if name in [each.name for each in others]:
        raise errors.NAME_TAKEN(name=domain.name, snapshot=name)


def _refuse_after_internal(domain: OpenDomain) -> None:
    """Raise AFTER_INTERNAL where an external snapshot would come after an internal one: neither could be got rid of.

    libvirt (9.0) deletes no external one whose parent is internal; and to revert to that parent would rewrite what the
    external one rests on.
    """
    parent = libvirt_snapshot.current_snapshot(domain)
    if parent is not None and not read_snapshot(parent.xml()).is_external:
        raise errors.AFTER_INTERNAL(name=domain.name, other=parent.name)


def _create(domain: OpenDomain, wish: SnapshotWish, plan: SnapshotPlan) -> None:
    """Make it, and prove that the guest sees nothing of it. Raises MADE_AND_CHANGED, OVERLAYS_NOT_WRITTEN,
    OVERLAYS_TAKEN_BACK.
    """
    before = domain.documents
    for file in plan.files or [""]:
        record_fact(domain, Snapshotting(wish.snapshot, file), Definition.CONFIG)
    disk_only = bool(plan.files) and not plan.memory
    try:
        libvirt_snapshot.make_snapshot(domain, _request(wish, plan), disk_only=disk_only, quiesce=wish.quiesce)
    except LibvirtRefused as error:
        _refuse_overlays_in_use(domain, wish.snapshot, before, error)
        forget_unfinished(domain, [wish.snapshot])  # libvirt has taken back what it made
        _refuse_name(domain, wish.snapshot, libvirt_snapshot.snapshots(domain))  # somebody else was faster
        raise
    domain.done_besides.append(f"its snapshot {wish.snapshot} is made")
    after = domain.documents
    _carry_records(domain, wish.snapshot)
    forget_unfinished(domain, [wish.snapshot])
    changes = after.guest_changes_since(before)
    if changes:
        raise errors.MADE_AND_CHANGED(snapshot=wish.snapshot, changes=changes)
    follow_images(domain, before)


def _refuse_overlays_in_use(domain: OpenDomain, snapshot: str, before: Documents, cause: LibvirtRefused) -> None:
    """Raise OVERLAYS_NOT_WRITTEN and OVERLAYS_TAKEN_BACK where libvirt could not write config: see
    :func:`.overlays_in_use`. While the domain is off it removes them again.
    """
    overlays = overlays_in_use(domain, snapshot)
    if overlays and domain.is_active():
        given = [f"{target}={overlay}" for target, overlay in overlays.items()]
        raise errors.OVERLAYS_NOT_WRITTEN(name=domain.name, snapshot=snapshot, overlays=given, cause=cause) from cause
    if overlays and before.config is not None:
        images = [f"{target}={image}" for target, image in written_images(before.config).items() if target in overlays]
        raise errors.OVERLAYS_TAKEN_BACK(name=domain.name, snapshot=snapshot, images=images, cause=cause) from cause


def _carry_records(domain: OpenDomain, snapshot: str) -> None:
    """Take out of a snapshot's documents the record of its making, which another tool's revert would bring back."""
    made, now = libvirt_snapshot.find_snapshot(domain, snapshot), domain.documents
    libvirt_snapshot.redefine_snapshot(domain, with_metadata_of(made.xml(secure=True), now.live, now.config))


def _request(wish: SnapshotWish, plan: SnapshotPlan) -> str:
    """The document that asks libvirt for it."""
    return new_snapshot(
        wish.snapshot,
        wish.description,
        internal=[disk.target for disk in plan.disks if disk.overlay is None],
        overlays={disk.target: disk.overlay for disk in plan.disks if disk.overlay is not None},
        left_out=[each.target for each in plan.left_out],
        memory_file=plan.memory_file,
    )
