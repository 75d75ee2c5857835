"""Whether a file is an archive, before it is opened as one."""

from __future__ import annotations

from pathlib import Path

from holdfast.errors import files

_MAGIC_AT = 257
"""Where a tar header says what it is: "ustar" (POSIX.1-2001)."""

_COMPRESSED = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}
"""Program → how what it writes begins."""


def is_archive(path: str) -> bool:
    """True where the file ``path`` is a tar archive.

    Raises NO_FILE, UNREADABLE, and NOT_AN_ARCHIVE for what is compressed.
    """
    try:
        with Path(path).open("rb") as file:
            begin = file.read(512)
        for program, magic in _COMPRESSED.items():
            if begin.startswith(magic):
                raise files.NOT_AN_ARCHIVE(path=path, reason=f"it is compressed with {program}: unpack it first")
        return begin[_MAGIC_AT:].startswith(b"ustar")
    except FileNotFoundError as error:
        raise files.NO_FILE(path=path) from error
    except OSError as error:
        raise files.UNREADABLE(path=path, reason=error.strerror) from error
