"""What the header of a disk image says: the format whose mark it bears, and the other files that it names.

Every format that can be stated is here, with what QEMU follows in it; another one is refused. Nothing is opened here,
no program is run, and nothing is chosen by what a header says: it can only be refused.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdfast.errors import images

HEAD_BYTES = 65536
"""Enough for every magic number, and for the extensions of a qcow2 header in its first cluster."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"QED\0", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vpc"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0x8001, b"CD001", "iso"),
)
_QCOW = b"QFI\xfb"

_BACKING_FORMAT = 0xE2792ACA
_DATA_FILE_NAME = 0x44415441
_END_OF_EXTENSIONS = 0
_EXTERNAL_DATA_FILE = 1 << 2

_LONGEST_NAME = 1023
"""Bytes that QEMU accepts of the name of a backing file."""

_QED_HAS_BACKING, _QED_BACKING_IS_RAW = 1 << 0, 1 << 2

_VMDK_DESCRIPTION = re.compile(rb"(?:#[^\n]*\n| *\r?\n)*(?:# Disk DescriptorFile|version=[123]\r?\n)")
"""How a description of a vmdk image begins that is a file of its own (QEMU's vmdk_probe, VMware's own mark)."""
_VMDK_PARENT = re.compile(rb'parentFileNameHint..([^"\0]*)"', re.DOTALL)
"""As QEMU finds it (block/vmdk.c): behind the first such word and two bytes, whatever those are."""
_VMDK_EXTENT = re.compile(rb'^[ \t]*RW[ \t]+\d+[ \t]+\w+[ \t]+"([^"\0\n]*)', re.MULTILINE)


@dataclass(frozen=True)
class Named:
    """A file that a header names, and that QEMU would open for the guest.

    ``file``        as it stands there: in QEMU's notation, or relative to the image's own folder
    ``format``      the one that the header states for it; None where it states none, and QEMU would guess
    ``is_backing``  True for what the image rests on, False for a part of the image itself
    """

    file: str
    format: str | None
    is_backing: bool = True


Read = Callable[[int, int], bytes]
"""The bytes of an image from an offset on, so many of them; fewer where it ends."""


def detect_format(header: bytes) -> str | None:
    """The format whose published magic number ``header`` (the first bytes of an image) bears, "iso" included.

    None when it bears none: then it can only be raw. For refusing, never for choosing.
    """
    if header.startswith(_QCOW) and len(header) >= 8:
        version = struct.unpack_from(">I", header, 4)[0]
        return "qcow" if version == 1 else "qcow2"
    if _VMDK_DESCRIPTION.match(header):
        return "vmdk"
    for offset, magic, name in _MAGIC:
        if header.startswith(magic, offset):
            return name
    return None


def named_files(path: str, format: str, read: Read) -> list[Named]:
    """The files that an image of this ``format`` names, in the order in which QEMU opens them.

    ``path`` is for messages alone. Raises HEADER_CUT_OFF, HEADER_DAMAGED.
    """
    try:
        return list(_NAMED[format](path, read))
    except struct.error as error:
        raise images.HEADER_CUT_OFF(path=path, format=format) from error


def _nothing(_path: str, _read: Read) -> Iterator[Named]:
    """For a format in which QEMU (7.2 to 11.1) follows no name.

    The parents of VHDX, VHD and VDI are among them: it refuses such an image, or reads it as if there were none.
    """
    return iter(())


def _qcow(path: str, read: Read) -> Iterator[Named]:
    """Version 1 cannot say in which format its backing file is (QEMU's block/qcow.c)."""
    offset, size = struct.unpack_from(">QI", read(0, 20), 8)
    if name := _backing_name(path, "qcow", read, offset, size):
        yield Named(name, None)


