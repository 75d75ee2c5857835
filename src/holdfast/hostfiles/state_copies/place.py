"""Where copies of state are: in a folder of this machine, or of another one over ssh. One folder in it for each domain.

Both are used alike: what is there is a list of names, and a copy is added whole or not at all. It is for its owner
alone (0600, in a folder of 0700).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from holdfast.errors.firmware import COPIES_OPEN_TO_OTHERS, COPIES_UNUSABLE
from holdfast.hostfiles.folder import open_folder, others_who_write
from holdfast.hostfiles.new_file import whole_file
from holdfast.hostfiles.state_copies.state_copy import StateCopy, copy_named

_LIMIT = 120.0
"""Seconds for one thing over ssh. A copy has some kilobytes; a connection that breaks ends after a minute."""
_SSH = ("ssh", "-T", *(f"-o{each}" for each in ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15")))


class StatePlace(ABC):
    """A place for copies; ``name`` is as it was set. All of it raises COPIES_UNUSABLE, COPIES_OPEN_TO_OTHERS."""

    def __init__(self, name: str) -> None:
        self.name = name

    def copies(self, uuid: str = "") -> dict[str, list[StateCopy]]:
        """UUID → the copies of that domain, the last one first; of the domain ``uuid`` alone, where that is given."""
        found: dict[str, list[StateCopy]] = {}
        for each in self._names(uuid):
            folder, _, name = each.rpartition("/")
            if (copy := copy_named(name)) is not None:
                found.setdefault(folder, []).append(copy)
        return {each: sorted(copies, key=lambda copy: copy.time, reverse=True) for each, copies in found.items()}

    @abstractmethod
    def _names(self, uuid: str) -> list[str]:
        """UUID/FILE of all that is there, or in the folder of ``uuid``."""

    @abstractmethod
    def read(self, uuid: str, copy: StateCopy) -> bytes:
        """What is in the file of ``copy``."""

    @abstractmethod
    def add(self, uuid: str, copy: StateCopy, content: bytes, superfluous: Collection[StateCopy]) -> None:
        """Add the file of ``copy``; once it is there, remove those of the ``superfluous``. One at a time a domain."""


def state_place(name: str) -> StatePlace:
    """The place that is set as ``name``: a path, or an ssh URL. Raises COPIES_UNUSABLE for anything else."""
    if name.startswith("/"):
        return _Folder(name)
    url = urlsplit(name)
    try:
        is_url = url.scheme == "ssh" and url.hostname and not (url.query or url.fragment or url.password)
        if is_url and url.path.strip("/") and (url.port is None or url.port):
            return _OverSsh(name, url)
    except ValueError:  # the port
        pass
    raise COPIES_UNUSABLE(
        place=name, reason="it is neither a path that begins with / nor ssh://[USER@]HOST[:PORT]/PATH"
    )


class _Folder(StatePlace):
    """A folder that is there already: whoever forgets to mount a disk does not fill the one below."""

    def _names(self, uuid: str) -> list[str]:
        with self._used(uuid or "UUID"):
            found = []
            for domain in [Path(self.name, uuid)] if uuid else Path(self.name).iterdir():
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    found += [f"{domain.name}/{file.name}" for file in domain.iterdir()]
            return found

    def read(self, uuid: str, copy: StateCopy) -> bytes:
        with self._used(uuid), self._opened(uuid) as folder:
            file = os.open(copy.file_name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            with os.fdopen(file, "rb") as opened:
                return opened.read()

    def add(self, uuid: str, copy: StateCopy, content: bytes, superfluous: Collection[StateCopy]) -> None:
        with self._used(uuid):
            around = Path(self.name, uuid)
            around.mkdir(mode=0o700, exist_ok=True)
            self._refuse_others(uuid)
            try:
                for left in around.glob(".*.new"):  # of one that was killed
                    left.unlink()
                with whole_file(str(around / copy.file_name), over=True) as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                with contextlib.suppress(OSError):  # it has other copies
                    around.rmdir()
                raise
            with self._opened(uuid) as folder:
                for each in superfluous:
                    with contextlib.suppress(OSError):  # it goes with a later one
                        os.unlink(each.file_name, dir_fd=folder)

    @contextlib.contextmanager
    def _opened(self, uuid: str) -> Iterator[int]:
        folder = open_folder(f"{self.name}/{uuid}")
        try:
            yield folder
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _used(self, uuid: str) -> Iterator[None]:
        try:
            os.close(open_folder(self.name))
            self._refuse_others(uuid)
            yield
        except OSError as error:
            raise COPIES_UNUSABLE(place=self.name, reason=error.strerror or str(error)) from error

    def _refuse_others(self, uuid: str) -> None:
        """Whoever can exchange a copy has a say in what a guest boots."""
        if (who := others_who_write(f"{self.name}/{uuid}/copy")) is not None:
            raise COPIES_OPEN_TO_OTHERS(place=self.name, who=who)


class _OverSsh(StatePlace):
    """A folder of another machine, whose shell is given one of three commands; ssh itself says how it gets there."""

    def __init__(self, name: str, url: SplitResult) -> None:
        super().__init__(name)
        to = unquote(url.hostname or "")
        user = ["-l", unquote(url.username)] if url.username else []
        port = ["-p", str(url.port)] if url.port else []
        self._ssh = [*_SSH, *user, *port, "--", to]
        path = unquote(url.path)
        self._path = path.removeprefix("/~/") if path.startswith("/~/") else path

    def _names(self, uuid: str) -> list[str]:
        find = "find . -type f"
        if uuid:
            find = f"if [ -d {uuid} ]; then find {uuid} -type f; fi"
        return [line.removeprefix("./") for line in self._run(find).decode(errors="replace").splitlines()]

    def read(self, uuid: str, copy: StateCopy) -> bytes:
        return self._run(f"cat {uuid}/{copy.file_name}")

    def add(self, uuid: str, copy: StateCopy, content: bytes, superfluous: Collection[StateCopy]) -> None:
        new = f"{uuid}/.{copy.kind}.new"
        # A connection that breaks ends the content early: only what is complete gets its name.
        steps = (
            "umask 077",
            f"mkdir -p {uuid}",
            f"cat > {new}",
            f"{{ [ $(wc -c < {new}) -eq {len(content)} ] || {{ echo 'it came incomplete' >&2; false; }}; }}",
            f"{{ sync {new} 2>/dev/null || true; }}",
            f"mv {new} {uuid}/{copy.file_name}",
            " ".join(("{ rm -f", *(f"{uuid}/{each.file_name}" for each in superfluous), "|| true; }")),
        )
        self._run(" && ".join(steps), content)

    def _run(self, command: str, content: bytes = b"") -> bytes:
        script = f"cd {shlex.quote(self._path)} && {command}"
        try:
            done = subprocess.run(
                [*self._ssh, f"exec sh -c {shlex.quote(script)}"], input=content, capture_output=True, timeout=_LIMIT
            )
        except FileNotFoundError as error:
            raise COPIES_UNUSABLE(place=self.name, reason="ssh is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise COPIES_UNUSABLE(place=self.name, reason=f"there was no answer within {_LIMIT:g} seconds") from error
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"ssh ended with {done.returncode}"]
            raise COPIES_UNUSABLE(place=self.name, reason=lines[-1].strip())
        return done.stdout
