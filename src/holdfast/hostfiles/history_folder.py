"""The folder of a history: made where it is one user's own, used only where it is as it must be, by one at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from holdfast.errors.history import (
    HISTORY_BUSY,
    HISTORY_FOLDER,
    HISTORY_NOT_SET_UP,
    HISTORY_UNUSABLE,
    NO_HISTORY_YET,
)
from holdfast.hostfiles.folder import check_files_in, folder_in, read_file_in
from holdfast.hostfiles.shared_folder import is_own, is_set_up

_PATIENCE = 20.0
"""Seconds. An entry takes milliseconds, on a busy machine tenths of a second; and those who wait have no order."""
_NAP = 0.01
_LAST_PUSH = "holdfast-push.json"
_LEFT_AFTER = 2.0
"""Seconds after which a lock file of git's, which lives for milliseconds, was left by a process that was killed."""
_LONG_LEFT_AFTER = 600.0
"""Seconds, likewise, of a repository where hooks can be at work."""
_AS_IT_IS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No link is followed, and a pipe without a writer is not waited for."""
_GROUP_WRITES = 0o007
_OWNER_WRITES = 0o077
_changing_umask = threading.Lock()
_masks: list[int] = []
"""Those that are wanted at this moment."""
_umask_of_process: list[int] = []
"""What it is where none is wanted, while one is."""


def history_is_there(folder: Path) -> bool:
    """True where something is at ``folder``."""
    return os.path.lexists(folder)


def make_history_folder(folder: Path) -> None:
    """Make the folder of a history that belongs to this user alone. Raises HISTORY_UNUSABLE."""
    with said_as_unusable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def check_history_folder(folder: Path, *, shared: bool) -> None:
    """Raise where ``folder`` is not what a history is kept in: HISTORY_NOT_SET_UP, NO_HISTORY_YET, HISTORY_FOLDER."""
    if shared and not is_set_up(folder):
        raise HISTORY_NOT_SET_UP(folder=folder)
    if not shared and not history_is_there(folder):
        raise NO_HISTORY_YET(folder=folder)
    if not shared and not is_own(folder):
        raise HISTORY_FOLDER(folder=folder)


def check_nodes(folder: Path) -> None:
    """Raise HISTORY_UNUSABLE where a history has something else than files and folders where files are read by name."""
    with said_as_unusable(folder):
        for below in (".", "refs", "objects", "objects/info", "objects/pack"):
            check_files_in(folder, below)


@contextlib.contextmanager
def said_as_unusable(folder: Path) -> Iterator[None]:
    """Let an error of the system be HISTORY_UNUSABLE."""
    try:
        yield
    except OSError as error:
        raise HISTORY_UNUSABLE(folder=folder, reason=error.strerror or str(error)) from error


@contextlib.contextmanager
def writing_history(folder: Path, *, shared: bool) -> Iterator[None]:
    """Be the only one of Holdfast's that writes below ``folder``; where that is ``shared``, its group can read all.

    Raises HISTORY_BUSY where another one does not let go of it, and HISTORY_UNUSABLE. (flock(2): ends with the process)
    """
    with said_as_unusable(folder):
        file = os.open(folder / "holdfast.lock", os.O_RDONLY | os.O_CREAT | _AS_IT_IS, 0o660)
        try:
            if shared and os.fstat(file).st_uid == os.geteuid():
                os.fchmod(file, 0o660)  # whatever the umask has left of it
            _lock(folder, file)
            with new_files_for(shared=shared):
                yield
        finally:
            os.close(file)


@contextlib.contextmanager
def new_files_for(*, shared: bool) -> Iterator[None]:
    """Let what is written be for the group, where the folder is ``shared``, else for this user alone."""
    # What core.sharedRepository means to git, the umask says here: that of the process, whose threads may overlap.
    mask = _GROUP_WRITES if shared else _OWNER_WRITES
    with _changing_umask:
        before = os.umask(min([mask, *_masks]))
        if not _masks:
            _umask_of_process.append(before)
        _masks.append(mask)
    try:
        yield
    finally:
        with _changing_umask:
            _masks.remove(mask)
            os.umask(min(_masks) if _masks else _umask_of_process.pop())


def _lock(folder: Path, file: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() >= until:
            raise HISTORY_BUSY(folder=folder)
        time.sleep(_NAP)


@contextlib.contextmanager
def git_file(folder: Path, name: str, mode: int = 0o666) -> Iterator[BinaryIO]:
    """The file ``name`` of the repository ``folder``, to be written anew: as git does it: it is whole, or as it was.

    What is written is a lock file beside it, which keeps git's own programs off it and in the end takes its name.
    To be called while :func:`writing_history`. Raises OSError. (git's lockfile.h)
    """
    with folder_in(folder, PurePath(name).parent) as at:
        file, lock = PurePath(name).name, f"{PurePath(name).name}.lock"
        descriptor = _new_once_free(lock, mode, at)
        try:
            with os.fdopen(descriptor, "wb") as new:
                yield new
                new.flush()
                os.fsync(descriptor)
            os.replace(lock, file, src_dir_fd=at, dst_dir_fd=at)
        except BaseException:
            _remove(lock, at)
            raise


def write_git_object(folder: Path, name: str, data: bytes) -> None:
    """Write the object ``name`` of the repository ``folder``; one that is there is as good as new, for ``git gc``.

    To be called while :func:`writing_history`. Raises OSError.
    """
    with folder_in(folder, PurePath("objects", name[:2])) as at:
        try:
            os.utime(name[2:], dir_fd=at, follow_symlinks=False)
            return
        except (FileNotFoundError, PermissionError):  # not there, or another user's
            pass
    with git_file(folder, f"objects/{name[:2]}/{name[2:]}", 0o444) as file:
        file.write(data)


@contextlib.contextmanager
def git_lock(folder: Path, name: str) -> Iterator[None]:
    """Keep git's own programs off the file ``name`` of the repository ``folder``. Raises OSError."""
    with folder_in(folder, PurePath(name).parent) as at:
        lock = f"{PurePath(name).name}.lock"
        os.close(_new_once_free(lock, 0o666, at))
        try:
            yield
        finally:
            _remove(lock, at)


def remove_git_ref(folder: Path, name: str) -> None:
    """Remove the ref ``name`` of the repository ``folder``, wherever git has put it.

    To be called with its :func:`git_lock`, while :func:`writing_history`. Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError):
        lines = read_file_in(folder, "packed-refs").decode(errors="surrogateescape").splitlines(keepends=True)
        rest = [line for line in lines if line.rstrip("\n").partition(" ")[2] != name]
        if rest != lines:
            with git_file(folder, "packed-refs") as file:
                file.write("".join(rest).encode(errors="surrogateescape"))
    with folder_in(folder, PurePath(name).parent) as at:
        _remove(PurePath(name).name, at)


def _remove(name: str, at: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=at)


def _new_once_free(lock: str, mode: int, at: int) -> int:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=at)
        except FileExistsError:
            if time.monotonic() >= until:
                raise
            _wait_for(lock, at)


def _wait_for(lock: str, at: int | None = None) -> None:
    """Wait a moment for whoever has git's lock file; remove it where it was left by a process that was killed."""
    with contextlib.suppress(FileNotFoundError):
        # One of the future is of a clock that was put back, or of somebody who wants others to wait.
        if abs(time.time() - os.lstat(lock, dir_fd=at).st_mtime) > _LEFT_AFTER:
            os.unlink(lock, dir_fd=at)
        else:
            time.sleep(_NAP)


def wait_for_lock_file(path: str | bytes) -> None:
    """Wait a moment for whoever has the lock file ``path`` below a history, as :func:`git_file` does."""
    _wait_for(os.fsdecode(path))


def remove_left_lock_file(path: str | bytes) -> None:
    """Remove git's lock file ``path`` of a repository that others write to, too, where it is long left."""
    with contextlib.suppress(OSError):
        if time.time() - os.lstat(path).st_mtime > _LONG_LEFT_AFTER:
            os.unlink(path)  # noqa: PTH108 - bytes are what dulwich has


def make_git_folder(folder: Path) -> None:
    """Let ``folder`` be a bare repository of git's, with all its folders; HEAD, which makes it one, comes last.

    To be called while :func:`writing_history`.
    """
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/domains"):
        with folder_in(folder, PurePath(name)):
            pass
    if (folder / "HEAD").exists():
        return
    for name, text in {"config": _CONFIG, "HEAD": "ref: refs/heads/main\n"}.items():
        with git_file(folder, name) as file:
            file.write(text.encode())


def note_pushes(folder: Path, text: str) -> None:
    """Keep ``text`` as what there is to say of the last pushes. To be called while :func:`writing_history`."""
    with said_as_unusable(folder), git_file(folder, _LAST_PUSH) as file:
        file.write(text.encode())


def last_pushes(folder: Path) -> str:
    """What was kept of the last pushes; "" where there was none, or it cannot be read."""
    try:
        return read_file_in(folder, _LAST_PUSH).decode()
    except (OSError, UnicodeDecodeError):
        return ""


def loose_objects(folder: Path) -> Iterator[tuple[str, float]]:
    """The id of each object of git's that has a file of its own, and when that was written (seconds since 1970)."""
    for file in (folder / "objects").glob("[0-9a-f][0-9a-f]/*"):
        if len(file.name) == 38:
            with contextlib.suppress(FileNotFoundError):
                yield file.parent.name + file.name, file.stat().st_mtime


def remove_objects(folder: Path, ids: Iterable[str]) -> None:
    """Remove the files of these objects of git's. To be called while :func:`writing_history`."""
    for id in ids:
        with folder_in(folder, PurePath("objects", id[:2])) as at:
            _remove(id[2:], at)


def remove_packs(folder: Path, names: Iterable[str]) -> None:
    """Remove packs of git's, by their names without an ending; and what git has noted of all objects, to make it anew.

    To be called while :func:`writing_history`.
    """
    with folder_in(folder, PurePath("objects/pack")) as at:
        there = sorted(os.listdir(at))  # noqa: PTH208 - of a descriptor; the index of a pack goes before the pack itself
        for name in names:
            for file in (each for each in there if each.startswith(f"{name}.")):
                _remove(file, at)
        _remove("multi-pack-index", at)
    with folder_in(folder, PurePath("objects/info")) as at:
        _remove("commit-graph", at)


_CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tsharedRepository = group
"""
