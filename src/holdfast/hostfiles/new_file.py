"""Writing a file that the user names: whole or not at all, and known to be possible before the work begins."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from holdfast.errors import files


@contextlib.contextmanager
def new_file(path: str) -> Iterator[Callable[[str], object]]:
    """A function that writes text; at the end the file takes the place of whatever was at ``path`` (rename(2)).

    After an error in between, what was there before still is. Raises CANNOT_WRITE.
    """
    target = Path(path)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".holdfast-", dir=target.parent)
    except OSError as error:
        raise files.CANNOT_WRITE(path=path, reason=error.strerror) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            yield file.write
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise files.CANNOT_WRITE(path=path, reason=error.strerror) from error
    finally:
        temporary.unlink(missing_ok=True)
