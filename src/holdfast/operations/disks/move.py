"""Moving a disk to another pool, path or format, while its guest uses it or not. The guest notices nothing.

The copy is recorded before it exists (:mod:`.move_record`), so after a crash the documents tell how things stand:

- a job copies the disk: repeating waits for it, aborting ends it;
- no job does, and the disk has its old image: the partial copy goes, and repeating begins anew;
- the disk has the copy: repeating settles the record, and removes the old image where that was asked.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.document import value_at
from holdfast.domainxml.elements.disk import host_path, source_of, stated_format
from holdfast.domainxml.elements.mirror import copied_to, copy_of
from holdfast.domainxml.fact import DiskRecord, Pivoting
from holdfast.domainxml.host.volume import pool_folder, pool_of_files
from holdfast.domainxml.metadata import facts
from holdfast.errors import disks as errors
from holdfast.hostfiles.permission import may_create_in, may_open
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import find_pool
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.asked_of_libvirt import Answer
from holdfast.operations.disks.copy import (
    Destination,
    copy_shut_off,
    finish_copy,
    size_to_copy,
    start_copy,
    switch_config_to_copy,
)
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.disks.in_place import DiskInPlace, find_disk, refuse_another_image, refuse_without_image
from holdfast.operations.disks.known_files import known_below
from holdfast.operations.disks.move_record import MoveRecord, recorded_move
from holdfast.operations.disks.new import PlannedDisk, plan_disk
from holdfast.operations.disks.newest_image import (
    forget_pivot,
    refuse_forgotten_qemu,
    refuse_lost_pivot,
    refuse_unsettled_pivot,
)
from holdfast.operations.disks.own_images import image_exists
from holdfast.operations.disks.spec import DiskSpec, Place
from holdfast.operations.results import Result
from holdfast.operations.session import Need, changing


@dataclass(frozen=True, kw_only=True)
class Moved(Result):
    """A move of a disk; the guest sees nothing of it.

    ``target``           the disk's
    ``before``, ``after``  where its image was ("" where a move is finished that has not recorded it), and is
    ``image_format``     that of the image
    ``address``          the place of the disk in words: as it was
    ``removed``          the old image, where it was removed
    ``kept``             why the old image is still there, though it was to be removed
    """

    target: str
    before: str
    after: str
    image_format: str
    address: str | None
    removed: str | None = None
    kept: str | None = None


@dataclass(frozen=True, kw_only=True)
class MoveAborted(Result):
    """The end of a move that was under way, or was interrupted: the disk stays where it is.

    ``target``   the disk's
    ``image``    where its image is
    ``removed``  the copy, which was removed; None where there was none, and for one that somebody else had begun
    """

    target: str
    image: str
    removed: str | None


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

    Raises IN_RESCUE, NO_DISK, NOT_A_DISK, IS_A_DRIVE, NOT_ITS_OWN, MANAGED_SAVE, DISK_HAS_SNAPSHOTS, ENCRYPTED,
    QEMU_FORGOTTEN, NEWEST_UNKNOWN, IMAGE_OPEN,
    ANOTHER_IMAGE_IN_CONFIG, BEING_COPIED when it goes elsewhere already, NO_PLACE_TO_MOVE_TO, ONLY_LIBVIRT_REACHES,
    EXISTS, IMAGE_OF_DOMAIN, COPIED_ON_ITS_HOST, SIZE_UNKNOWN, USES_NOT_SEEN_IN_MOVE; COPY_ENDED,
    SWITCHED_OFF_WHILE_COPIED and CHANGED_WHILE_COPIED; LIBVIRT_GONE_WHILE_COPIED and OLD_IMAGE_LEFT, after which
    repeating finishes.
    (virDomainBlockCopy; shut off qemu-img convert and virDomainUpdateDeviceFlags)
    """
    if delete_source and not connection.is_local:
        raise errors.USES_NOT_SEEN_IN_MOVE()
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        disk = find_disk(domain, target)
        refuse_without_image(disk)
        left = recorded_move(disk)
        if left is not None and _has(disk, left):
            settled = _settle(disk, left, dry_run)
            if place is None or place.is_at(left.where):
                return settled
            left = None
        delete_source = delete_source or (left is not None and bool(left.old))
        answer = Answer()
        if (copying := copy_of(disk.current)) is not None:
            record, to = _under_way(disk, copying, left, place, delete_source, dry_run)
        else:
            record, to = _planned(disk, place, left, delete_source, dry_run)
            if dry_run:
                answer = to.ask(disk)
            else:
                _begin(disk, to, progress)
        if dry_run or not disk.runs:
            return answer.noted_in(_moved(disk, to, record, dry_run))
    finish_copy(to, progress)
    return _moved(disk, to, record, dry_run)


