"""Another existing image for a disk that stays where it is: its content instead, or the disk's own copied onto it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.elements.disk import new_disk, source_of
from holdfast.domainxml.elements.mirror import copy_of
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.errors import Refused, UsageError
from holdfast.errors.guard import UNASKED_SWAP
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.copy import (
    Destination,
    Progress,
    copy_shut_off,
    finish_copy,
    give_image,
    size_to_copy,
    start_copy,
)
from holdfast.operations.disks.image_size import disk_size, image_size
from holdfast.operations.disks.in_place import DiskInPlace, disk_to_change, refuse_another_image, refuse_without_image
from holdfast.operations.disks.keep_record import record_disk
from holdfast.operations.disks.new import existing_source, record_said
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.session import changing
from holdfast.text import size_in_words


@dataclass(frozen=True)
class Swapped:
    """What a swap did: the disk's image before and after, its address, which is as before, and whether it was copied.

    ``guest_changes`` are sentences on what the guest finds changed besides the content. ``dry_run``: nothing was done.
    """

    name: str
    target: str
    before: str
    after: str
    address: str | None
    copied: bool
    guest_changes: tuple[str, ...]
    dry_run: bool


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

    The domain must be shut off: its guest finds another content at the next start, at the same address and under the
    same serial. With ``copy_content`` the content stays: it is first copied onto ``image``, over all that is there,
    also while the guest runs. ``image`` says where (path, volume, source), in which format, and what is to be recorded.

    Raises Refused (3) for a running domain without ``copy_content``, an image of another size (``accept`` takes it
    where nothing is copied) or in use, and where :func:`move_disk` does; UsageError (2), NotFound (4), Failed (1).
    (virDomainUpdateDeviceFlags; virDomainBlockCopy, or qemu-img convert)
    """
    if image.is_new or not (image.path or image.volume or image.source):
        raise UsageError("a swap takes an image that exists", "'holdfast disk move' makes a new one")
    with changing(connection, name, dry_run=dry_run) as domain:
        disk = disk_to_change(connection, domain, target, dry_run)
        refuse_without_image(disk, "swapped")
        wanted = new_disk(existing_source(connection, image), format=image.format or "raw")
        to = Destination(connection, domain, disk.target, wanted, 0, settle=lambda: _record(disk, image, copy_content))
        changes: tuple[str, ...] = ()
        is_there = all(source_of(each) == to.place for each in disk.present.values())
        if is_there and not dry_run:
            to.settle()
        elif not is_there and not (copy_content and copy_of(disk.current) == to.place):
            to, changes = _checked(connection, disk, to, image, copy_content, accept or dry_run)
            if not dry_run:
                _act(disk, to, copy_content, progress)
    if disk.runs and not (is_there or dry_run):
        finish_copy(to, progress)
    address = describe_address(disk.current)
    return Swapped(domain.name, disk.target, disk.image or "", to.place, address, copy_content, changes, dry_run)


def _act(disk: DiskInPlace, to: Destination, copy_content: bool, progress: Progress | None) -> None:
    if not copy_content:
        give_image(disk, to)
    elif disk.runs:
        start_copy(disk, to)
    else:
        copy_shut_off(disk, to, progress)


def _checked(
    connection: Connection, disk: DiskInPlace, to: Destination, image: DiskSpec, copy_content: bool, accept: bool
) -> tuple[Destination, tuple[str, ...]]:
    """The destination with the size of the disk, and what the guest would find changed. Raises what is against it."""
    refuse_another_image(disk)
    check_source(connection, None, to.disk, trust_format=image.trust_format)
    name = disk.domain.name
    if disk.runs and not copy_content:
        raise Refused(
            f"the guest of {name!r} runs: {disk.target} would have another content under its hands",
            "shut it down first; or add --copy-content, and what the disk holds is copied onto the other image",
        )
    if copy_content:
        to = replace(to, size=size_to_copy(connection, disk))
        to.check_size()
        return to, ()
    size, other = disk_size(connection, disk), image_size(connection, to.disk)
    if size == other is not None:
        return to, ()
    before, after = ("unknown" if each is None else size_in_words(each) for each in (size, other))
    change = Change(ChangeKind.CHANGED, f"disk {disk.target}", "devices/disk/size", before, after)
    if not accept:
        refuse_unasked(name, [change], condition=UNASKED_SWAP)
    return to, (str(change),)


def _record(disk: DiskInPlace, image: DiskSpec, copied: bool) -> None:
    """Keep what is recorded of the disk true: its role stays, the rest is what was said of the new image."""
    after = disk.again()
    for definition, now in after.present.items():
        old = disk_record(after.documents.present[definition], now)
        said = record_said(image, now, "" if old is None else old.role)
        new = replace(said, image=old.image) if copied and old is not None else said
        if new != old and (old is not None or new.is_worth_it):
            record_disk(disk.domain, new, [definition])
