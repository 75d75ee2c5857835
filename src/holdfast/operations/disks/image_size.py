"""How large a disk is for its guest, and which volume of a pool it has: asked of QEMU, libvirt or the file."""

from __future__ import annotations

from collections.abc import Container

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import host_path, source_of, stated_format
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.images.new_image import virtual_size
from holdfast.hostfiles.permission import may_open
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.volume import Volume, volume_at, volume_named
from holdfast.operations.disks.in_place import DiskInPlace
from holdfast.text import size_in_words

_SECTOR = 512


def disk_size(disk: DiskInPlace) -> int | None:
    """The size of a disk in bytes; None where nobody can tell while the domain is shut off.

    (virDomainGetBlockInfo, virStorageVolGetInfo, qemu-img info)
    """
    if disk.runs or host_path(disk.current) is not None:
        return whole_sectors(block.capacity(disk.domain, disk.target))
    return image_size(disk.domain.connection, disk.current)


def change_of_size(disk: DiskInPlace, before: int | None, after: int | None) -> tuple[Change, ...]:
    """What the guest sees when the size of ``disk``, in bytes, is another; None is one that is not known."""
    if before == after is not None:
        return ()
    was, becomes = ("unknown" if each is None else size_in_words(each) for each in (before, after))
    return (Change(ChangeKind.CHANGED, f"disk {disk.target}", "devices/disk/size", was, becomes),)


def whole_sectors(size: int) -> int:
    """``size`` bytes rounded up as QEMU does it for its guests."""
    return -(-size // _SECTOR) * _SECTOR


def image_size(connection: Connection, disk: Element, known: Container[str] | None = ()) -> int | None:
    """The size in bytes of the image that a ``<disk>`` element names, which no guest has; None where it is not known.

    ``known`` is as for :func:`open_for_qemu_img`. Raises NO_QEMU_IMG, UNREADABLE_IMAGE, and what that does.
    """
    image = source_of(disk)
    if image is None:
        return None
    path = host_path(disk)
    if connection.is_local and disk.get("type") != "volume" and (path is None or may_open(path)):
        with open_for_qemu_img(image, stated_format(disk), known) as given:
            return whole_sectors(virtual_size(given))
    volume = volume_of(connection, disk)
    return None if volume is None else whole_sectors(volume.capacity())


def volume_of(connection: Connection, disk: Element) -> Volume | None:
    """The volume of an active pool that a disk has, by its name or its path; None when it has none."""
    source = disk.find("source")
    if source is None:
        return None
    pool, volume = source.get("pool"), source.get("volume")
    if pool is not None and volume is not None:
        return volume_named(connection, pool, volume)
    path = host_path(disk)
    return None if path is None else volume_at(connection, path)


def in_pool(connection: Connection, disk: Element) -> str:
    """POOL/VOLUME of the image whose path a disk has; empty where no active pool has it, or the disk says so itself."""
    volume = None if disk.get("type") == "volume" else volume_of(connection, disk)
    return "" if volume is None else volume.in_pool()
