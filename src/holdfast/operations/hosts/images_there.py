"""The images that a domain would have on a destination: whether they are there and as large, as far as that is seen."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from holdfast.domainxml.device import device_name, label
from holdfast.domainxml.document import Element, child
from holdfast.domainxml.elements.disk import (
    backing_files,
    host_path,
    is_optional,
    is_shared,
    pool_and_volume,
    source_of,
)
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.errors import HoldfastError, LibvirtRefused
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.storage import find_pool, has_active_pool, pool_over
from holdfast.libvirtapi.volume import Volume, volume_named
from holdfast.operations.disks.image_size import image_size
from holdfast.operations.image_access import sees_our_files, volume_of_file
from holdfast.text import size_in_words


@dataclass(frozen=True, kw_only=True)
class ComingImages:
    """What is known of the images of a domain that comes from another host, by target.

    ``sizes``      bytes that its guest has
    ``copied``     those that are copied
    ``alone``      those that are on storage of the host that they come from alone (:mod:`.alone_here`)
    ``overwrite``  True where what is there already may be written over
    ``in_pools``   True where copies can be made only in storage pools that are active there
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    copied: Collection[str] = ()
    alone: Collection[str] = ()
    overwrite: bool = False
    in_pools: bool = True


NOTHING_COMES = ComingImages()


def coming_images(
    domain: Domain, document: Element, *, copied: bool, overwrite: bool = False, in_pools: bool = True
) -> ComingImages:
    """What comes with ``domain``, of its live ``document``, or its config while it is shut off.

    With ``copied`` all that is its own, on this host, is copied. (virDomainGetBlockInfo)
    """
    disks = [disk for disk in document.iterfind("devices/disk") if source_of(disk)]
    own = [label(disk) for disk in disks if not is_shared(disk) and disk.get("type") != "network"]
    sizes = dict(_sizes(domain, disks))
    return ComingImages(sizes=sizes, copied=tuple(own) if copied else (), overwrite=overwrite, in_pools=in_pools)


def _sizes(domain: Domain, disks: Iterable[Element]) -> Iterator[tuple[str, int]]:
    for disk in disks:
        with suppress(LibvirtRefused):  # it cannot look into every image of a domain that is shut off
            yield label(disk), block.capacity(domain, label(disk))


def before_they_come(domain: Element, coming: ComingImages) -> Element:
    """``domain`` as it is to be judged while no image of it has been copied: volumes that are copied need not be there.

    :func:`coming_outlook` looks at what has to be there for them.
    """
    before = copy.deepcopy(domain)
    for disk in before.iterfind("devices/disk[@type='volume']"):
        if label(disk) in coming.copied:
            child(disk, "source").set("startupPolicy", "optional")
    return before


def coming_outlook(connection: Connection, domain: Element, coming: ComingImages) -> Iterator[Outlook]:
    """What stands in the way of the images and media of ``domain`` on the host of ``connection``, as far as is known.

    (virStorageVolLookupByPath, virStoragePoolRefresh)
    """
    for disk in domain.iterfind("devices/disk"):
        if label(disk) in coming.alone:
            yield _blocks(device_name(disk), "its image is on the own storage of the host where it is now")
        elif pool_and_volume(disk) is not None:
            yield from _volume_outlook(connection, disk, coming)
        elif (path := host_path(disk)) is not None:
            yield from _file_outlook(connection, disk, path, coming)


def _file_outlook(connection: Connection, disk: Element, path: str, coming: ComingImages) -> Iterator[Outlook]:
    who, is_copied = device_name(disk), label(disk) in coming.copied
    found = [path] if is_copied or is_optional(disk) else [path, *backing_files(disk)]
    missing = [each for each in found if is_there(connection, each) is False]
    if is_copied and not missing and is_there(connection, path) and not coming.overwrite:
        yield _blocks(who, f"the host has {path} already, which would be written over")
    elif is_copied and missing and coming.in_pools and pool_over(connection, path.rpartition("/")[0]) is None:
        yield _blocks(who, f"the host has no {path} to copy to, and no active storage pool to make it in")
    elif missing and not is_copied and not is_optional(disk):
        yield from (_blocks(who, f"the host has no {each}") for each in missing)
    elif not missing:
        yield from _of_another_size(connection, disk, coming.sizes.get(label(disk)))


def _volume_outlook(connection: Connection, disk: Element, coming: ComingImages) -> Iterator[Outlook]:
    """Of a volume that is not copied, :class:`.HostProvides` says whether it is there."""
    who, is_copied = device_name(disk), label(disk) in coming.copied
    pool, volume = pool_and_volume(disk) or ("", "")
    if is_copied and not has_active_pool(connection, pool):
        yield _blocks(who, f"the host has no active storage pool {pool} to make {volume} in")
    elif is_copied and not coming.overwrite and volume_there(connection, disk) is not None:
        yield _blocks(who, f"the host has {pool}/{volume} already, which would be written over")
    elif volume_there(connection, disk) is not None:
        yield from _of_another_size(connection, disk, coming.sizes.get(label(disk)))


def _of_another_size(connection: Connection, disk: Element, size: int | None) -> Iterator[Outlook]:
    there: int | None = None
    if size is None:
        return
    with suppress(HoldfastError):  # it cannot be looked into: QEMU there will
        there = image_size(connection, disk, None)
    if there not in (None, size):
        words = (size_in_words(each) for each in (there or 0, size))
        yield _blocks(device_name(disk), "{} there has {}, not {}".format(source_of(disk), *words))


def is_there(connection: Connection, path: str) -> bool | None:
    """Whether the host of ``connection`` has this file; None where nobody can tell from here."""
    if sees_our_files(connection):
        return file_exists(path)
    if volume_of_file(connection, path) is not None:
        return True
    return False if pool_over(connection, path.rpartition("/")[0]) is not None else None


def volume_there(connection: Connection, disk: Element) -> Volume | None:
    """The volume that ``disk`` has on the host of ``connection``; None where no active pool has it.

    (virStorageVolLookupByPath, virStorageVolLookupByName, virStoragePoolRefresh)
    """
    if (path := host_path(disk)) is not None:
        return volume_of_file(connection, path)
    pool, volume = pool_and_volume(disk) or ("", "")
    if not has_active_pool(connection, pool):
        return None
    if not connection.readonly:
        with suppress(LibvirtRefused):  # it is busy
            find_pool(connection, pool).refresh()
    return volume_named(connection, pool, volume)


def not_there_yet(connection: Connection, domain: Element, coming: ComingImages) -> list[Element]:
    """The disks whose images are copied, and made for it on the host of ``connection`` by libvirt itself."""
    disks = [disk for disk in domain.iterfind("devices/disk") if label(disk) in coming.copied]
    return [disk for disk in disks if _has_no_image_yet(connection, disk)]


def _has_no_image_yet(connection: Connection, disk: Element) -> bool:
    path = host_path(disk)
    return volume_there(connection, disk) is None if path is None else is_there(connection, path) is False


def remove_copies(connection: Connection, disks: Iterable[Element]) -> None:
    """Remove what was made of the images of ``disks`` on the host of ``connection``, which nobody has.

    (virStorageVolDelete)
    """
    for disk in disks:
        with suppress(HoldfastError):
            if (volume := volume_there(connection, disk)) is not None:
                volume.delete()


def _blocks(who: str, what: str) -> Outlook:
    return Outlook(Effect.BLOCKS, "image", f"{who}: {what}", who=who)
