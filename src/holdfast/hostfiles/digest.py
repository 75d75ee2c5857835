"""The content of a file of this host in one number: tells whether a firmware file is still the same build."""

from __future__ import annotations

import hashlib
from pathlib import Path

from holdfast.errors import Failed, NotFound


def sha256_of(path: str) -> str:
    """The SHA-256 of the file's content, in hexadecimal. Raises NotFound without such a file, Failed if unreadable."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror}") from error
