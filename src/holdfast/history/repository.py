"""The git repository that a history is: entries are added to the line of one domain, and read from it.

A domain's line is the ref ``refs/domains/UUID``. Its commits have two files: ``domain.xml``, and where secrets were
left out ``omitted``, which says where. Objects are written before the ref, which is locked as git locks it: whoever is
killed in between leaves objects that nothing refers to. dulwich makes the objects and reads them; the files are written
here, since it leaves its lock files open where the disk is full (0.21 to 1.2). Whatever it meets is one error,
HISTORY_UNUSABLE.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from holdfast.errors import HoldfastError
from holdfast.errors.history import HISTORY_UNUSABLE
from holdfast.history.entry import Entry, Happened, KeptDocument, entry_of, message_of
from holdfast.history.prune import Reached, remove_unreached
from holdfast.hostfiles.history_folder import (
    check_history_folder,
    git_file,
    git_lock,
    make_git_folder,
    make_history_folder,
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
    """

    folder: Path
    shared: bool


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
            yield

    def add(self, uuid: str, kept: KeptDocument, happened: Happened) -> None:
        """Add an entry to the line of the domain ``uuid``. To be called while :meth:`writing`."""
        from dulwich.objects import Blob, Commit, Tree

        texts = {_DOCUMENT: kept.document, _OMITTED: "".join(f"{place}\n" for place in kept.omitted)}
        tree, commit = Tree(), Commit()
        files = {name: Blob.from_string(text.encode()) for name, text in texts.items() if text}
        for name, blob in files.items():
            tree.add(name, _FILE_MODE, blob.id)
        commit.tree = tree.id
        commit.author = commit.committer = f"{_signature(happened.by)} <>".encode()
        commit.author_time = commit.commit_time = int(time.time())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = message_of(happened).encode()
        with self._told_as_unusable():
            self._write(*files.values(), tree)
            with git_file(self.folder / _REFS / uuid) as ref:
                last = self._last(uuid)
                commit.parents = [] if last is None else [last]
                self._write(commit)
                ref.write(commit.id + b"\n")

    def last(self, uuid: str) -> tuple[Entry, KeptDocument] | None:
        """The last entry of the domain ``uuid``, with what is kept of its document; None where there is none."""
        with self._told_as_unusable():
            last = self._last(uuid)
            if last is None:
                return None
            commit = self._commit(last)
            return _entry(commit), self._kept(commit)

    def entries(self, uuid: str) -> Iterator[Entry]:
        """The entries of the domain ``uuid``, the last one first."""
        with self._told_as_unusable():
            following = self._last(uuid)
            while following is not None:
                commit = self._commit(following)
                yield _entry(commit)
                following = next(iter(commit.parents), None)

    def kept(self, entry: Entry) -> KeptDocument:
        """What is kept of the document of ``entry``."""
        with self._told_as_unusable():
            return self._kept(self._commit(cast("ObjectID", entry.id.encode())))

    def uuids(self) -> list[str]:
        """The domains that have a history, whether libvirt knows them or not."""
        with self._told_as_unusable():
            found = self._open()[1].subkeys(cast("Ref", _REFS.encode()))
            return sorted(each.decode() for each in found if not each.endswith((b".lock", b".new")))

    def forget(self, lines: Mapping[str, Entry]) -> list[str]:
        """Remove the lines of these domains, with all objects that only they have; not to be called while writing.

        Each line goes where its last entry is the given one still; the UUIDs of those that went are returned.
        """
        with self._told_as_unusable():
            objects = self._open()[0]
            kept, went = Reached(objects), Reached(objects)
            kept.add(self._tips(but=[_ref(uuid) for uuid in lines]))  # most of them before others have to wait
            gone = []
            with self.writing():
                for uuid, entry in lines.items():
                    with git_lock(self.folder / _REFS / uuid):
                        if (last := self._last(uuid)) == entry.id.encode() and last is not None:
                            went.add([last])
                            remove_git_ref(self.folder, f"{_REFS}{uuid}")
                            gone.append(uuid)
                kept.add(self._tips())
                remove_unreached(self.folder, objects, kept.ids, went.ids)
                self._opened = None
        return gone

    def _tips(self, but: Collection[Ref] = ()) -> list[ObjectID]:
        """What the refs refer to, whoever made them; ``but`` not these."""
        return [id for ref, id in self._open()[1].as_dict().items() if ref not in but]

    def _last(self, uuid: str) -> ObjectID | None:
        return cast("ObjectID | None", self._open()[1].read_ref(_ref(uuid)))

    def _commit(self, commit: ObjectID) -> Commit:
        return cast("Commit", self._open()[0][commit])

    def _kept(self, commit: Commit) -> KeptDocument:
        objects = self._open()[0]
        tree = cast("Tree", objects[commit.tree])
        texts = {name: cast("Blob", objects[blob]).data.decode() for name, _, blob in tree.items()}
        return KeptDocument(texts.get(_DOCUMENT, ""), tuple(texts.get(_OMITTED, "").splitlines()))

    def _write(self, *new: ShaFile) -> None:
        for each in new:
            write_git_object(self.folder, each.id.decode(), each.as_legacy_object())

    def _open(self) -> tuple[DiskObjectStore, DiskRefsContainer]:
        if self._opened is None:
            # Not dulwich.repo, whose import takes as long again, and whose init leaves half of one when it is killed.
            from dulwich.object_store import DiskObjectStore
            from dulwich.refs import DiskRefsContainer

            folder = str(self._place.folder)
            self._opened = DiskObjectStore(f"{folder}/objects"), DiskRefsContainer(folder)
        return self._opened

    @contextlib.contextmanager
    def _told_as_unusable(self) -> Iterator[None]:
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


def _entry(commit: Commit) -> Entry:
    time = datetime.fromtimestamp(commit.commit_time, UTC).isoformat(timespec="seconds")
    return entry_of(commit.id.decode(), time, commit.message.decode(errors="replace"))


def _signature(name: str) -> str:
    """``name`` as git takes it for an author."""
    return re.sub(r"[<>\x00-\x1f]", "", name).strip() or "unknown"
