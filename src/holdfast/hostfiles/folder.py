"""Who else can put another file in the place of an image: whoever can write to a folder on the way to it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Container, Iterator
from pathlib import Path


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
        if not _is_ours(found.st_uid, trusted):
            return f"the user {_user_name(found.st_uid)}"
        if found.st_mode & stat.S_IWOTH and not keeps:
            return "everybody"
        if found.st_mode & stat.S_IWGRP and not keeps and not _is_of_one(found.st_gid, trusted):
            return f"the group {_group_name(found.st_gid)}"
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
