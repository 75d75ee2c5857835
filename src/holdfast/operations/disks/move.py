"""Moving a disk to another pool, path or format, while its guest uses it or not. The guest notices nothing.

The copy is recorded before it exists (:mod:`.disk_record`), so after a crash the documents tell how things stand:

- a job copies the disk: repeating waits for it, aborting ends it;
- no job does, and the disk has its old image: the partial copy goes, and repeating begins anew;
- the disk has the copy: repeating settles the record, and removes the old image where that was asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.document import value_at
from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.elements.mirror import copied_to, copy_of
from holdfast.domainxml.host.volume import pool_of_files
from holdfast.domainxml.metadata import DiskRecord
from holdfast.errors import Failed, Refused, UsageError
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import find_pool
from holdfast.operations.disks.copy import Destination, Progress, copy_shut_off, finish_copy, size_to_copy, start_copy
from holdfast.operations.disks.in_place import DiskInPlace, disk_to_change, refuse_another_image, refuse_without_image
from holdfast.operations.disks.move_record import MoveRecord, recorded_move
from holdfast.operations.disks.new import PlannedDisk, plan_disk
from holdfast.operations.disks.spec import DiskSpec, Place
from holdfast.operations.session import changing


@dataclass(frozen=True)
class Moved:
    """What a move did: where the image was and is, its format, and the address, which is as before.

    ``kept`` says why the old image is still there though it was to be removed; ``removed`` is true when it is gone.
    ``dry_run``: nothing was done, and ``after`` is where it would be.
    """

    name: str
    target: str
    before: str
    after: str
    format: str
    address: str | None
    removed: bool
    kept: str | None
    dry_run: bool


@dataclass(frozen=True)
class MoveAborted:
    """What aborting a move did: the disk is at ``image``; the copy ``removed`` is gone (None: it was not ours)."""

    name: str
    target: str
    image: str
    removed: str | None
    dry_run: bool


def move_disk(
    connection: Connection,
    name: str,
    target: str,
    place: Place | None = None,
    *,
    delete_source: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Moved:
    """Move the disk ``target`` of the domain ``name`` to ``place``; None finishes a move that was begun before.

    The disk keeps address, serial and alias in both documents. Other commands on the domain do not wait for a copy that
    QEMU makes. The old image stays, unless ``delete_source`` and nobody else uses it. When the move fails or is
    interrupted, the disk is where it was, and the copy gone.

    Raises Refused (3) for a disk with snapshots, saved memory or another image in config, for one that is shared or
    encrypted, and for a place that is taken; UsageError (2), NotFound (4) and Failed (1); PartlyDone (5) when libvirt
    went away in the middle, or the old image could not be removed. (virDomainBlockCopy; shut off qemu-img convert and
    virDomainUpdateDeviceFlags)
    """
    if delete_source and not connection.is_local:
        raise Refused("which images other domains use can be seen only on their own host", "leave out --delete-source")
    with changing(connection, name, dry_run=dry_run) as domain:
        disk = disk_to_change(connection, domain, target, dry_run)
        refuse_without_image(disk, "moved")
        left, copying = recorded_move(disk), copy_of(disk.current)
        if left is not None and _has(disk, left):
            settled = _settle(connection, disk, left, dry_run)
            if place is None or place.is_at(left.where):
                return settled
            left = None
        if copying is not None:
            record, to = _under_way(connection, disk, copying, left, place, delete_source)
        else:
            refuse_another_image(disk)
            record, to = _planned(connection, disk, place, left, delete_source, dry_run)
            if not dry_run and disk.runs:
                start_copy(disk, to)
            elif not dry_run:
                copy_shut_off(disk, to, progress)
        if dry_run or not disk.runs:
            return _result(disk, to, record, dry_run)
    finish_copy(to, progress)
    return _result(disk, to, record, dry_run)


def abort_move(connection: Connection, name: str, target: str, *, dry_run: bool = False) -> MoveAborted:
    """End the move of the disk ``target`` that is under way or broke off: it stays where it is, and the copy goes.

    Raises Failed (1) when there is none. (virDomainBlockJobAbort)
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        disk = disk_to_change(connection, domain, target, dry_run)
        left, copying = recorded_move(disk), copy_of(disk.current)
        if left is not None and _has(disk, left):
            raise Failed(
                f"the disk {disk.target} is at {left.place} by now: nothing is left to abort",
                f"'holdfast disk move {domain.name} {disk.target}' settles what is recorded of it",
            )
        if left is None and copying is None:
            raise Failed(f"the disk {disk.target} of {domain.name!r} is not being moved", None)
        if not dry_run:
            if copying is not None:
                block.cancel(domain, disk.target)
            if left is not None:
                MoveRecord.resumed(connection, disk, left, False).clear()
        return MoveAborted(domain.name, disk.target, disk.image or "", None if left is None else left.place, dry_run)


