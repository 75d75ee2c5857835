"""What a history's folder has besides whole files: left by processes that were killed, or by a disk that lies."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path, PurePath

from holdfast.hostfiles.folder import folder_in

_LEFT_AFTER = 60.0
"""Seconds after which a lock file, or one that is not whole yet, was left by a process that was killed."""
_ENOUGH = 1 << 20
"""Bytes free. An entry takes a few KiB."""
_LOST = "lost"


def left_files(folder: Path) -> list[Path]:
    """Lock files of git's and files that are not whole yet, of which nobody has written for a while."""
    unfinished = ("refs/**/*.lock", "objects/*/*.lock", "*.lock", "*.new", "objects/tmp_*", "objects/pack/tmp_*")
    found = (path for pattern in unfinished for path in folder.glob(pattern) if path.name != "holdfast.lock")
    return sorted(path for path in found if _is_left(path))


def remove_left_files(folder: Path) -> list[Path]:
    """Remove them; returns those that went. To be called while the history is being written."""
    left = left_files(folder)
    for path in left:
        below = path.relative_to(folder)
        with suppress(FileNotFoundError), folder_in(folder, below.parent, made=False) as at:
            os.unlink(below.name, dir_fd=at)
    return left


def remove_strays(folder: Path) -> list[Path]:
    """Remove what is neither a file nor a folder, as a link or a pipe: a history has none, and each makes it unusable.

    Returns what went. Raises OSError.
    """
    gone = []
    for at, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            mode = os.lstat(name, dir_fd=descriptor).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                os.unlink(name, dir_fd=descriptor)
                gone.append(Path(at, name))
    return sorted(gone)


def why_not_written(folder: Path) -> str:
    """Why this user cannot write to ``folder``; "" where that is possible. (statvfs(3), faccessat(2))"""
    found = os.statvfs(folder)
    if found.f_flag & os.ST_RDONLY:
        return "its disk is read-only"
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return "this user may not write to it"
    if found.f_bavail * found.f_frsize < _ENOUGH or (found.f_files and not found.f_favail):
        return "its disk is full"
    return ""


def set_object_aside(folder: Path, name: str) -> None:
    """Move the file of an object that cannot be read out of the way of a whole one: to the folder "lost"."""
    with (
        suppress(FileNotFoundError),
        folder_in(folder, PurePath("objects", name[:2])) as at,
        folder_in(folder, PurePath(_LOST)) as aside,
    ):
        os.replace(name[2:], name, src_dir_fd=at, dst_dir_fd=aside)


def ref_names(folder: Path) -> list[str]:
    """The names of all refs that are files of their own, whatever is in them."""
    found = (path for path in (folder / "refs").rglob("*") if path.is_file() and path.suffix not in (".lock", ".new"))
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _is_left(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > _LEFT_AFTER
    except OSError:
        return False
