"""Who else can put another file in the place of an image: whoever can write to a folder on the way to it; and opening
such a folder once, for what is then done in that very folder. And what is inside a folder that others may write to:
no link in it is followed, and nothing but files is read (openat(2), O_NOFOLLOW).
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Container, Iterator
from pathlib import Path, PurePath

from holdfast.errors import Failed, files

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC

_FOLDER_IN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_IN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_MOST_LINKS = 40
"""Symbolic links that the kernel follows on one way (path_resolution(7))."""


def others_who_write(path: str, trusted: Container[int] = ()) -> str | None:
    """Who, besides root, this user and the ``trusted`` user ids, can exchange the file ``path``; None where nobody can.

    That is in words: "everybody", "the user eve", "the group disk". The folders above count, too, and those of what a
    symbolic link leads to. A file in the very folder of a sticky one (/tmp) can be made by everybody before it is ours;
    above that, what is ours in it stays. What this user may not look at is not judged. (stat(2))
    """
    for folder, below in _way_to(path):
        try:
            found = folder.stat()
            keeps = (
                bool(found.st_mode & stat.S_ISVTX) and str(below) != path and _is_ours(below.lstat().st_uid, trusted)
            )
        except OSError:
            continue
        if (who := _who_writes(found, keeps, trusted)) is not None:
            return who
    return None


def open_folder(path: str) -> int:
    """A descriptor of the folder ``path``, for what is done in it by name (open(2), O_PATH).

    A symbolic link on the way is followed where nobody but root and this user can have put it there. Raises
    LINK_OF_OTHERS for another one, and OSError.
    """
    parts, links = [*reversed(Path(path).parts)], 0
    folder = os.open(Path(path).anchor or ".", _FOLDER)
    try:
        while parts:
            name = parts.pop()
            try:
                below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            except NotADirectoryError:
                parts += reversed(_link_in(folder, name, path))
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
                continue
            os.close(folder)
            folder = below
    except BaseException:
        os.close(folder)
        raise
    return folder


def _link_in(folder: int, name: str, path: str) -> tuple[str, ...]:
    """Where the symbolic link ``name`` leads, in parts. Raises NotADirectoryError where it is none."""
    link = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        found, around = os.fstat(link), os.fstat(folder)
        if not stat.S_ISLNK(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        keeps = bool(around.st_mode & stat.S_ISVTX) and _is_ours(found.st_uid, ())
        if (who := _who_writes(around, keeps, ())) is not None:
            raise files.LINK_OF_OTHERS(path=path, link=name, who=who)
        return Path(os.readlink("", dir_fd=link)).parts
    finally:
        os.close(link)


def leads_to(path: str, folder: int) -> bool:
    """True while ``path`` leads to the very folder that is open as ``folder``."""
    with contextlib.suppress(OSError, Failed):
        now = open_folder(path)
        try:
            return os.path.samestat(os.fstat(now), os.fstat(folder))
        finally:
            os.close(now)
    return False


def _who_writes(folder: os.stat_result, keeps: bool, trusted: Container[int]) -> str | None:
    """Who else can exchange what is in ``folder``, in words; ``keeps`` where only its owner can (a sticky folder)."""
    if not _is_ours(folder.st_uid, trusted):
        return f"the user {_user_name(folder.st_uid)}"
    if folder.st_mode & stat.S_IWOTH and not keeps:
        return "everybody"
    if folder.st_mode & stat.S_IWGRP and not keeps and not _is_of_one(folder.st_gid, trusted):
        return f"the group {_group_name(folder.st_gid)}"
    return None


def _way_to(path: str) -> Iterator[tuple[Path, Path]]:
    """Each folder on the way to ``path``, and what in it leads on; those of a link's target, too."""
    for way in dict.fromkeys([path, str(Path(path).resolve())]):
        below = Path(way)
        for folder in below.parents:
            yield folder, below
            below = folder


def _is_ours(user: int, trusted: Container[int]) -> bool:
    return user in (0, os.geteuid()) or user in trusted


def _is_of_one(group: int, trusted: Container[int]) -> bool:
    """True for root's group, and for one that only a user has who may write anyway, named as that user."""
    if group == 0:
        return True
    try:
        found = grp.getgrgid(group)
        user = pwd.getpwnam(found.gr_name)
    except KeyError:
        return False
    return user.pw_gid == group and _is_ours(user.pw_uid, trusted) and set(found.gr_mem) <= {found.gr_name}


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


@contextlib.contextmanager
def folder_in(folder: Path, below: PurePath, *, made: bool = True) -> Iterator[int]:
    """A descriptor of the folder ``below`` inside ``folder``, ``made`` where it is not there. Raises OSError."""
    if below.is_absolute() or ".." in below.parts:
        raise OSError(errno.EINVAL, f"{below} leads elsewhere")
    at = os.open(folder, _FOLDER_IN)
    try:
        for name in below.parts:
            above, at = at, _open_folder(name, at, made=made)
            os.close(above)
        yield at
    finally:
        os.close(at)


def _open_folder(name: str, at: int, *, made: bool) -> int:
    """A descriptor of the folder ``name`` in ``at``, ``made`` where it is not there."""
    try:
        return os.open(name, _FOLDER_IN, dir_fd=at)
    except FileNotFoundError:
        if not made:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=at)
    return os.open(name, _FOLDER_IN, dir_fd=at)


def read_file_in(folder: Path, name: str, most: int = 1 << 28) -> bytes:
    """What the file ``name`` inside ``folder`` has, up to ``most`` bytes. Raises OSError, also where it is no file."""
    with folder_in(folder, PurePath(name).parent, made=False) as at:
        descriptor = os.open(PurePath(name).name, _FILE_IN, dir_fd=at)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, f"{name} is no file")
            if found.st_size > most:
                raise OSError(errno.EFBIG, f"{name} is too large")
            return file.read(most)


def check_files_in(folder: Path, below: str) -> None:
    """Raise OSError where something right in the folder ``below`` inside ``folder`` is neither a file nor a folder."""
    with (
        contextlib.suppress(FileNotFoundError),
        folder_in(folder, PurePath(below), made=False) as at,
        os.scandir(at) as found,
    ):
        for each in found:
            if not each.is_file(follow_symlinks=False) and not each.is_dir(follow_symlinks=False):
                raise OSError(errno.EINVAL, f"{PurePath(below, each.name)} is neither a file nor a folder")
