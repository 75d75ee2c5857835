"""The content of a file of this host in one number: tells whether a firmware file is still the same build."""

from __future__ import annotations

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
