"""The file that holds a guest's UEFI variables: read whole, and written whole, raw or as qcow2."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from holdfast.errors import files
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage, open_for_qemu_img
from holdfast.hostfiles.images.header import detect_format
from holdfast.hostfiles.images.new_image import copy_image
from holdfast.hostfiles.new_file import creating, remove_file, whole_file

_RAW, _QCOW2 = "raw", "qcow2"


def read_nvram(path: str) -> bytes | None:
    """What the firmware sees of the file ``path``; None where there is none.

    Raises UNREADABLE_BY_THIS_USER, NO_QEMU_IMG, QEMU_IMG_FAILED.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.UNREADABLE_BY_THIS_USER(path=path, reason=error.strerror) from error
    if detect_format(content) != _QCOW2:
        return content
    with open_for_qemu_img(path, _QCOW2) as source, _in_memory(_RAW) as image:
        copy_image(source, image)
        return Path(image.place).read_bytes()


def write_nvram(path: str, content: bytes, format: str, like: str) -> None:
    """Write the file ``path``, whole or not at all, in place of what a command that was killed has left there.

    It belongs to whom the file ``like`` does, as far as this user may say so. Raises CANNOT_CREATE and its like,
    NO_QEMU_IMG, QEMU_IMG_FAILED.
    """
    if format == _QCOW2:
        with _in_memory(_RAW, content) as source, _in_memory(_QCOW2) as image:
            copy_image(source, image)
            content = Path(image.place).read_bytes()
    with creating(path), whole_file(path, over=True) as file:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            owner = Path(like).stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(content)


def remove_nvram(path: str) -> None:
    """Remove the file ``path``; no error where there is none. Raises CANNOT_REMOVE_FILE."""
    try:
        remove_file(path)
    except OSError as error:
        raise files.CANNOT_REMOVE_FILE(path=path, reason=error.strerror) from error


def when_written(path: str) -> float:
    """The time of the last change of the file ``path`` (st_mtime). Raises UNREADABLE_BY_THIS_USER."""
    try:
        return Path(path).stat().st_mtime
    except OSError as error:
        raise files.UNREADABLE_BY_THIS_USER(path=path, reason=error.strerror) from error


@contextlib.contextmanager
def _in_memory(format: str, content: bytes = b"") -> Iterator[QemuImgImage]:
    """An image in memory, for qemu-img (memfd_create(2))."""
    descriptor = os.memfd_create("holdfast-nvram", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        place = f"/dev/fd/{descriptor}"
        itself = ("-f", format, place)
        yield QemuImgImage("an NVRAM in memory", format, place, itself, itself, (descriptor,))
    finally:
        os.close(descriptor)
