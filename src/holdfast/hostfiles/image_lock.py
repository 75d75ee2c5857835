"""Who has a file open: asked before it is removed, or given to a guest.

QEMU takes locks on its images (OFD, by the byte: QEMU's docs, ``file.locking``), and libvirt's QEMU one on its pid file
(POSIX). They are looked at and never taken. ``qemu-img info`` without ``-U`` would not do: of a raw image that a QEMU
writes to it tells as if nobody had it (7.2).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from datetime import UTC, datetime
from pathlib import Path

from holdfast.errors import Failed, files

_LOCK = "hhqqi4x"
"""struct flock, of which fcntl(2) tells whose lock is in the way."""

_WRITES, _LETS_NOBODY_WRITE = 101, 201
"""The bytes of QEMU's locks for whoever writes, and whoever cannot have another one write (block/file-posix.c)."""


def is_held_open(path: str) -> bool:
    """True while another program holds a lock on any part of the file ``path``, as QEMU does on its images.

    False where there is no such file. Raises UNREADABLE, UNREADABLE_BY_THIS_USER. (fcntl(2), F_OFD_GETLK)
    """
    return _lock(path, 0, 0) is not None


def is_written(path: str) -> bool:
    """True while a QEMU writes to the image ``path``, or could. Otherwise as :func:`is_held_open`."""
    return _lock(path, _WRITES, 1) is not None


def forbids_writing(path: str) -> bool:
    """True while another program has the image ``path``, so that no QEMU can have it to write to, as QEMU itself
    decides it. Otherwise as :func:`is_held_open`.
    """
    return is_written(path) or _lock(path, _LETS_NOBODY_WRITE, 1) is not None


def owner_of(path: str) -> int | None:
    """The process that holds the lock of the pid file ``path``; None where nobody does, or nobody may look.

    0 for one that cannot be seen from here.
    """
    try:
        pid = _lock(path, 0, 0)
    except Failed:
        return None
    return pid if pid is None else max(pid, 0)


def holders(path: str) -> dict[int, str]:
    """The processes that have the file ``path`` open, as far as this user may see, each with the name of its program.

    (proc(5); QEMU's own locks do not tell whose they are)
    """
    found: dict[int, str] = {}
    with contextlib.suppress(OSError):
        wanted = Path(path).stat()
        for each in Path("/proc").iterdir():
            if each.name.isdecimal() and int(each.name) != os.getpid() and _has(each, wanted):
                found[int(each.name)] = _program(each)
    return dict(sorted(found.items()))


def last_written(path: str) -> str | None:
    """When the file ``path`` was written to last (ISO 8601, UTC); None where nobody can look."""
    with contextlib.suppress(OSError):
        return datetime.fromtimestamp(Path(path).stat().st_mtime, UTC).isoformat(" ", "seconds")
    return None


def files_of(pid: int) -> set[str]:
    """The files that a process has open, without devices and their like, as far as this user may see (proc(5))."""
    found = set()
    with contextlib.suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if stat.S_ISREG(each.stat().st_mode):
                    found.add(str(each.readlink()))
    return found


def _has(process: Path, wanted: os.stat_result) -> bool:
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        for each in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.path.samestat(each.stat(), wanted):
                    return True
    return False


def _program(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text(errors="replace").strip()
    return "it has ended"


def _lock(path: str, start: int, length: int) -> int | None:
    """Whose lock is in the way of one for writing: the process, -1 for a lock of an open file; None where none is."""
    wanted = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise files.UNREADABLE_BY_THIS_USER(path=path, reason=error.strerror) from error
    except OSError as error:
        raise files.UNREADABLE(path=path, reason=error.strerror) from error
    try:
        found = struct.unpack(_LOCK, fcntl.fcntl(file, fcntl.F_OFD_GETLK, wanted))
    finally:
        os.close(file)
    return None if found[0] == fcntl.F_UNLCK else int(found[4])
