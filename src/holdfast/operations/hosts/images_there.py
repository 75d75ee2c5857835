"""The images that a domain would have on a destination: whether they are there and as large, as far as that is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from holdfast.domainxml.device import device_name, label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import backing_files, host_path, is_optional, is_shared, source_of
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.errors import HoldfastError
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.storage import pool_over
from holdfast.operations.disks.image_size import image_size
from holdfast.operations.image_access import sees_our_files, volume_of_file
from holdfast.text import size_in_words


@dataclass(frozen=True, kw_only=True)
class ComingImages:
    """What is known of the images of a domain that comes from another host, by target.

    ``sizes``      bytes that its guest has
    ``copied``     those that are copied
    ``overwrite``  True where what is there already may be written over
    ``in_pools``   True where copies can be made only in storage pools that are active there
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    copied: Collection[str] = ()
    overwrite: bool = False
    in_pools: bool = True


NOTHING_COMES = ComingImages()


def coming_images(domain: Domain, live: Element, *, copy: bool, overwrite: bool) -> ComingImages:
    """What comes with ``domain``, which runs with the document ``live``; ``copy`` all that is its own, in a file.

    (virDomainGetBlockInfo)
    """
    disks = [disk for disk in live.iterfind("devices/disk") if source_of(disk)]
    own = [label(disk) for disk in disks if not is_shared(disk) and disk.get("type") != "network"]
    sizes = {label(disk): block.capacity(domain, label(disk)) for disk in disks}
    return ComingImages(sizes=sizes, copied=tuple(own) if copy else (), overwrite=overwrite)


def coming_outlook(connection: Connection, domain: Element, coming: ComingImages) -> Iterator[Outlook]:
    """What stands in the way of the images and media of ``domain`` on the host of ``connection``, as far as is known.

    (virStorageVolLookupByPath, virStoragePoolRefresh)
    """
    for disk in domain.iterfind("devices/disk"):
        path, who = host_path(disk), device_name(disk)
        if path is None:
            continue
        is_copied = label(disk) in coming.copied
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


def not_there_yet(connection: Connection, domain: Element, coming: ComingImages) -> list[str]:
    """The images to be copied that libvirt itself will make on the host of ``connection``: paths."""
    disks = [disk for disk in domain.iterfind("devices/disk") if label(disk) in coming.copied]
    return [path for disk in disks if (path := host_path(disk)) and is_there(connection, path) is False]


def remove_copies(connection: Connection, paths: Collection[str]) -> None:
    """Remove what was made of these images on the host of ``connection``, which nobody has (virStorageVolDelete)."""
    for path in paths:
        with suppress(HoldfastError):
            if (volume := volume_of_file(connection, path)) is not None:
                volume.delete()


def _blocks(who: str, what: str) -> Outlook:
    return Outlook(Effect.BLOCKS, "image", f"{who}: {what}", who=who)
