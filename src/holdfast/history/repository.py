"""The git repository that a history is: entries are added to the line of one domain, and read from it.

A domain's line is the ref ``refs/domains/UUID``; where it was on several hosts, theirs are joined. Its commits have
two files: ``domain.xml``, and where secrets were left out ``omitted``, which says where. Objects are written before the
ref, which is locked as git locks it: whoever is killed in between leaves objects that nothing refers to. dulwich makes
the objects and reads them; the files are written here, since it leaves its lock files open where the disk is full (0.21
to 1.2). Whatever it meets is one error, HISTORY_UNUSABLE.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from holdfast.errors import HoldfastError
from holdfast.errors.history import HISTORY_UNUSABLE
from holdfast.history.entry import Entry, Happened, KeptDocument, entry_of, message_of
from holdfast.history.line import entries_from, new_commit
from holdfast.history.prune import Reached, remove_unreached, write_out
from holdfast.history.store import opened
from holdfast.hostfiles.history_folder import (
    check_history_folder,
    git_file,
    git_lock,
    make_git_folder,
    make_history_folder,
    new_files_for,
    remove_git_ref,
    write_git_object,
    writing_history,
)

if TYPE_CHECKING:
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
    from dulwich.refs import DiskRefsContainer, Ref

_REFS = "refs/domains/"
_DOCUMENT = b"domain.xml"
_OMITTED = b"omitted"
_FILE_MODE = 0o100644


@dataclass(frozen=True)
class HistoryPlace:
    """Where the history of a libvirt is kept.

    ``shared``  by root and a group: root sets it up. Else it is this user's own
    ``host``    by what name its entries say where they were made
    ``check``   raises where a text is no document: what is damaged, or forged, is found by it
    """

    folder: Path
    shared: bool
    host: str = ""
    check: Callable[[str], object] = str


class _GoneOnError(Exception):
    """A line has got another entry meanwhile."""


class Repository:
    """The history at one place. Raises HISTORY_NOT_SET_UP and HISTORY_FOLDER where it is not as it must be."""

    def __init__(self, place: HistoryPlace) -> None:
        check_history_folder(place.folder, shared=place.shared)
        self._place = place
        self._opened: tuple[DiskObjectStore, DiskRefsContainer] | None = None

    def __enter__(self) -> Repository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened[0].close()

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._place.folder

    @classmethod
    def made(cls, place: HistoryPlace) -> Repository:
        """The history at ``place``, which is made where it is this user's own."""
        if not place.shared:
            make_history_folder(place.folder)
        return cls(place)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer of Holdfast's: for entries that belong together. Raises HISTORY_BUSY."""
        with writing_history(self._place.folder, shared=self._place.shared):
            make_git_folder(self._place.folder)
            self._read_refs_anew()
            yield

    @contextlib.contextmanager
    def storing(self) -> Iterator[None]:
        """Write objects that nothing refers to yet, beside other writers."""
        with new_files_for(shared=self._place.shared), self.told_as_unusable():
            yield

    def add(self, uuid: str, kept: KeptDocument, happened: Happened) -> None:
        """Add an entry to the line of the domain ``uuid``. To be called while :meth:`writing`."""
        from dulwich.objects import Blob, Tree

        texts = {_DOCUMENT: kept.document, _OMITTED: "".join(f"{place}\n" for place in kept.omitted)}
        tree = Tree()
        files = {name: Blob.from_string(text.encode()) for name, text in texts.items() if text}
        for name, blob in files.items():
            tree.add(name, _FILE_MODE, blob.id)
        message = message_of(uuid, replace(happened, made_on=self._place.host))
        with self.told_as_unusable():
            self.write(*files.values(), tree)
            with git_file(self.folder, f"{_REFS}{uuid}") as ref:
                last = self.tip(uuid)
                parents = [] if last is None else [last]
                commit = new_commit(tree.id, parents, happened.by, int(time.time()), message)
                self.write(commit)
                ref.write(commit.id + b"\n")

    def continue_with(self, uuid: str, last: ObjectID | None, new: ObjectID, *made: ShaFile) -> bool:
        """Let the line of the domain ``uuid``, whose last commit is ``last``, go on to ``new``, which it leads to.

        ``made`` are objects that are written for it. False where somebody has added an entry meanwhile. To be called
        while :meth:`writing`.
        """
        with self.told_as_unusable(), contextlib.suppress(_GoneOnError):
            self.write(*made)
            with git_file(self.folder, f"{_REFS}{uuid}") as ref:
                if self.tip(uuid) != last:
                    raise _GoneOnError
                ref.write(new + b"\n")
            return True
        return False

    def last(self, uuid: str) -> tuple[Entry, KeptDocument] | None:
        """The last entry of the domain ``uuid``, with what is kept of its document; None where there is none."""
        return self._first_of(self._line(uuid))

    def last_here(self, uuid: str) -> tuple[Entry, KeptDocument] | None:
        """The last entry of the domain ``uuid`` that was made on this host, likewise."""
        return self._first_of(commit for commit in self._line(uuid) if self.is_of_here(entry_in(commit)))

    def entries(self, uuid: str) -> Iterator[Entry]:
        """The entries of the domain ``uuid``, of all hosts that had it, the last one first."""
        with self.told_as_unusable():
            yield from map(entry_in, self._line(uuid))

    def entries_since(self, uuid: str, tip: str) -> int:
        """How many entries the domain ``uuid`` has that the commit ``tip`` of its line does not lead to; "" to none."""
        with self.told_as_unusable():
            ours = {commit.id for commit in self._line(uuid)}
            heads = [cast("ObjectID", tip.encode())] if tip else []
            if ours and heads and heads[0] in self.objects:
                ours -= {commit.id for commit in entries_from(self.commit, heads)}
            return len(ours)

    def kept(self, entry: Entry) -> KeptDocument:
        """What is kept of the document of ``entry``."""
        with self.told_as_unusable():
            return self.kept_in(self.commit(cast("ObjectID", entry.id.encode())))

    def uuids(self) -> list[str]:
        """The domains that have a history, whether libvirt knows them or not."""
        with self.told_as_unusable():
            found = self._open()[1].subkeys(cast("Ref", _REFS.encode()))
            return sorted(each.decode() for each in found if not each.endswith((b".lock", b".new")))

    def forget(self, lines: Mapping[str, Entry]) -> list[str]:
        """Remove the lines of these domains, with all objects that only they have; not to be called while writing.

        Each line goes where its last entry is the given one still; the UUIDs of those that went are returned.
        """
        with self.told_as_unusable():
            objects = self._open()[0]
            kept, asked_for, went = Reached(objects), Reached(objects), Reached(objects)
            kept.add(self._tips(but=[_ref(uuid) for uuid in lines]))
            asked_for.add(tip for uuid in lines if (tip := self.tip(uuid)) is not None)
            with self.storing():  # most of the work, before others have to wait and anything is removed
                write_out(self.folder, objects, asked_for.ids - kept.ids)
            gone = []
            with self.writing():
                for uuid, entry in lines.items():
                    with git_lock(self.folder, f"{_REFS}{uuid}"):
                        last, tip = self.last(uuid), self.tip(uuid)
                        if last is not None and tip is not None and last[0].id == entry.id:
                            went.add([tip])
                            remove_git_ref(self.folder, f"{_REFS}{uuid}")
                            gone.append(uuid)
                self._read_refs_anew()
                kept.add(self._tips())
                remove_unreached(self.folder, objects, kept.ids, went.ids)
                self._opened = None
        return gone

    def _tips(self, but: Collection[Ref] = ()) -> list[ObjectID]:
        """What the refs refer to, whoever made them; ``but`` not these."""
        return [id for ref, id in self._open()[1].as_dict().items() if ref not in but]

    def _line(self, uuid: str) -> Iterator[Commit]:
        """The entries of a domain, the youngest first."""
        last = self.tip(uuid)
        return iter(()) if last is None else entries_from(self.commit, [last])

    def _first_of(self, commits: Iterator[Commit]) -> tuple[Entry, KeptDocument] | None:
        with self.told_as_unusable():
            commit = next(commits, None)
            return None if commit is None else (entry_in(commit), self.kept_in(commit))

    def is_of_here(self, entry: Entry) -> bool:
        """True where this host has made ``entry``, as far as it says that."""
        return entry.made_on in ("", self._place.host)

    @property
    def objects(self) -> DiskObjectStore:
        """The objects, for the modules of this package."""
        return self._open()[0]

    def tips(self) -> dict[str, ObjectID]:
        """The last commit of each domain's line."""
        with self.told_as_unusable():
            return {uuid: tip for uuid in self.uuids() if (tip := self.tip(uuid)) is not None}

    def tip(self, uuid: str) -> ObjectID | None:
        """The last commit of the line of the domain ``uuid``; None where it has none."""
        return cast("ObjectID | None", self._open()[1].read_ref(_ref(uuid)))

    def commit(self, commit: ObjectID) -> Commit:
        """The commit of this id."""
        return cast("Commit", self._open()[0][commit])

    def kept_in(self, commit: Commit) -> KeptDocument:
        """What is kept of the document in ``commit``."""
        objects = self._open()[0]
        tree = cast("Tree", objects[commit.tree])
        texts = {name: cast("Blob", objects[blob]).data.decode() for name, _, blob in tree.items()}
        return KeptDocument(texts.get(_DOCUMENT, ""), tuple(texts.get(_OMITTED, "").splitlines()))

    def check_in(self, commit: Commit) -> None:
        """Raise where what is kept in ``commit`` cannot be read, or is no document."""
        self._place.check(self.kept_in(commit).document)

    def write(self, *new: ShaFile) -> None:
        """Write objects. To be called while :meth:`writing`."""
        for each in new:
            write_git_object(self.folder, each.id.decode(), each.as_legacy_object())

    def _open(self) -> tuple[DiskObjectStore, DiskRefsContainer]:
        if self._opened is None:
            self._opened = opened(self.folder)
        return self._opened

    def _read_refs_anew(self) -> None:
        """Let what others have written since be seen: dulwich reads packed-refs once (0.21)."""
        if self._opened is not None:
            objects, refs = self._opened
            self._opened = objects, type(refs)(str(self.folder))

    @contextlib.contextmanager
    def told_as_unusable(self) -> Iterator[None]:
        """Let whatever dulwich and the disk have to say be one error: a damaged repository raises many."""
        try:
            yield
        except HoldfastError:
            raise
        except OSError as error:
            raise HISTORY_UNUSABLE(folder=self._place.folder, reason=error.strerror or str(error)) from error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise HISTORY_UNUSABLE(folder=self._place.folder, reason=reason) from error


def _ref(uuid: str) -> Ref:
    return cast("Ref", f"{_REFS}{uuid}".encode())


def entry_in(commit: Commit) -> Entry:
    """The entry that ``commit`` is. Raises ValueError where it is none."""
    time = datetime.fromtimestamp(commit.commit_time, UTC).isoformat(timespec="seconds")
    return entry_of(commit.id.decode(), time, commit.message.decode(errors="replace"))
