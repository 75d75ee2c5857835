"""Making a disk larger: the guest sees its new size, and nothing else changes. Never smaller."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.host.volume import volume_format
from holdfast.errors import Failed, LibvirtRefused, PartlyDone, Refused
from holdfast.hostfiles import new_image
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.image_size import disk_size, volume_of, whole_sectors
from holdfast.operations.disks.in_place import (
    DiskInPlace,
    disk_to_change,
    prove,
    refuse_managed_save,
    refuse_while_copied,
    refuse_without_image,
)
from holdfast.operations.session import changing
from holdfast.text import size_in_words


@dataclass(frozen=True)
class Extended:
    """What an extend did: the disk's target, where its image is, and its sizes before and after in bytes.

    ``dry_run``: nothing was done, and ``after`` is what it would be.
    """

    name: str
    target: str
    image: str
    before: int
    after: int
    dry_run: bool


def extend_disk(connection: Connection, name: str, target: str, size: int, *, dry_run: bool = False) -> Extended:
    """Make the disk ``target`` of the domain ``name`` ``size`` bytes large, rounded up to whole sectors.

    While it runs QEMU does it and tells the guest (virDomainBlockResize); shut off, the image or volume is enlarged
    (qemu-img, or virStorageVolResize where libvirt is on another host). Of exactly this size already: nothing is done.

    Raises Refused (3) for a smaller size, a shared disk and a managed-save image, UsageError (2) for a CD, a floppy or
    a lun, NotFound (4), and Failed (1) when what holds the image does not let it grow: block devices and network
    exports are made larger where they are, and then extended to the size they have.
    """
    size = whole_sectors(size)
    with changing(connection, name, dry_run=dry_run) as domain:
        disk = disk_to_change(connection, domain, target, dry_run)
        refuse_without_image(disk, "extended")
        refuse_while_copied(disk)
        refuse_managed_save(disk)
        image = disk.image or ""
        before = disk_size(connection, disk)
        if before is None:
            raise Failed(
                f"how large {image} is cannot be seen while {domain.name!r} is shut off",
                f"'holdfast start {domain.name}', and extend it while it runs",
            )
        if size < before:
            raise Refused(
                f"the disk {disk.target} has {size_in_words(before)}: with {size_in_words(size)} it would lose data",
                "a disk can only become larger",
            )
        if size > before and not dry_run:
            _extend(connection, disk, size)
        return Extended(domain.name, disk.target, image, before, size, dry_run)


def _extend(connection: Connection, disk: DiskInPlace, size: int) -> None:
    if disk.runs:
        _extend_running(disk, size)
    else:
        _extend_shut_off(connection, disk, size)
    after = disk_size(connection, prove(disk, disk.image, ()))
    if after is not None and after != size:
        raise PartlyDone(f"the disk {disk.target} was to have {size} bytes, and has {after}", "repeat it")


def _extend_running(disk: DiskInPlace, size: int) -> None:
    try:
        block.resize(disk.domain, disk.target, size)
    except LibvirtRefused as error:
        hint = None if disk.current.get("type") == "file" else f"make {disk.image} larger where it is, then repeat this"
        raise Failed(f"the disk {disk.target} does not become larger: {error.message}", hint) from error


def _extend_shut_off(connection: Connection, disk: DiskInPlace, size: int) -> None:
    image, format = source_of(disk.current) or "", stated_format(disk.current)
    volume = volume_of(connection, disk.current)
    if connection.is_local and disk.current.get("type") != "volume":
        new_image.grow_image(image, format, size)
    elif volume is None:
        raise Failed(
            f"no active pool has {image}, so nobody can make it larger from here",
            f"'holdfast start {disk.domain.name}', and extend it while it runs",
        )
    elif (found := volume_format(volume.xml())) not in (None, format):
        raise Refused(f"the disk {disk.target} is {format}, but libvirt takes {image} for {found}", None)
    else:
        volume.resize(size)
