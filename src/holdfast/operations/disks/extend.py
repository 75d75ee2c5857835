"""Making a disk larger: the guest sees its new size, and nothing else changes. Never smaller."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.elements.disk import host_path, stated_format
from holdfast.domainxml.host.volume import volume_format
from holdfast.errors import LibvirtRefused
from holdfast.errors import disks as errors
from holdfast.hostfiles.images import new_image
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.volume import Volume
from holdfast.operations.disks.image_size import change_of_size, disk_size, volume_of, whole_sectors
from holdfast.operations.disks.in_place import (
    DiskInPlace,
    find_disk,
    prove_only_image_changed,
    refuse_managed_save,
    refuse_while_copied,
    refuse_without_image,
)
from holdfast.operations.disks.known_files import open_disk_for_qemu_img, refuse_unknown_below
from holdfast.operations.disks.newest_image import refuse_forgotten_qemu
from holdfast.operations.image_access import may_open_directly, volume_of_file
from holdfast.operations.results import Result
from holdfast.operations.session import Need, changing
from holdfast.text import size_in_words


@dataclass(frozen=True, kw_only=True)
class Extended(Result):
    """An extend; ``changes`` is the size that the guest sees.

    ``target``             the disk's target
    ``image``              where its image is
    ``before``, ``after``  its size in bytes
    """

    target: str
    image: str
    before: int
    after: int


def extend_disk(connection: Connection, name: str, target: str, size: int, *, dry_run: bool = False) -> Extended:
    """Make the disk ``target`` of the domain ``name`` ``size`` bytes large, rounded up to whole sectors.

    While it runs, QEMU does it and tells the guest (virDomainBlockResize); while it is shut off, qemu-img does
    it, or libvirt where it is on another host or this user may not write to the image (virStorageVolResize). A disk of
    exactly this size is left alone.

    Raises IN_RESCUE, QEMU_FORGOTTEN, NO_DISK, NOT_A_DISK, IS_A_DRIVE, NOT_ITS_OWN, BEING_COPIED, MANAGED_SAVE,
    SIZE_UNKNOWN, SMALLER; DOES_NOT_GROW, GROWS_WHERE_IT_IS, NOT_IN_A_POOL when what holds the image does not let it
    grow: block devices and network exports are made larger where they are, and then extended to the size they have.
    NOT_EXTENDED, and what :func:`prove_only_image_changed` raises, when somebody else was at work meanwhile.
    """
    size = whole_sectors(size)
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        disk = find_disk(domain, target)
        refuse_without_image(disk)
        refuse_forgotten_qemu(domain)
        refuse_while_copied(disk)
        refuse_managed_save(disk)
        image = disk.image or ""
        before = disk_size(disk)
        if before is None:
            raise errors.SIZE_UNKNOWN(name=domain.name, image=image)
        if size < before:
            raise errors.SMALLER(target=disk.target, size=size_in_words(before), wanted=size_in_words(size))
        if size > before and dry_run:
            _refuse_unextendable(disk)
        elif size > before:
            _extend(disk, size)
        return Extended(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            changes=change_of_size(disk, before, size),
            target=disk.target,
            image=image,
            before=before,
            after=size,
        )


def _refuse_unextendable(disk: DiskInPlace) -> None:
    """Raise what :func:`_extend` would, as far as that is known beforehand."""
    if _is_extended_by_qemu_img(disk):
        with open_disk_for_qemu_img(disk):
            pass
    elif not disk.runs:
        _volume_to_extend(disk)


def _extend(disk: DiskInPlace, size: int) -> None:
    if disk.runs:
        _extend_running(disk, size)
    else:
        _extend_shut_off(disk, size)
    after = disk_size(prove_only_image_changed(disk, disk.image, ()))
    if after is not None and after != size:
        raise errors.NOT_EXTENDED(target=disk.target, wanted=size, size=after)


def _extend_running(disk: DiskInPlace, size: int) -> None:
    try:
        block.resize(disk.domain, disk.target, size)
    except LibvirtRefused as error:
        condition = errors.DOES_NOT_GROW if disk.current.get("type") == "file" else errors.GROWS_WHERE_IT_IS
        raise condition(target=disk.target, image=disk.image, cause=error) from error


def _is_extended_by_qemu_img(disk: DiskInPlace) -> bool:
    """True where qemu-img makes the image larger: of a domain that is shut off, and that this user may open."""
    path, connection = host_path(disk.current), disk.domain.connection
    is_named = connection.is_local and disk.current.get("type") != "volume"
    return not disk.runs and is_named and (path is None or may_open_directly(connection, path))


def _extend_shut_off(disk: DiskInPlace, size: int) -> None:
    if _is_extended_by_qemu_img(disk):
        with open_disk_for_qemu_img(disk) as given:
            new_image.grow_image(given, size)
    else:
        _volume_to_extend(disk).resize(size)


def _volume_to_extend(disk: DiskInPlace) -> Volume:
    """The volume that libvirt enlarges, by its path. Raises NOT_IN_A_POOL, FORMAT_OF_VOLUME, NAMES_ANOTHER_NOW."""
    connection, image, format = disk.domain.connection, disk.image or "", stated_format(disk.current)
    volume = volume_of(connection, disk.current) or volume_of_file(connection, image)
    if volume is None:
        raise errors.NOT_IN_A_POOL(name=disk.domain.name, image=image)
    if (found := volume_format(volume.xml())) not in (None, format):
        raise errors.FORMAT_OF_VOLUME(target=disk.target, format=format, image=image, found=found)
    refuse_unknown_below(disk)
    return volume
