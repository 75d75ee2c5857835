"""The internal snapshots of a qcow2 image: read from its own table, brought back and removed with qemu-img."""

from __future__ import annotations

import struct

from holdfast.errors import images
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage
from holdfast.hostfiles.images.header import HEAD_BYTES, Read, detect_format
from holdfast.hostfiles.images.image import Otherwise, image_reader
from holdfast.hostfiles.images.new_image import qemu_img

_ENTRY = struct.Struct(">QIHHIIQII")
"""QEMU's docs/interop/qcow2.txt: L1 table, length of ID and name, times, size of the memory and of the extra data."""

_MOST = 1 << 26
"""Bytes that a snapshot table can have (QEMU: QCOW_MAX_SNAPSHOTS_SIZE, 64 MiB)."""


def internal_snapshots(path: str, otherwise: Otherwise | None = None) -> dict[str, str]:
    """ID → name of the snapshots inside the image ``path``, oldest first; none where it is no qcow2 image.

    Raises NO_IMAGE, NO_PERMISSION, UNREADABLE_IMAGE, NOT_AN_IMAGE, SNAPSHOT_TABLE_DAMAGED.
    """
    with image_reader(path, otherwise) as read:
        return {id: name for id, name, _ in _table(path, read)}


def sizes_of_snapshot(path: str, id: str, otherwise: Otherwise | None = None) -> tuple[int, int] | None:
    """What the image ``path`` has in bytes for its guest, now and once its snapshot ``id`` is brought back.

    None where the image does not say so (version 2 need not). Raises as :func:`internal_snapshots` does.
    """
    with image_reader(path, otherwise) as read:
        for each, _, extra in _table(path, read):
            if each == id and len(extra) >= 16:
                return struct.unpack_from(">Q", read(0, HEAD_BYTES), 24)[0], struct.unpack_from(">Q", extra, 8)[0]
    return None


def _table(path: str, read: Read) -> list[tuple[str, str, bytes]]:
    """ID, name and extra data of each snapshot."""
    header = read(0, HEAD_BYTES)
    if detect_format(header) != "qcow2":
        return []
    try:
        count, offset = struct.unpack_from(">IQ", header, 60)
        if not count:
            return []
        table = read(offset, min(_MOST, count * 4096))
        found, place = [], 0
        for _ in range(count):
            _, _, id_size, name_size, _, _, _, _, extra_size = _ENTRY.unpack_from(table, place)
            place += _ENTRY.size + extra_size
            extra = table[place - extra_size : place]
            id, name = table[place : place + id_size], table[place + id_size : place + id_size + name_size]
            found.append((id.decode(errors="replace"), name.decode(errors="replace"), extra))
            place = (place + id_size + name_size + 7) // 8 * 8
    except struct.error as error:
        raise images.SNAPSHOT_TABLE_DAMAGED(path=path) from error
    return found


def revert_to_internal(image: QemuImgImage, id: str) -> None:
    """Give the qcow2 ``image`` what its internal snapshot ``id`` holds; what it has now is lost (qemu-img snapshot -a).

    By ID, for QEMU takes a name that is a number for the ID of another one (7.2). Raises NO_QEMU_IMG, and
    QEMU_IMG_FAILED, also while a QEMU has the image open.
    """
    qemu_img("snapshot", "-a", id, *image.options, images=[image])


def remove_internal(image: QemuImgImage, name: str) -> None:
    """Remove the internal snapshot ``name``; what the image has now stays (qemu-img snapshot -d).

    Raises NO_QEMU_IMG, QEMU_IMG_FAILED.
    """
    qemu_img("snapshot", "-d", name, *image.options, images=[image])
