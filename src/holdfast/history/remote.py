"""The remote of a history: a git repository at a path or behind ssh or https, as dulwich's clients speak to it.

Nothing is taken from any git configuration: that of the history is its group's to write to. Whatever goes wrong there
is one error here, HISTORY_REMOTE, and no password of a URL is in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from traceback import walk_tb
from typing import TYPE_CHECKING, cast
from urllib.parse import urlparse, urlsplit

from holdfast.errors import HoldfastError
from holdfast.errors.history import HISTORY_REMOTE, NOT_A_REMOTE
from holdfast.hostfiles.history_folder import remove_left_lock_file, wait_for_lock_file
from holdfast.text import HIDDEN, printable

if TYPE_CHECKING:
    from dulwich.client import GitClient
    from dulwich.object_store import DiskObjectStore, MemoryObjectStore
    from dulwich.objects import Commit, ObjectID
    from dulwich.refs import Ref
    from urllib3 import PoolManager

LINES = "domains"
"""The refs of the domains' histories, each by its UUID in this folder of refs."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = re.compile(rb"[0-9a-f]{40}")
_SSH = "ssh -o ConnectTimeout=15 -o ServerAliveInterval=15"
_SECONDS = 60.0
"""Without a byte from a web server."""
_MOST = 1 << 30
"""Bytes that are taken of a remote at once."""
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):([^/@]*)@")
_QUERY = re.compile(r"(?<=\?).*", re.DOTALL)
_OF_SSH = re.compile(r"(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<path>[^:].*)")


def shown_remote(remote: str) -> str:
    """``remote`` without the password that its URL may have, and without its query, which may be signed."""
    return printable(_QUERY.sub(HIDDEN, _PASSWORD.sub(rf"\1:{HIDDEN}@", remote)))


def is_elsewhere(remote: str) -> bool:
    """True where a network leads to ``remote``."""
    return not remote.startswith(("/", "file:"))


