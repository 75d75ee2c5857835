"""How qemu-img is handed an image: as the descriptors at which it was checked, so that nothing is opened by name again.

qemu-img (7.2) opens ``/dev/fd/N``; only QEMU itself knows ``/dev/fdset``. For a format that can rest on another image,
qemu-img is also told what the image rests on, or that it rests on nothing, whatever its header says.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Container, Iterator
from dataclasses import dataclass

from holdfast.errors import images
from holdfast.hostfiles.images.image import OpenImage, identity_of_file, opened_image

_CHUNK = 1 << 20
"""Bytes that are read of an image at a time."""

_RESTS_ON_OTHERS = ("qcow2", "qcow", "qed", "vmdk")
"""The formats with QEMU's option "backing"."""


@dataclass(frozen=True)
class QemuImgImage:
    """An image in the words of qemu-img's command line.

    ``name``         for people: its path or URL
    ``format``       the stated one
    ``place``        the argument where the image is written as a whole
    ``options``      the arguments where it is read or changed, together with all that it rests on
    ``itself``       the same without what it rests on
    ``descriptors``  those that qemu-img needs
    """

    name: str
    format: str
    place: str
    options: tuple[str, ...]
    itself: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


@contextlib.contextmanager
def open_for_qemu_img(place: str, format: str, known: Container[str] | None = ()) -> Iterator[QemuImgImage]:
    """The image at ``place``, a path or a URL of QEMU's; a file or block device is checked and stays open meanwhile.

    ``known`` are the real paths of what it may rest on. With None, and for an image on the network, qemu-img opens it
    by name and follows its header. Raises RESTS_ELSEWHERE, and what :func:`opened_image` does.
    """
    if not place.startswith("/"):
        by_url = ("-f", format, place)
        yield QemuImgImage(place, format, place, by_url, by_url)
    elif known is None:
        by_name = (f"json:{json.dumps({'driver': format, 'file.filename': place})}",)
        yield QemuImgImage(place, format, place, by_name, by_name)
    else:
        with opened_image(place, format, known) as image:
            yield for_qemu_img(image)


def for_qemu_img(image: OpenImage) -> QemuImgImage:
    """An open image for qemu-img. Raises RESTS_ELSEWHERE where part of it is no file here."""
    for each in image.whole():
        if each.elsewhere:
            raise images.RESTS_ELSEWHERE(path=each.path, other=each.elsewhere[0])
    descriptors = tuple(each.descriptor for each in image.whole())
    whole, itself = (f"json:{json.dumps(each)}" for each in (_node(image), _without_backing(image)))
    return QemuImgImage(image.path, image.format, _name(image), (whole,), (itself,), descriptors)


def bytes_of(image: QemuImgImage) -> tuple[int, Iterator[bytes]]:
    """The size of an image that is one file or block device, and its bytes; reading these raises UNREADABLE_IMAGE.

    Raises NOT_UPLOADED for an image that consists of several files.
    """
    if len(image.descriptors) != 1:
        raise images.NOT_UPLOADED(path=image.name, reason="it may rest on other files")
    file = image.descriptors[0]
    size = os.lseek(file, 0, os.SEEK_END)
    return size, _chunks(image.name, file, size)


def _chunks(path: str, file: int, size: int) -> Iterator[bytes]:
    for offset in range(0, size, _CHUNK):
        try:
            yield os.pread(file, min(_CHUNK, size - offset), offset)
        except OSError as error:
            raise images.UNREADABLE_IMAGE(path=path, reason=error.strerror) from error


def refuse_exchanged(image: QemuImgImage, seen: str) -> None:
    """Raise EXCHANGED where another file is open than was ``seen`` there (:func:`.image.file_identity`)."""
    if image.descriptors and identity_of_file(os.fstat(image.descriptors[0])) != seen:
        raise images.EXCHANGED(path=image.name)


def _node(image: OpenImage) -> dict[str, object]:
    node = _without_backing(image)
    if image.backing is not None:
        node["backing"] = _node(image.backing)
    return node


def _without_backing(image: OpenImage) -> dict[str, object]:
    node: dict[str, object] = {"driver": image.format, "file": _file(image)}
    if image.format in _RESTS_ON_OTHERS:
        node["backing"] = None
    if image.parts and image.format == "qcow2":
        node["data-file"] = _file(image.parts[0])
    elif image.parts:  # QEMU finds the extents of a vmdk image beside it, and only there
        node["file"] = {"driver": "file", "filename": image.path}
    return node


def _file(image: OpenImage) -> dict[str, object]:
    is_block = stat.S_ISBLK(os.fstat(image.descriptor).st_mode)
    return {"driver": "host_device" if is_block else "file", "filename": _name(image)}


def _name(image: OpenImage) -> str:
    return f"/dev/fd/{image.descriptor}"