def _has(disk: DiskInPlace, left: DiskRecord) -> bool:
    """True when a document has the disk with the image that was being made for it."""
    return left.place in map(source_of, disk.present.values())


def _settle(connection: Connection, disk: DiskInPlace, left: DiskRecord, dry_run: bool) -> Moved:
    """Finish a move that broke off after the disk was given its new image."""
    record = MoveRecord.resumed(connection, disk, left, False)
    if not dry_run:
        record.settle()
    address = describe_address(disk.current)
    name, before, format = disk.domain.name, left.old or left.place, stated_format(disk.current)
    return Moved(name, disk.target, before, left.place, format, address, record.removed, record.kept, dry_run)


def _under_way(
    connection: Connection,
    disk: DiskInPlace,
    copying: str,
    left: DiskRecord | None,
    place: Place | None,
    delete_source: bool,
) -> tuple[MoveRecord, Destination]:
    """The move that a job is at, so that it can be waited for."""
    if place is not None and not (place.path == copying or (left is not None and place.is_at(left.where))):
        raise Refused(
            f"the disk {disk.target} is being copied to {copying} already",
            f"'holdfast disk move {disk.domain.name} {disk.target}' finishes that, with --abort it ends",
        )
    record = MoveRecord(connection, disk)
    if left is not None and left.place == copying:
        record = MoveRecord.resumed(connection, disk, left, delete_source)
    to = copied_to(disk.current)
    return record, Destination(
        connection, disk.domain, disk.target, to, 0, take_back=record.take_back, settle=record.settle
    )


def _planned(
    connection: Connection,
    disk: DiskInPlace,
    place: Place | None,
    left: DiskRecord | None,
    delete_source: bool,
    dry_run: bool,
) -> tuple[MoveRecord, Destination]:
    """A move that begins, or begins anew; the partial copy of one that broke off is removed."""
    if place is None:
        if left is None:
            raise UsageError(
                f"it is not said where {disk.target} is to go, and no move of it broke off",
                "path=/folder/name.qcow2 or pool=NAME or volume=POOL/NAME",
            )
        pool, _, volume = left.where.partition("/")
        place = (
            Place(pool=pool, volume=volume, format=left.format) if pool else Place(path=left.where, format=left.format)
        )
    size = size_to_copy(connection, disk)
    planned = _plan(connection, disk, place, size, left)
    if left is not None and not dry_run:
        MoveRecord.resumed(connection, disk, left, False).clear()
    record = MoveRecord(connection, disk)
    delete_source = delete_source or (left is not None and bool(left.old))
    return record, Destination(
        connection,
        disk.domain,
        disk.target,
        planned.element,
        size,
        make=lambda: record.make(planned, size, delete_source),
        take_back=record.take_back,
        settle=record.settle,
    )


def _plan(connection: Connection, disk: DiskInPlace, place: Place, size: int, left: DiskRecord | None) -> PlannedDisk:
    format = place.format
    if format is None and not (place.pool and not pool_of_files(find_pool(connection, place.pool).xml())):
        format = own if (own := stated_format(disk.current)) in ("raw", "qcow2") else "qcow2"
    spec = DiskSpec(path=place.path, pool=place.pool, volume=place.volume, format=format, size=size)
    bus = value_at(disk.current, "target@bus") or "virtio"
    known = {left.where} if left is not None else set()
    planned = plan_disk(connection, spec, name=disk.domain.name, target=disk.target, bus=bus, left=known)
    if planned.element.get("type") == "volume":
        raise Refused(
            f"{source_of(planned.element)} can be reached by libvirt alone, which copies no disk there (libvirt 9.0)",
            "make the image first, then 'holdfast disk swap --copy-content' with its source=",
        )
    return planned


def _result(disk: DiskInPlace, to: Destination, record: MoveRecord, dry_run: bool) -> Moved:
    address = describe_address(disk.current)
    format = stated_format(to.disk)
    return Moved(
        disk.domain.name, disk.target, disk.image or "", to.place, format, address, record.removed, record.kept, dry_run
    )
