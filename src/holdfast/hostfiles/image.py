"""What a disk image says of itself, read from its first bytes only; no program is run and nothing is probed for use.

The format of an image is always stated by the user. The header may only *refuse* what was stated: a guest that owns a
raw disk can write a qcow2 header onto it that names any file of the host as its backing file, and whoever then lets
the header choose the format hands that file to the guest.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import Failed, NotFound, images
from holdfast.errors.elements import UNKNOWN_WORD

FORMATS = ("raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc", "parallels", "luks", "bochs", "dmg", "cloop")
"""The formats that can be stated: what libvirt 9.0 and QEMU 7.2 both know for a disk."""

HEADER_BYTES = 65536
"""Enough for every magic number, and for a qcow2 header with its extensions and backing file name (first cluster)."""

_MAGIC_BYTES = 512
"""Enough for every magic number but that of a CD."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"QED\0", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
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
_RAW_CONTENT = ("luks", "iso")
"""What an honest raw disk may hold: a CD, or a disk that the guest encrypted as a whole. Neither names other files."""

_DEEPEST = 16
"""Images of a chain that are looked at."""

_BACKING_FORMAT = 0xE2792ACA
_DATA_FILE_NAME = 0x44415441
_END_OF_EXTENSIONS = 0
_EXTERNAL_DATA_FILE = 1 << 2


@dataclass(frozen=True)
class Qcow2References:
    """The other files a qcow2 header names: QEMU would open them for the guest. None where it names none."""

    backing_file: str | None = None
    backing_format: str | None = None
    data_file: str | None = None


def detect_format(header: bytes) -> str | None:
    """The format whose published magic number ``header`` (the first bytes of an image) bears, "iso" included.

    None when it bears none: then it can only be raw. For refusing, never for choosing.
    """
    if header.startswith(_QCOW) and len(header) >= 8:
        version = struct.unpack_from(">I", header, 4)[0]
        return "qcow" if version == 1 else "qcow2"
    for offset, magic, name in _MAGIC:
        if header.startswith(magic, offset):
            return name
    return None


def qcow2_references(path: str, header: bytes) -> Qcow2References:
    """The other files that the qcow2 ``header`` of the image ``path`` names (QEMU's docs/interop/qcow2.txt).

    Raises HEADER_CUT_OFF, HEADER_DAMAGED.
    """
    try:
        version, backing_offset, backing_size = struct.unpack_from(">IQI", header, 4)
        incompatible, header_length = 0, 72
        if version >= 3:
            incompatible = struct.unpack_from(">Q", header, 72)[0]
            header_length = struct.unpack_from(">I", header, 100)[0]
        backing_format = data_file = None
        offset = header_length
        end = backing_offset or len(header)
        while offset + 8 <= end:
            kind, length = struct.unpack_from(">II", header, offset)
            if kind == _END_OF_EXTENSIONS:
                break
            value = header[offset + 8 : offset + 8 + length].decode(errors="replace")
            if kind == _BACKING_FORMAT:
                backing_format = value
            elif kind == _DATA_FILE_NAME:
                data_file = value
            offset += 8 + (length + 7) // 8 * 8
        backing_file = None
        if backing_offset:
            if backing_offset + backing_size > len(header):
                raise images.HEADER_DAMAGED(path=path)
            backing_file = header[backing_offset : backing_offset + backing_size].decode(errors="replace")
        if incompatible & _EXTERNAL_DATA_FILE and data_file is None:
            data_file = "(unnamed)"
    except struct.error as error:
        raise images.HEADER_CUT_OFF(path=path) from error
    return Qcow2References(backing_file, backing_format, data_file)


def read_header(path: str, size: int = HEADER_BYTES) -> bytes:
    """The first ``size`` bytes of the image ``path``, a file or a block device.

    Raises NO_IMAGE, UNREADABLE_IMAGE, and NOT_AN_IMAGE for something else (a folder, a socket).
    """
    with _reading(path):
        # Never wait: opening a FIFO would.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_kind(path, os.fstat(descriptor).st_mode)
            return os.read(descriptor, size)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise images.NO_IMAGE(path=path) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise images.UNREADABLE_IMAGE(path=path, reason=reason) from error


def _check_kind(path: str, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise images.NOT_AN_IMAGE(path=path)


def disguise(path: str) -> str | None:
    """The format that the raw image ``path`` begins like; None for an honest one. Reads its first bytes only.

    Raises what :func:`read_header` does.
    """
    found = detect_format(read_header(path, _MAGIC_BYTES))
    return None if found in _RAW_CONTENT else found


def check_format(path: str, stated: str, trust: bool = False) -> None:
    """Refuse the image ``path`` when its header contradicts the ``stated`` format, or names other files of the host.

    ``trust`` accepts whatever the header says, for an image whose origin the user knows, and does not open it: QEMU may
    read what this user may not. Reads the header only.

    Raises UNKNOWN_WORD, what :func:`read_header` does, NOT_RAW, ANOTHER_FORMAT, NOT_OF_FORMAT; for qcow2
    HEADER_CUT_OFF, HEADER_DAMAGED, BACKING_FORMAT_NOT_STATED, NAMES_ANOTHER_FILE.
    """
    check_format_name(stated)
    if trust:
        with _reading(path), contextlib.suppress(PermissionError):
            _check_kind(path, Path(path).stat().st_mode)
        return
    header = read_header(path)
    _check_magic(path, header, stated)
    if stated == "qcow2":
        _refuse_other_files(path, qcow2_references(path, header))


def _check_magic(path: str, header: bytes, stated: str) -> None:
    found = detect_format(header)
    if stated == "raw":
        if found is not None and found not in _RAW_CONTENT:
            raise images.NOT_RAW(path=path, found=found)
    elif found is None:
        raise images.NOT_OF_FORMAT(path=path, stated=stated)
    elif found != stated:
        raise images.ANOTHER_FORMAT(path=path, stated=stated, found=found)


def _refuse_other_files(path: str, references: Qcow2References) -> None:
    if references.backing_file is not None and references.backing_format is None:
        raise images.BACKING_FORMAT_NOT_STATED(path=path, backing=references.backing_file)
    other = references.backing_file or references.data_file
    if other is not None:
        raise images.NAMES_ANOTHER_FILE(path=path, other=other)


def is_complete(path: str, stated: str | None) -> bool:
    """True when the image ``path`` is there and, where its ``stated`` format is qcow2, so are all that it is based on.

    False also where that cannot be told: an image that this user may not read, or that is based on no file.
    """
    for _ in range(_DEEPEST):
        try:
            header = read_header(path)
            below = qcow2_references(path, header) if stated == "qcow2" else Qcow2References()
        except (NotFound, Failed):
            return False
        if below.backing_file is None:
            return True
        path, stated = str(Path(path).parent / below.backing_file), below.backing_format
    return False


def check_format_name(stated: str) -> None:
    """Raise UNKNOWN_WORD unless ``stated`` is a disk format that libvirt and QEMU know."""
    if stated not in FORMATS:
        raise UNKNOWN_WORD(what="disk format", word=stated, words=FORMATS)


def is_block_device(path: str) -> bool:
    """True when ``path`` is a block device; False for anything else, what does not exist or may not be looked at."""
    with contextlib.suppress(PermissionError):
        return Path(path).is_block_device()
    return False


def real_path(path: str) -> str:
    """``path`` without symbolic links: two names of one image come out equal."""
    return str(Path(path).resolve())
