"""A file that may hold passwords: for its owner alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from holdfast.errors.files import CANNOT_PERMIT, CANNOT_WRITE


def write_private(path: str, text: str) -> None:
    """Write ``text`` to the file ``path``, which is there as a whole or not at all (rename(2)); its folder is made.

    Raises CANNOT_WRITE.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".holdfast-", dir=target.parent)  # 0600
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise CANNOT_WRITE(path=path, reason=error.strerror) from error


def make_private(path: str) -> None:
    """Take the file ``path`` from everybody but its owner (chmod(2)); no error where there is none.

    Raises CANNOT_PERMIT.
    """
    try:
        Path(path).chmod(0o600)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CANNOT_PERMIT(path=path, reason=error.strerror) from error
