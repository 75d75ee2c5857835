"""Removing from the repository what nothing in it refers to any more: what a forgotten line alone had, and leftovers.

Objects in a pack cannot be removed one by one: what else the pack has is written out, and the pack goes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.hostfiles.history_folder import loose_objects, remove_objects, remove_packs, write_git_object

if TYPE_CHECKING:
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import ObjectID
    from dulwich.pack import Pack

_FOLDER = 0o040000
_LEFT_AFTER = 3600.0
"""Seconds after which an object that nothing refers to was left behind: git writes objects before their ref."""


class Reached:
    """The objects that can be reached from commits that were added; each is read once."""

    def __init__(self, objects: DiskObjectStore) -> None:
        self._objects = objects
        self.ids: set[ObjectID] = set()

    def add(self, tips: Iterable[ObjectID]) -> None:
        """Reach whatever these commits, or other objects, refer to."""
        pending = list(tips)
        while pending:
            if (each := pending.pop()) not in self.ids:
                self.ids.add(each)
                pending += self._below(each)

    def _below(self, id: ObjectID) -> Iterator[ObjectID]:
        from dulwich.objects import Commit, Tag, Tree

        found = self._objects[id]
        if isinstance(found, Commit):
            yield from (found.tree, *found.parents)
        elif isinstance(found, Tree):
            entries = [(mode, id) for _, mode, id in found.items()]
            yield from (id for mode, id in entries if mode == _FOLDER)
            self.ids.update(id for mode, id in entries if mode != _FOLDER)  # a file refers to nothing
        elif isinstance(found, Tag):
            yield found.object[1]


def write_out(folder: Path, objects: DiskObjectStore, doomed: set[ObjectID]) -> list[Pack]:
    """Write all that is not ``doomed`` out of the packs that have something which is; returns those packs."""
    emptied = [pack for pack in objects.packs if any(each in doomed for each in pack)]
    for pack in emptied:
        for each in pack:
            if each not in doomed and not objects.contains_loose(each):
                write_git_object(folder, each.decode(), objects[each].as_legacy_object())
    return emptied


def remove_unreached(folder: Path, objects: DiskObjectStore, kept: set[ObjectID], gone: set[ObjectID]) -> None:
    """Remove all that is ``gone`` and not ``kept``, and what else was left behind, from the repository in ``folder``.

    To be called while it is being written to; ``objects`` is not to be used afterwards.
    """
    doomed = gone - kept
    names = [Path(str(pack._basename)).name for pack in write_out(folder, objects, doomed)]
    objects.close()
    remove_packs(folder, names)
    left = time.time() - _LEFT_AFTER
    reached = {each.decode() for each in kept}
    lost = {each.decode() for each in doomed}
    remove_objects(
        folder, [id for id, written in loose_objects(folder) if id in lost or (id not in reached and written < left)]
    )
