"""Folders that root and a group share, and folders of one user alone: which of them are as they must be."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def is_set_up(folder: Path) -> bool:
    """True for a folder of root's that keeps its group, which is one of ours, and that nobody else may enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    ours = os.geteuid() == 0 or found.st_gid in {os.getegid(), *os.getgroups()}
    return stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and ours and stat.S_IMODE(found.st_mode) == 0o2770


def is_own(folder: Path) -> bool:
    """True for a folder of this user that nobody else may write to.

    Where a home is open to others, a folder or link that they put there could make us write elsewhere.
    """
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
