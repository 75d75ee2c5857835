"""How an image of this host is reached: by this user itself, through the storage pool that has it, or not at all.

Images belong to root or to QEMU's user, and a user who may manage libvirt may open few of them. What an active pool
has, libvirt reads, enlarges, copies and removes for its users. They cannot reach the rest: NO_PERMISSION says so.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath

from holdfast.errors import HoldfastError, LibvirtRefused, NoConnection
from holdfast.errors.images import UNREADABLE_IMAGE
from holdfast.hostfiles import host_devices
from holdfast.hostfiles.images.header import Read
from holdfast.hostfiles.images.image import Otherwise, real_path
from holdfast.hostfiles.permission import may_open
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import pool_over
from holdfast.libvirtapi.volume import Volume, volume_at


def may_open_directly(connection: Connection, path: str) -> bool:
    """True where this user itself can read the image ``path`` and write to it."""
    return connection.is_local and may_open(path, write=True)


def sees_our_files(connection: Connection) -> bool:
    """True where the libvirt of ``connection`` is known to see the files that are seen from here."""
    is_here = connection.is_local
    return is_here and (connection.is_usual or bool(host_devices.has_our_files(connection.socket)))


def by_pool(connection: Connection) -> Otherwise:
    """A reader of the headers of images that this user may not open, through their pools (virStorageVolDownload)."""

    def reader(path: str) -> Read | None:
        volume = None if connection.readonly else volume_of_file(connection, path)
        return None if volume is None else reader_of(volume)

    return reader


def reader_of(volume: Volume) -> Read:
    """What reads a volume through libvirt (virStorageVolDownload)."""
    return partial(_read, volume)


def volume_of_file(connection: Connection, path: str) -> Volume | None:
    """The volume that the image ``path`` is; None where no active pool has it.

    A pool that has its folder, and does not know the image yet, is refreshed: libvirt may not have made the image.
    (virStorageVolLookupByPath, virStoragePoolRefresh)
    """
    for each in dict.fromkeys([path, real_path(path)] if connection.is_local else [path]):
        if (volume := volume_at(connection, each)) is not None:
            return volume
        pool = None if connection.readonly else pool_over(connection, str(PurePosixPath(each).parent))
        if pool is not None:
            with suppress(LibvirtRefused):  # it is busy
                pool.refresh()
            if (volume := volume_at(connection, each)) is not None:
                return volume
    return None


def _read(volume: Volume, offset: int, size: int) -> bytes:
    try:
        return volume.read(offset, size)
    except NoConnection:
        raise
    except HoldfastError as error:
        raise UNREADABLE_IMAGE(path=volume.path, reason=error) from error
