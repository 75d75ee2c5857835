"""One command at a time on one domain: a lock file per domain UUID, freed by the kernel whatever happens.

The locks order the commands of one user on this machine, in threads and in processes. virsh and others do not ask, and
neither does Holdfast under another user: libvirt itself keeps the single calls apart, and every operation reads afresh.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pwd
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from holdfast.errors import Failed

_SYSTEM = Path("/run/holdfast")
_PATIENCE = 1.5
"""Seconds of waiting after which we say so."""


def lock_folder() -> Path:
    """Where the lock files of this user are: in /run for root, else below the home in the password database.

    All processes of a user agree on that one, a service without a login as well, whatever their environment says, and
    nobody else can take it first, as in /tmp. (A user without an entry there cannot connect to libvirt either.)
    """
    user = os.geteuid()
    return _SYSTEM if user == 0 else Path(pwd.getpwuid(user).pw_dir, ".local/state/holdfast/locks")


@contextlib.contextmanager
def domain_lock(uuid: str) -> Iterator[None]:
    """Hold the lock of the domain ``uuid``; waits while another command holds it, and logs a warning when it must.

    Not reentrant: an operation that holds it must not call another one that takes it. Raises Failed when the lock
    file cannot be made. (flock(2): advisory, ends with the process. The holder removes the file; one that was killed
    leaves it to the next.)
    """
    path = lock_folder() / uuid
    while True:
        with io.FileIO(_open(path), "r+") as file:
            _acquire(file.fileno())
            if not _is_at(path, file.fileno()):
                continue  # whom we waited for has removed it, and the next one makes a new file
            with contextlib.suppress(OSError):  # a full disk
                file.write(f"{os.getpid():<20}".encode())
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    path.unlink()
            return


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _open(path: Path) -> int:
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        # Where a home is open to others, a folder or link that they put there could make us write elsewhere.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise Failed(
                f"{folder} is not a folder of this user alone, so locks there prove nothing",
                "remove it, and let nobody else write to the folders above it",
            )
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failed(
            f"cannot lock the domain: {folder}: {error.strerror}", "this user must be able to write there"
        ) from error


def _acquire(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        warning = threading.Timer(_PATIENCE, _say_waiting, [file])
        warning.start()
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        finally:
            warning.cancel()


def _say_waiting(file: int) -> None:
    import logging

    holder = os.pread(file, 20, 0).decode().strip() or "?"
    # Where nobody has set up logging, Python prints this on standard error.
    logging.getLogger("holdfast").warning("waiting for another holdfast command on this domain (process %s)", holder)
