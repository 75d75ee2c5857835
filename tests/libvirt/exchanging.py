"""Somebody who can write to a folder of an image, and puts a link in the place of what is made there: at each step.

The steps are what Python tells of by its audit events, before it does it: opening, removing, linking a file, starting
a program. Hooks cannot be taken away, so there is one for all tests, which mostly does nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import HoldfastError

_acting: list[Callable[[], None]] = []
_guarded = threading.local()


def _hook(event: str, _: tuple[object, ...]) -> None:
    if not _acting or getattr(_guarded, "now", False) or not event.startswith(("open", "os.", "subprocess.")):
        return
    _guarded.now = True
    try:
        _acting[0]()
    finally:
        _guarded.now = False


sys.addaudithook(_hook)


class Exchanger:
    """Exchanges once. ``at`` is the step before which that was; 0 where there was nothing to exchange."""

    def __init__(self, step: int, exchange: Callable[[], bool]) -> None:
        self.at = 0
        self._count, self._step, self._exchange = 0, step, exchange

    def act(self) -> None:
        """Before each step."""
        self._count += 1
        if self._count >= self._step and not self.at and self._exchange():
            self.at = self._count


def at_each_step(exchange: Callable[[], bool], begin: Callable[[], object], act: Callable[[], object]) -> int:
    """``begin`` and then ``act``, which may fail, with the exchange before another step each time; how often it was.

    The last time nothing is exchanged any more. Raises what goes wrong then.
    """
    step, count = 1, 0
    while True:
        begin()
        with exchanging(step, exchange) as done:
            try:
                act()
            except HoldfastError:
                if not done.at:
                    raise
        if not done.at:
            return count
        step, count = done.at + 1, count + 1


@contextmanager
def exchanging(step: int, exchange: Callable[[], bool]) -> Iterator[Exchanger]:
    """Inside, ``exchange`` is called before the step of this number, and before each later one until it is True."""
    exchanger = Exchanger(step, exchange)
    _acting.append(exchanger.act)
    try:
        yield exchanger
    finally:
        _acting.remove(exchanger.act)


def link_instead(folder: Path, victim: Path, known: set[str]) -> bool:
    """Put a link to ``victim`` in the place of every file in ``folder`` that is not ``known``; False where none is."""
    new = [path for path in folder.iterdir() if path.name not in known and path.is_file() and not path.is_symlink()]
    for path in new:
        link = folder.parent / "link"
        link.symlink_to(victim)
        link.replace(path)
    return bool(new)


def link_before(path: Path, victim: Path) -> bool:
    """Put a link to ``victim`` where a file is yet to be made; False where there is one."""
    is_free = not os.path.lexists(path)
    if is_free:
        path.symlink_to(victim)
    return is_free


def folder_instead(folder: Path, other: Path) -> bool:
    """Put a link to the folder ``other`` in the place of ``folder``, which is called "away" then."""
    if folder.is_symlink():
        return False
    folder.rename(folder.with_name("away"))
    folder.symlink_to(other)
    return True


def another_folder_instead(folder: Path, _: Path) -> bool:
    """The same with an empty folder, and no link."""
    if folder.with_name("away").exists():
        return False
    folder.rename(folder.with_name("away"))
    folder.mkdir()
    return True


def as_it_was(folder: Path) -> None:
    """Take :func:`folder_instead` back."""
    if folder.is_symlink():
        folder.unlink()
        folder.with_name("away").rename(folder)


def identity(path: Path) -> tuple[bytes, int, int, int]:
    """What must not change of a file of somebody else."""
    found = os.lstat(path)
    return path.read_bytes(), found.st_ino, found.st_mode, found.st_uid
