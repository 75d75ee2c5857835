"""The files below an image, as its header names them, and its removal. For deciding what may go, never what to open."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from holdfast.errors import NotFound, images
from holdfast.errors.files import NO_PERMISSION
from holdfast.hostfiles.images.header import HEAD_BYTES, detect_format
from holdfast.hostfiles.images.image import Otherwise, file_name, identity_of_file, image_reader, named_by, real_path
from holdfast.hostfiles.new_file import folder_of

_LARGEST_TABLE = 32 << 20
"""Bytes of a qcow2 image's first table (QEMU: QCOW_MAX_L1_SIZE)."""


def files_below(path: str, *, elsewhere: bool = False, otherwise: Otherwise | None = None) -> list[str]:
    """The files that the image ``path`` rests on, nearest first; empty when there is no such image.

    Read from their headers, ``otherwise`` where this user may not open them; a name that is no file of this host
    (``nbd://…``) ends the chain, and is in it with ``elsewhere`` only. Raises NO_PERMISSION, UNREADABLE_IMAGE,
    NOT_AN_IMAGE, HEADER_CUT_OFF, HEADER_DAMAGED for an image of the chain.
    """
    chain: list[str] = []
    waiting = [path]
    while waiting:
        for name, is_file in _named_by(waiting.pop(), otherwise):
            if name not in chain and (is_file or elsewhere):
                chain.append(name)
                waiting += [name] * is_file
    return chain


def _named_by(path: str, otherwise: Otherwise | None) -> list[tuple[str, bool]]:
    """What the image ``path`` names, and whether that is a file."""
    try:
        named = [(file_name(each), each.file) for each in named_by(path, otherwise)]
    except NotFound:
        return []
    folder = Path(real_path(path)).parent
    return [(str(folder / file), True) if file else (words, False) for file, words in named]


def holds_data(path: str) -> bool:
    """True when something was written to the qcow2 image ``path`` since it was made; False where there is none.

    Raises UNREADABLE_IMAGE, NOT_AN_IMAGE, HEADER_CUT_OFF. (QEMU's docs/interop/qcow2.txt: the L1 table)
    """
    try:
        with image_reader(path) as read:
            header = read(0, HEAD_BYTES)
            if detect_format(header) != "qcow2":
                return False
            entries, offset = struct.unpack_from(">IQ", header, 36)
            return any(read(offset, min(entries * 8, _LARGEST_TABLE)))
    except NotFound:
        return False
    except struct.error as error:
        raise images.HEADER_CUT_OFF(path=path, format="qcow2") from error


def remove_image_file(path: str, seen: str | None = None) -> None:
    """Remove the file ``path`` (unlink(2)); where it was ``seen`` what it is (:func:`.image.file_identity`), no other.

    Raises NO_IMAGE, EXCHANGED, NO_PERMISSION, CANNOT_REMOVE.
    """
    try:
        with folder_of(path) as folder:
            name = Path(path).name
            if seen not in (None, identity_of_file(os.stat(name, dir_fd=folder))):
                raise images.EXCHANGED(path=path)
            os.unlink(name, dir_fd=folder)
    except FileNotFoundError as error:
        raise images.NO_IMAGE(path=path) from error
    except PermissionError as error:
        raise NO_PERMISSION(deed="remove the image", path=path) from error
    except OSError as error:
        raise images.CANNOT_REMOVE(path=path, reason=error.strerror) from error