def abort_move(connection: Connection, name: str, target: str, *, dry_run: bool = False) -> MoveAborted:
    """End the move of the disk ``target`` that is under way or was interrupted: it stays where it is, and the copy
    goes.

    Raises IN_RESCUE, NO_DISK, NOT_BEING_MOVED, MOVED_ALREADY, LEFT_IMAGE_IN_USE, IMAGE_OPEN, QEMU_FORGOTTEN,
    NEWEST_UNKNOWN. (virDomainBlockJobAbort)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        disk = find_disk(domain, target)
        left, copying = recorded_move(disk), copy_of(disk.current)
        if left is not None and _has(disk, left):
            raise errors.MOVED_ALREADY(name=domain.name, target=disk.target, place=left.place)
        if left is None and copying is None:
            raise errors.NOT_BEING_MOVED(name=domain.name, target=disk.target)
        if copying is None:
            refuse_forgotten_qemu(domain)
            refuse_unsettled_pivot(domain, disk.current)
        else:
            refuse_lost_pivot(domain, disk.current)
        record = MoveRecord(disk) if left is None else MoveRecord.resumed(disk, left)
        record.refuse_used()
        there = left is not None and image_exists(connection, left)
        if not dry_run:
            if copying is not None:
                block.cancel(domain, disk.target)
                forget_pivot(domain, disk.target)
            record.take_back()
        return MoveAborted(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            target=disk.target,
            image=disk.image or "",
            removed=left.place if left is not None and there else None,
        )


def _has(disk: DiskInPlace, left: DiskRecord) -> bool:
    """True when a document has the disk with the image that was being made for it."""
    return left.place in map(source_of, disk.present.values())


def _settle(disk: DiskInPlace, left: DiskRecord, dry_run: bool) -> Moved:
    """Finish a move that was interrupted after the disk was given its new image."""
    config = disk.documents.config
    pivots = [] if config is None else facts(config, Pivoting)
    before = left.old or next((each.old for each in pivots if each.new == left.place), "")
    if not dry_run:
        disk = switch_config_to_copy(disk)
    record = MoveRecord.resumed(disk, left)
    if not dry_run:
        forget_pivot(disk.domain, disk.target)
        record.settle()
    elif left.old:
        record.decide_old_image(left.old)
    return Moved(
        name=disk.domain.name,
        uuid=disk.domain.uuid,
        dry_run=dry_run,
        notes=record.notes,
        target=disk.target,
        before=before,
        after=left.place,
        image_format=stated_format(disk.current),
        address=describe_address(disk.current),
        removed=record.removed,
        kept=record.kept,
    )


def _under_way(
    disk: DiskInPlace, copying: str, left: DiskRecord | None, place: Place | None, delete_source: bool, dry_run: bool
) -> tuple[MoveRecord, Destination]:
    """The move that a job is at, so that it can be waited for. Raises BEING_COPIED where it goes to another place."""
    if place is not None and not (place.path == copying or (left is not None and place.is_at(left.where))):
        raise errors.BEING_COPIED(name=disk.domain.name, target=disk.target, place=copying)
    record = MoveRecord(disk)
    if left is not None and left.place == copying:
        record = MoveRecord.resumed(disk, left)
        if delete_source and dry_run:
            record.decide_old_image(disk.image or "")
        elif delete_source:
            record.delete_source_too()
    to = copied_to(disk.current)
    return record, Destination(disk.domain, disk.target, to, 0, take_back=record.take_back, settle=record.settle)


def _place_of(disk: DiskInPlace, left: DiskRecord | None) -> Place:
    """Where a move that was interrupted was to go. Raises NO_PLACE_TO_MOVE_TO where there was none."""
    if left is None:
        raise errors.NO_PLACE_TO_MOVE_TO(target=disk.target)
    pool, _, volume = left.where.partition("/")
    if pool:
        return Place(pool=pool, volume=volume, format=left.format)
    return Place(path=left.where, format=left.format)


def _planned(
    disk: DiskInPlace, place: Place | None, left: DiskRecord | None, delete_source: bool, dry_run: bool
) -> tuple[MoveRecord, Destination]:
    """A move that begins, or begins anew; the partial copy of one that was interrupted is removed."""
    refuse_another_image(disk)
    place = place or _place_of(disk, left)
    by_libvirt = _is_copied_by_libvirt(disk, place)
    size = size_to_copy(disk, by_libvirt=by_libvirt)
    planned = _plan(disk, place, size, left, by_libvirt)
    if left is not None:
        partial = MoveRecord.resumed(disk, left)
        partial.refuse_used()
        if not dry_run:
            partial.take_back()
    record = MoveRecord(disk)
    if delete_source and dry_run:
        record.decide_old_image(disk.image or "")
    return record, Destination(
        disk.domain,
        disk.target,
        planned.element,
        size,
        make=lambda: record.make(planned, size, delete_source=delete_source),
        take_back=record.take_back,
        settle=record.settle,
        is_filled=by_libvirt,
    )


def _is_copied_by_libvirt(disk: DiskInPlace, place: Place) -> bool:
    """True where this user can read the image of a disk that is shut off, or write to a pool, only through libvirt."""
    connection, path = disk.domain.connection, host_path(disk.current)
    if disk.runs or path is None or place.pool is None or not connection.is_local:
        return False
    folder = pool_folder(find_pool(connection, place.pool).xml())
    return not (may_open(path) and may_create_in(folder))


def _begin(disk: DiskInPlace, to: Destination, progress: Progress | None) -> None:
    if disk.runs:
        start_copy(disk, to)
    else:
        copy_shut_off(disk, to, progress)


def _plan(disk: DiskInPlace, place: Place, size: int, left: DiskRecord | None, by_libvirt: bool) -> PlannedDisk:
    connection, format = disk.domain.connection, place.format
    if format is None and not (place.pool and not pool_of_files(find_pool(connection, place.pool).xml())):
        format = own if (own := stated_format(disk.current)) in ("raw", "qcow2") else "qcow2"
    spec = DiskSpec(path=place.path, pool=place.pool, volume=place.volume, format=format, size=size)
    known: Container[str] | None = ()
    if by_libvirt:
        spec = replace(spec, copy_from=disk.image, source_format=stated_format(disk.current))
        known = known_below(disk.domain, disk.current)
    bus = value_at(disk.current, "target@bus") or "virtio"
    free = {left.where} if left is not None else set()
    planned = plan_disk(connection, spec, name=disk.domain.name, target=disk.target, bus=bus, left=free, known=known)
    if planned.element.get("type") == "volume":
        raise errors.ONLY_LIBVIRT_REACHES(place=source_of(planned.element))
    return planned


def _moved(disk: DiskInPlace, to: Destination, record: MoveRecord, dry_run: bool) -> Moved:
    return Moved(
        name=disk.domain.name,
        uuid=disk.domain.uuid,
        dry_run=dry_run,
        notes=(*folder_risks(disk.domain.connection, [to.disk]), *record.notes),
        target=disk.target,
        before=disk.image or "",
        after=to.place,
        image_format=stated_format(to.disk),
        address=describe_address(disk.current),
        removed=record.removed,
        kept=record.kept,
    )
