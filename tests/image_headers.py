"""Headers of disk images as the specifications of their formats describe them, made by hand."""

from __future__ import annotations

import struct


def qcow2(backing: bytes = b"", backing_format: bytes = b"", data_file: bytes = b"", version: int = 3) -> bytes:
    """A qcow2 header as QEMU's specification describes it, padded to a cluster."""
    extensions = b""
    for kind, value in ((0xE2792ACA, backing_format), (0x44415441, data_file)):
        if value:
            extensions += struct.pack(">II", kind, len(value)) + value.ljust((len(value) + 7) // 8 * 8, b"\0")
    extensions += struct.pack(">II", 0, 0)
    length = 104 if version == 3 else 72
    offset = length + len(extensions) if backing else 0
    head = struct.pack(">4sIQI", b"QFI\xfb", version, offset, len(backing)).ljust(72, b"\0")
    if version == 3:
        head += struct.pack(">QQQII", 4 if data_file else 0, 0, 0, 4, 104)
    return (head + extensions + backing).ljust(65536, b"\0")


def vmdk(capacity: int, text: bytes = b"") -> bytes:
    """A sparse vmdk image whose description is in its second sector."""
    return struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, capacity, 128, 1, 20).ljust(512, b"\0") + text.ljust(10240, b"\0")


QED = struct.Struct("<4sIII5QII")


def qed(features: int, backing: bytes = b"") -> bytes:
    """A qed header (QEMU's docs/interop/qed_spec.txt)."""
    return QED.pack(b"QED\0", 65536, 4, 1, features, 0, 0, 65536, 1 << 20, QED.size, len(backing)) + backing


def qcow(backing: bytes = b"") -> bytes:
    """The header of a qcow image of version 1."""
    offset = 48 if backing else 0
    return struct.pack(">4sIQI", b"QFI\xfb", 1, offset, len(backing)).ljust(48, b"\0") + backing
