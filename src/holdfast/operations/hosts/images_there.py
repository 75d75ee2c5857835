"""The images that a domain would have on a destination: whether they are there, as far as that can be seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from holdfast.domainxml.device import device_name, label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import backing_files, host_path, is_optional
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import pool_over
from holdfast.operations.image_access import sees_our_files, volume_of_file


def missing_images(connection: Connection, domain: Element, copied: Collection[str] = ()) -> Iterator[Outlook]:
    """The images and media of ``domain`` that the host of ``connection`` is known not to have.

    Those of the disks ``copied``, by target, come along. (virStorageVolLookupByPath, virStoragePoolRefresh)
    """
    for disk in domain.iterfind("devices/disk"):
        path = host_path(disk)
        if path is None or is_optional(disk) or label(disk) in copied:
            continue
        for each in (path, *backing_files(disk)):
            if is_there(connection, each) is False:
                who = device_name(disk)
                yield Outlook(Effect.BLOCKS, "image", f"{who}: the host has no {each}", who=who)


def is_there(connection: Connection, path: str) -> bool | None:
    """Whether the host of ``connection`` has this file; None where nobody can tell from here."""
    if sees_our_files(connection):
        return file_exists(path)
    if volume_of_file(connection, path) is not None:
        return True
    return False if pool_over(connection, path.rpartition("/")[0]) is not None else None