def _qcow2(path: str, read: Read) -> Iterator[Named]:
    """QEMU's docs/interop/qcow2.txt."""
    header = read(0, HEAD_BYTES)
    version, offset, size = struct.unpack_from(">IQI", header, 4)
    incompatible, length = 0, 72
    if version >= 3:
        incompatible = struct.unpack_from(">Q", header, 72)[0]
        length = struct.unpack_from(">I", header, 100)[0]
    extensions = _extensions(header[: offset or None], length)
    data_file = extensions.get(_DATA_FILE_NAME)
    if data_file is not None or incompatible & _EXTERNAL_DATA_FILE:
        yield Named(data_file or "(unnamed)", "raw", is_backing=False)
    if name := _backing_name(path, "qcow2", read, offset, size):
        yield Named(name, extensions.get(_BACKING_FORMAT))


def _extensions(header: bytes, offset: int) -> dict[int, str]:
    found = {}
    while offset + 8 <= len(header):
        kind, length = struct.unpack_from(">II", header, offset)
        if kind == _END_OF_EXTENSIONS:
            break
        found[kind] = _text(header[offset + 8 : offset + 8 + length])
        offset += 8 + (length + 7) // 8 * 8
    return found


def _qed(path: str, read: Read) -> Iterator[Named]:
    """QEMU's docs/interop/qed_spec.txt."""
    header = read(0, 64)
    features = struct.unpack_from("<Q", header, 16)[0]
    offset, size = struct.unpack_from("<II", header, 56)
    if features & _QED_HAS_BACKING:
        name = _backing_name(path, "qed", read, offset, size)
        yield Named(name or "(unnamed)", "raw" if features & _QED_BACKING_IS_RAW else None)


def _backing_name(path: str, format: str, read: Read, offset: int, size: int) -> str:
    """The name of the backing file, of ``size`` bytes at ``offset``; empty where there is none."""
    if not (offset and size):
        return ""
    name = read(offset, size) if size <= _LONGEST_NAME else b""
    if len(name) < size:
        raise images.HEADER_DAMAGED(path=path, format=format)
    return _text(name)


def _vmdk(_path: str, read: Read) -> Iterator[Named]:
    """A parent, and the extents of an image that is in several files (QEMU's block/vmdk.c).

    A sparse image is one extent itself, unless its header gives no capacity: then QEMU goes by the description.
    """
    head = read(0, HEAD_BYTES)
    description: bytes | None = head
    if head.startswith((b"KDMV", b"COWD")):
        capacity, place = (1, 0) if head.startswith(b"COWD") else _vmdk_capacity(head)
        description = read(place * 512, HEAD_BYTES) if not capacity and place else None
    if description is not None:
        extents = _VMDK_EXTENT.findall(description) or [b"(unnamed)"]
        yield from (Named(_text(extent), None, is_backing=False) for extent in extents)
    _, hint, behind = head.partition(b"parentFileNameHint")
    if hint:
        parent = _VMDK_PARENT.match(hint + behind)
        name = _text(parent[1]) if parent is not None else "(unnamed)"
        if name:
            yield Named(name, "vmdk")


def _vmdk_capacity(head: bytes) -> tuple[int, int]:
    """The capacity of a sparse image, and where its description is; in sectors."""
    capacity, _, place = struct.unpack_from("<QQQ", head, 12)
    return capacity, place


def _text(name: bytes) -> str:
    """A name as QEMU takes it: up to the first NUL."""
    return name.partition(b"\0")[0].decode(errors="replace")


_NAMED: dict[str, Callable[[str, Read], Iterator[Named]]] = {
    "raw": _nothing,
    "qcow2": _qcow2,
    "qcow": _qcow,
    "qed": _qed,
    "vmdk": _vmdk,
    "vdi": _nothing,
    "vhdx": _nothing,
    "vpc": _nothing,
    "parallels": _nothing,
    "luks": _nothing,
    "bochs": _nothing,
    "dmg": _nothing,
    "cloop": _nothing,
}

FORMATS = tuple(_NAMED)
"""The formats that can be stated: what libvirt 9.0 and QEMU 7.2 both know for a disk."""


def can_name_files(format: str) -> bool:
    """True for a format whose header can name other files; also for one that is not known."""
    return _NAMED.get(format) is not _nothing
