"""Folders of our own in the temporary folder, for this user alone: locked while anybody is at work in them (flock(2)).

So what is left after a kill is known as that, and the audit can name it. Nothing is asked of :mod:`tempfile` but names:
its own look for a temporary folder leaves a file there when it is killed (3.11).
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from pathlib import Path

CHILD = "holdfast-child-"
"""The beginning of the names of folders that a child process works in."""
EDIT = "holdfast-edit-"
"""The beginning of the names of folders with a text that is edited."""

_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_ELSE = ("/tmp", "/var/tmp")


def make_locked(prefix: str) -> tuple[Path, int]:
    """A new folder, and the descriptor that has it locked: for as long as a copy of that is open. Raises OSError."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_temporary_folder()))
        if (lock := lock_with_others(folder)) is not None:
            return folder, lock
        folder.rmdir()  # somebody was looking whether it is a left one, before it was locked


def unused_path(prefix: str) -> Path:
    """Where a new folder can be made, under a name that nobody foresees."""
    return Path(_temporary_folder(), f"{prefix}{os.urandom(4).hex()}")


def lock_with_others(folder: Path) -> int | None:
    """A descriptor that has ``folder`` locked, as others may; None where that is gone or being removed."""
    return _lock(folder, fcntl.LOCK_SH)


def left_folders(prefix: str) -> list[Path]:
    """The folders of this user that nobody is at work in: those of processes that have ended."""
    return [folder for folder in sorted(Path(_temporary_folder()).glob(f"{prefix}*")) if _is_left(folder)]


def _temporary_folder() -> str:
    if tempfile.tempdir is not None:
        return os.fsdecode(tempfile.tempdir)
    named = (os.environ.get(name, "") for name in _VARIABLES)
    found = (folder for folder in (*named, *_ELSE) if folder)
    return next((folder for folder in found if os.path.isdir(folder)), _ELSE[0])  # noqa: PTH112 - no error, 3.11


def _is_left(folder: Path) -> bool:
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        lock = _lock(folder, fcntl.LOCK_EX)
    except OSError:
        return False
    if lock is not None:
        os.close(lock)
    return lock is not None


def _lock(folder: Path, kind: int) -> int | None:
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        if os.path.samestat(folder.lstat(), os.fstat(file)):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)
    return None
