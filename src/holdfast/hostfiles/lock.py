"""One command at a time on one domain: a lock file per domain UUID, which the kernel frees whatever happens.

Where the host has the folder /run/holdfast set up (owner root, group libvirt, mode 2770: the package and
docs/command-line.md do that), root's commands and those of everyone in that group wait for each other; elsewhere each
user has a folder, and only the commands of one user do. virsh and others do not ask: libvirt itself keeps the single
calls apart, and every operation reads afresh.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import domains
from holdfast.hostfiles.shared_folder import is_own, is_set_up

TIMEOUT = 60.0
"""Seconds to wait for another command, unless the connection says otherwise."""

SHARED = Path("/run/holdfast")
"""The folder in which the commands of several users find each other's locks, where it is set up."""
_OF_ROOT = Path("/run/holdfast-root")
"""Root's own, where no folder is set up for others, too."""
_PATIENCE = 1.5
"""Seconds of waiting after which we say so."""
_LONGEST_NAP = 0.1
"""Seconds. We ask again and again and never wait inside flock(2), which would stop every thread of an eventlet process;
time.sleep(3) lets them run."""


@dataclass(frozen=True)
class LockFolder:
    """Where the lock files of this user are. ``shared``: with all who may enter it, by the rights of its group."""

    path: Path
    shared: bool


def lock_folder() -> LockFolder:
    """The folder that is set up for this host; else root's in /run, or one below the home in the password database.

    All processes of a user agree on that, a service without a login as well, whatever their environment says, and
    nobody else can take it first, as in /tmp. (A user without an entry there cannot connect to libvirt either.)
    """
    user = os.geteuid()
    if is_set_up(SHARED):
        return LockFolder(SHARED, shared=True)
    own = _OF_ROOT if user == 0 else Path(pwd.getpwuid(user).pw_dir, ".local/state/holdfast/locks")
    return LockFolder(own, shared=False)


@contextlib.contextmanager
def domain_lock(uuid: str, name: str, timeout: float = TIMEOUT) -> Iterator[None]:
    """Hold the lock of the domain ``uuid``; waits up to ``timeout`` seconds while another command holds it.

    ``name`` is for messages. Logs a warning when it must wait. Not reentrant: an operation that holds it must
    not call another that takes it.
    Raises LOCKED where it is not free in time, and CANNOT_LOCK, LOCK_FOLDER or LOCK_FILE where no lock can be made.
    (flock(2): advisory, ends with the process. The holder removes the file; one that was killed leaves it to the next.)
    """
    folder = lock_folder()
    path = folder.path / uuid
    waiting = _Waiting(name, timeout)
    while True:
        file = _open(folder, path, name)
        try:
            waiting.acquire(file)
            if not _is_at(path, file):
                continue  # whom we waited for has removed it, and the next one makes a new file
            with contextlib.suppress(OSError):  # a full disk
                os.pwrite(file, f"{os.getpid():<20}".encode(), 0)
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    path.unlink()
            return
        finally:
            os.close(file)


@contextlib.contextmanager
def copying_lock(uuid: str, name: str, timeout: float = TIMEOUT) -> Iterator[None]:
    """As :func:`domain_lock`, for copying the state of the domain, which keeps no command from changing the domain."""
    with domain_lock(f"{uuid}.state", name, timeout):
        yield


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _open(folder: LockFolder, path: Path, name: str) -> int:
    try:
        if not folder.shared:
            _make_own(folder.path)
        # Nothing that others put there is followed, waited for, or taken for a lock.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(path, flags, 0o660 if folder.shared else 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):  # a link or a folder in its place
            raise domains.LOCK_FILE(path=path) from error
        raise domains.CANNOT_LOCK(name=name, folder=folder.path, reason=error.strerror) from error
    if not _is_lock_file(folder, file):
        os.close(file)
        raise domains.LOCK_FILE(path=path)
    return file


def _make_own(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_own(folder):
        raise domains.LOCK_FOLDER(folder=folder)


def _is_lock_file(folder: LockFolder, file: int) -> bool:
    """True for a file that a command of Holdfast made: of this user alone, or of the group of the shared folder."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        return False
    if not folder.shared:
        return found.st_uid == os.geteuid()
    if found.st_uid == os.geteuid():
        os.fchmod(file, 0o660)  # whatever the umask has left of it
    return found.st_gid == folder.path.lstat().st_gid and not found.st_mode & 0o007


class _Waiting:
    """Waiting for locks, up to a time-out, and saying so once."""

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._begun = time.monotonic()
        self._said = False

    def acquire(self, file: int) -> None:
        """Lock ``file``. Raises LOCKED, naming who holds it."""
        nap = _LONGEST_NAP / 16
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                waited = time.monotonic() - self._begun
            if waited >= self._timeout:
                raise domains.LOCKED(name=self._name, holder=_holder(file), seconds=self._timeout)
            if waited >= _PATIENCE and not self._said:
                self._said = True
                _say_waiting(self._name, file)
            time.sleep(min(nap, self._timeout - waited))
            nap = min(nap * 2, _LONGEST_NAP)


def _holder(file: int) -> str:
    """Who holds a lock, as its file says: to be shown, and not to be trusted."""
    text = os.pread(file, 20, 0).decode(errors="replace").strip()
    return f"process {text}" if text.isascii() and text.isdigit() else "an unknown process"


def _say_waiting(name: str, file: int) -> None:
    import logging

    # Where nobody has set up logging, Python prints this on standard error.
    logging.getLogger("holdfast").warning(
        "waiting for another Holdfast command on the domain %r (%s)", name, _holder(file)
    )
