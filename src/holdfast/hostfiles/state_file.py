"""Whether a file, or a folder with something in it, is at a place of this host; and whether it is still the same one.

What cannot be looked at is unknown, and never called gone. Nothing is opened that belongs to a guest.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

_AT_FDCWD = -100
_STATX_BTIME = 0x800
_MASK, _BTIME = 0, 80
"""Where struct statx has them (statx(2))."""


@dataclass(frozen=True)
class Look:
    """What is at a place. ``there`` is None where this user cannot tell.

    ``born`` is when and on which host it was made ("1764478801.871625718@host"); "" where it is not there, or its file
    system does not say. A file that is written to keeps it; one that takes its place has another, though its inode may
    have the same number.
    """

    there: bool | None
    born: str = ""


UNKNOWN = Look(None)


def look_at(path: str) -> Look:
    """Look at ``path``. A folder is there when it has something in it; gone is what a readable folder does not have."""
    try:
        place = Path(path)
        if place.is_dir() and not any(not entry.name.startswith(".") for entry in place.iterdir()):
            return Look(False)
        place.stat()
    except FileNotFoundError:
        return Look(False) if _is_readable(Path(path).resolve().parent) else UNKNOWN
    except (OSError, ValueError):
        return UNKNOWN
    return Look(True, _born(path))


def why_shared(path: str) -> str | None:
    """Why a file of this host is not one domain's alone, in words; None for a file with one name, or none at all."""
    try:
        found = Path(path).lstat()
    except (OSError, ValueError):
        return None
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    return "it has another name, too (a hard link)" if found.st_nlink > 1 else None


def is_another(before: str, now: str) -> bool:
    """True where a file that was ``born`` so is not the one of ``before``; a guest that has moved brings no file."""
    return before != now and before.partition("@")[2] == now.partition("@")[2] != ""


def is_of_this_host(born: str) -> bool:
    """True for a file that was seen on this host when it was there."""
    return born.partition("@")[2] == os.uname().nodename


def names_in(folder: str) -> list[str]:
    """The names of all that is in ``folder``; none where there is no such folder, or this user may not read it."""
    try:
        return sorted(entry.name for entry in Path(folder).iterdir())
    except OSError:
        return []


def _is_readable(folder: Path) -> bool:
    """True for a folder that this user may read; of one that is not there the nearest above it counts."""
    try:
        while not folder.exists():
            folder = folder.parent
    except OSError:
        return False
    return os.access(folder, os.R_OK | os.X_OK)


def _born(path: str) -> str:
    """statx(2), which Python does not have (3.11)."""
    found = ctypes.create_string_buffer(256)
    call = getattr(ctypes.CDLL(None), "statx", None)
    if call is None or call(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, found) != 0:
        return ""
    if not struct.unpack_from("=I", found, _MASK)[0] & _STATX_BTIME:
        return ""
    seconds, nanoseconds = struct.unpack_from("=qI", found, _BTIME)
    return f"{seconds}.{nanoseconds:09}@{os.uname().nodename}" if seconds else ""
