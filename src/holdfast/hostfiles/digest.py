"""The content of a file of this host in one number, and its age: whether a firmware file is still the same build."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from holdfast.errors import files


def sha256_of(path: str) -> str:
    """The SHA-256 of the file's content, in hexadecimal. Raises NO_FILE, UNREADABLE."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise files.NO_FILE(path=path) from error
    except OSError as error:
        raise files.UNREADABLE(path=path, reason=error.strerror) from error


def loaded_library(name: str) -> str | None:
    """The file of the shared library ``name`` that this process has: "libvirt.so"; None where nobody can tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            path = line.rpartition(" ")[2]
            if path.rpartition("/")[2].startswith(f"{name}."):
                return path
    return None


def is_older(path: str, other: str) -> bool:
    """True when the file ``path``, and the name itself, were changed last before ``other`` was written; False where
    nobody can tell.
    """
    with contextlib.suppress(OSError):
        written = Path(other).stat().st_mtime_ns
        return max(Path(path).stat().st_ctime_ns, Path(path).lstat().st_ctime_ns) < written
    return False
