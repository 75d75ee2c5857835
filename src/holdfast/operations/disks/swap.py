"""Another existing image for a disk: either its content replaces the disk's, or the disk's is copied onto it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from functools import partial

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.elements.disk import new_disk, source_of
from holdfast.domainxml.elements.mirror import copy_of
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.errors import disks as errors
from holdfast.errors.guard import UNASKED_SWAP
from holdfast.hostfiles.images.image import file_identity
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.asked_of_libvirt import Answer
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.copy import (
    Destination,
    copy_shut_off,
    finish_copy,
    set_config_image,
    size_to_copy,
    start_copy,
    switch_config_to_copy,
)
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.disks.image_size import change_of_size, disk_size, image_size
from holdfast.operations.disks.in_place import DiskInPlace, find_disk, refuse_another_image, refuse_without_image
from holdfast.operations.disks.keep_record import record_disk
from holdfast.operations.disks.known_files import record_below
from holdfast.operations.disks.new import described_record, existing_source
from holdfast.operations.disks.newest_image import forget_pivot
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.results import Result
from holdfast.operations.session import Need, changing


@dataclass(frozen=True, kw_only=True)
class Swapped(Result):
    """A swap of the image of a disk; ``changes`` are what the guest sees apart from different content.

    ``target``           the disk's
    ``before``, ``after``  its image
    ``address``          the place of the disk in words: as it was
    ``copied``           True where what the disk held was copied onto the other image
    """

    target: str
    before: str
    after: str
    address: str | None
    copied: bool


def swap_disk(
    connection: Connection,
    name: str,
    target: str,
    image: DiskSpec,
    *,
    copy_content: bool = False,
    accept: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Swapped:
    """Let the disk ``target`` of the domain ``name`` have the existing ``image`` in place of its own, which stays.

    The domain must be shut off: its guest sees different content at the next start, at the same address and under the
    same serial. With ``copy_content`` the content stays: it is first copied onto ``image``, overwriting
    whatever is there, even while the guest runs. ``image`` says where (path, volume, source), in which format, and
    what is to be recorded.

    Raises NOT_AN_EXISTING_IMAGE, what :func:`move_disk` does for the disk and for a copy that cannot end, and what an
    attach does for the image; ANOTHER_CONTENT for a running domain without ``copy_content``; where nothing is copied
    UNASKED_SWAP for an image of another size, unless ``accept``, and else OTHER_SIZE.
    (virDomainUpdateDeviceFlags; virDomainBlockCopy, or qemu-img convert)
    """
    if image.is_new or not image.has_image:
        raise errors.NOT_AN_EXISTING_IMAGE()
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        disk = find_disk(domain, target)
        refuse_without_image(disk)
        wanted = new_disk(existing_source(connection, image), format=image.format or "raw")
        trusted: Container[str] | None = None if image.trust_format else ()
        if disk.image == source_of(wanted) and not dry_run:
            disk = switch_config_to_copy(disk)
        settle = partial(_record, disk, image, copy_content)
        to = Destination(domain, disk.target, wanted, 0, settle=settle, known=trusted)
        changes: tuple[Change, ...] = ()
        answer = Answer()
        is_there = all(source_of(each) == to.place for each in disk.present.values())
        if is_there and not dry_run:
            to.settle()
            forget_pivot(domain, disk.target)
        elif not is_there and not (copy_content and copy_of(disk.current) == to.place):
            to, changes = _checked(disk, to, image, copy_content, accept or dry_run)
            if dry_run:
                answer = to.ask(disk)
            else:
                _act(disk, to, copy_content, progress)
    if disk.runs and not (is_there or dry_run):
        finish_copy(to, progress)
    swapped = Swapped(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=changes,
        notes=folder_risks(connection, [to.disk]),
        target=disk.target,
        before=disk.image or "",
        after=to.place,
        address=describe_address(disk.current),
        copied=copy_content,
    )
    return answer.noted_in(swapped)


def _act(disk: DiskInPlace, to: Destination, copy_content: bool, progress: Progress | None) -> None:
    if not copy_content:
        set_config_image(disk, to)
    elif disk.runs:
        start_copy(disk, to)
    else:
        copy_shut_off(disk, to, progress)


def _checked(
    disk: DiskInPlace, to: Destination, image: DiskSpec, copy_content: bool, accept: bool
) -> tuple[Destination, tuple[Change, ...]]:
    """The destination with the size of the disk, and what the guest would see. Raises what is against it."""
    refuse_another_image(disk)
    name, connection = disk.domain.name, disk.domain.connection
    seen = file_identity(to.place)
    check_source(connection, None, to.disk, trust_format=image.trust_format)
    if disk.runs and not copy_content:
        raise errors.ANOTHER_CONTENT(name=name, target=disk.target)
    if copy_content:
        to = replace(to, size=size_to_copy(disk), seen=seen)
        to.check_size()
        return to, ()
    changes = change_of_size(disk, disk_size(disk), image_size(connection, to.disk, to.known))
    if not accept:
        refuse_unasked(name, changes, condition=UNASKED_SWAP)
    return to, changes


def _record(disk: DiskInPlace, image: DiskSpec, copied: bool) -> None:
    """Keep what is recorded of the disk true: its role stays, the rest is what is known of the new image."""
    after = find_disk(disk.domain, disk.target)
    for definition, now in after.present.items():
        old = disk_record(after.documents.present[definition], now)
        described = described_record(image, now, "" if old is None else old.role)
        new = replace(described, image=old.image) if copied and old is not None else described
        if new != old and (old is not None or new.is_worth_it):
            record_disk(disk.domain, new, [definition])
    if image.trust_format:
        record_below(disk.domain, after.present.values())