class Remote:
    """The repository ``where``: a path, ssh://…, https://…, USER@HOST:PATH. Raises NOT_A_REMOTE.

    Each domain has one ref there in the folder ``refs``: that of its line, unless another folder is named.
    """

    def __init__(self, where: str, refs: str = LINES) -> None:
        self.name = shown_remote(where)
        self._refs = f"refs/{refs}/"
        self._where = where
        self._connections: PoolManager | None = None
        self._seen: Mapping[Ref, ObjectID] = {}
        self._client, self._path = self._transport()

    def tips(self) -> dict[str, ObjectID]:
        """The last commit of each domain's line there. Raises HISTORY_REMOTE."""
        with self._told():
            found = self._client.get_refs(self._path.encode())
            self._seen = cast("Mapping[Ref, ObjectID]", getattr(found, "refs", found))
            return self._tips(self._seen)

    def seen(self) -> Collection[str]:
        """The domains that had a ref there when it was asked last."""
        return self._tips(self._seen).keys()

    def seen_besides(self, refs: str) -> dict[str, str]:
        """What the folder ``refs`` had there when it was asked last: the domain → the id of a commit."""
        return {uuid: tip.decode() for uuid, tip in _tips(self._seen, f"refs/{refs}/").items()}

    def fetch(
        self,
        uuids: Iterable[str],
        have: Iterable[ObjectID],
        commit_of: Callable[[ObjectID], Commit],
        target: DiskObjectStore | MemoryObjectStore,
    ) -> dict[str, ObjectID]:
        """Put into ``target`` what the lines of ``uuids`` have beyond the commits ``have``; returns their last commits.

        Raises HISTORY_REMOTE.
        """
        from dulwich.file import FileLocked
        from dulwich.object_store import ObjectStoreGraphWalker

        wanted, pack, found = set(uuids), BytesIO(), dict[str, "ObjectID"]()

        def choose(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            found.update({uuid: tip for uuid, tip in self._tips(refs).items() if uuid in wanted})
            return sorted(set(found.values()))

        def take(data: bytes) -> int:
            if pack.tell() + len(data) > _MOST:
                raise HISTORY_REMOTE(remote=self.name, reason=f"it sends more than {_MOST >> 20} MiB")
            return pack.write(data)

        with self._told():
            walker = ObjectStoreGraphWalker(have, lambda commit: commit_of(commit).parents)
            self._client.fetch_pack(self._path.encode(), choose, walker, take)
        while found and pack.getbuffer().nbytes:
            pack.seek(0)
            with self._told(OSError, FileLocked):  # those are of the disk here
                try:
                    target.add_thin_pack(pack.read, None)
                    break
                except FileLocked as error:  # somebody takes the same, or was killed as he did
                    wait_for_lock_file(error.lockfilename)
        return found

    def send(
        self, choose: Callable[[dict[str, ObjectID]], dict[str, ObjectID]], source: DiskObjectStore | MemoryObjectStore
    ) -> dict[str, str]:
        """Let the lines there go on to the commits that ``choose`` returns, of those that are there: all at once.

        Returns those that the remote did not take, and why. Raises HISTORY_REMOTE.
        """
        from dulwich.file import FileLocked

        chosen, gone_on = dict[str, "ObjectID"](), set[bytes]()

        def update(refs: Mapping[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            self._seen = refs
            there = self._tips(refs)
            chosen.update(choose(there))
            gone_on.update(there[uuid] for uuid in chosen if uuid in there)
            return {cast("Ref", f"{self._refs}{uuid}".encode()): tip for uuid, tip in chosen.items()}

        def pack(have: Iterable[ObjectID], want: Iterable[ObjectID], **options: object) -> object:
            # Of what is there only what is gone on from: of the rest nothing is missing, and looking takes long.
            return source.generate_pack_data([each for each in have if each in gone_on], want, **options)  # type: ignore[arg-type]

        with self._told():
            try:
                sent = self._client.send_pack(self._path.encode(), update, pack)  # type: ignore[arg-type]
            except FileLocked as error:
                remove_left_lock_file(error.lockfilename)
                return dict.fromkeys(chosen, "somebody has it locked")
            status = cast("Mapping[bytes, str | None]", sent.ref_status or {})
            said = {uuid: status.get(f"{self._refs}{uuid}".encode()) for uuid in chosen}
            return {uuid: why for uuid, why in said.items() if why is not None}

    def _tips(self, refs: Mapping[Ref, ObjectID]) -> dict[str, ObjectID]:
        """Those of domains among ``refs``, which somebody else has made."""
        return _tips(refs, self._refs)

    @contextmanager
    def _told(self, *but: type[Exception]) -> Iterator[None]:
        """Let whatever goes wrong be HISTORY_REMOTE, ``but`` this."""
        passed: tuple[type[Exception], ...] = (HoldfastError, *but)
        try:
            yield
        except Exception as error:
            _let_go_of_files(error)
            if isinstance(error, passed):
                raise
            said = getattr(error, "strerror", None) or _words(error)
            reason = _PASSWORD.sub(rf"\1:{HIDDEN}@", said.replace(self._where, self.name))
            raise HISTORY_REMOTE(remote=self.name, reason=printable(reason)) from error
        finally:
            if self._connections is not None:
                self._connections.clear()

    def _transport(self) -> tuple[GitClient, str]:
        """What speaks to it, and its path there.

        Not dulwich's own choice: 0.21 takes every path with a colon for a host.
        """
        from dulwich.client import HttpGitClient, LocalGitClient, SSHGitClient, default_urllib3_manager

        where, ssh = self._where, os.environ.get("GIT_SSH_COMMAND", _SSH)
        if not where or where.startswith("-") or not where.isprintable():
            raise NOT_A_REMOTE(remote=self.name)
        if where.startswith("/"):
            return LocalGitClient(), where
        if "://" not in where and (of_ssh := _OF_SSH.fullmatch(where)):
            path = self._quotable(of_ssh["path"])
            return SSHGitClient(of_ssh["host"].strip("[]"), username=of_ssh["user"], ssh_command=ssh), path
        try:
            url, port = urlsplit(where), urlsplit(where).port
        except ValueError as error:
            raise NOT_A_REMOTE(remote=self.name) from error
        if url.scheme == "file" and not url.netloc:
            return LocalGitClient(), url.path
        if not url.hostname or url.hostname.startswith("-") or (url.username or "").startswith("-") or not url.path:
            raise NOT_A_REMOTE(remote=self.name)
        if url.scheme == "ssh" and url.password is None:
            path = self._quotable(url.path)
            return SSHGitClient(url.hostname, port=port, username=url.username, ssh_command=ssh), path
        if url.scheme not in ("http", "https"):
            raise NOT_A_REMOTE(remote=self.name)
        self._connections = cast("PoolManager", default_urllib3_manager(None, base_url=where))
        self._connections.connection_pool_kw["timeout"] = _SECONDS
        return HttpGitClient.from_parsedurl(urlparse(where), pool_manager=self._connections), url.path

    def _quotable(self, path: str) -> str:
        """``path``, which dulwich 0.21 gives to the shell there between quotes, as it is."""
        if "'" in path:
            raise NOT_A_REMOTE(remote=self.name)
        return path


def _tips(refs: Mapping[Ref, ObjectID], folder: str) -> dict[str, ObjectID]:
    found = ((ref.decode(errors="replace").removeprefix(folder), ref, tip) for ref, tip in refs.items())
    return {
        uuid: tip
        for uuid, ref, tip in found
        if tip and _UUID.fullmatch(uuid) and ref.startswith(folder.encode()) and _ID.fullmatch(tip)
    }


def _let_go_of_files(error: Exception) -> None:
    """Close and remove the lock files that dulwich leaves where a disk is full (0.21 to 1.2)."""
    from dulwich.file import _GitFile

    for frame, _ in walk_tb(error.__traceback__):
        for file in frame.f_locals.values():
            if isinstance(file, _GitFile) and "_closed" in vars(file):  # else it was never open
                for _ in range(2):  # the first time closes it, and fails for what is still to be written
                    with suppress(OSError):
                        file.abort()


def _words(error: Exception) -> str:
    """What ``error`` says, where dulwich's own errors say nothing but what they are."""
    said = "; ".join(filter(None, map(str.strip, str(error).splitlines())))
    name = type(error).__name__
    if name == "NotGitRepository":
        return "there is no git repository"
    if name == "HTTPUnauthorized":
        return "it asks for another user or password"
    if name == "HangupException":
        return said
    return f"{name}: {said}" if said else name
