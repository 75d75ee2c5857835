"""Histories of several hosts, without their libvirts, and remotes that git itself has made."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast.history import line, repository
from holdfast.history.entry import EntryKind, Happened, KeptDocument
from holdfast.history.repository import HistoryPlace, Repository

HOOK = """\
#!/bin/sh
case $3 in *[!0]*) ;; *) exit 1 ;; esac
case $2 in *[!0]*) git merge-base --is-ancestor "$2" "$3" ;; esac
"""
"""As docs/history.md has it."""

UUIDS = [f"{number:08}-2222-4333-8444-555555555555" for number in range(20)]
WEB, DB, *_ = UUIDS


class History:
    """The history of one host."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder / host
        self.repository = Repository.made(HistoryPlace(self.folder, shared=False, host=host))

    def add(self, uuid: str, name: str, kind: EntryKind = EntryKind.CHANGED) -> str:
        """Add an entry; returns its id."""
        with self.repository.writing():
            happened = Happened(kind=kind, name=name, user="root", command=f"holdfast edit {name}")
            self.repository.add(uuid, KeptDocument(f"<domain><name>{name}</name></domain>\n"), happened)
        return self.tip(uuid)

    def names(self, uuid: str) -> list[str]:
        """The names in the entries of a domain, the last one first."""
        return [entry.name for entry in self.repository.entries(uuid)]

    def tip(self, uuid: str) -> str:
        """The id of the last commit."""
        return (self.repository.tip(uuid) or b"").decode()

    def commits(self, uuid: str) -> set[str]:
        """The ids of all commits of a domain."""
        tip = self.repository.tip(uuid)
        assert tip is not None
        return {commit.id.decode() for commit in line.commits_from(self.repository.commit, [tip])}


def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each entry be a second later than the one before."""
    clock = itertools.count(1_700_000_000)
    monkeypatch.setattr(repository, "time", SimpleNamespace(time=lambda: next(clock)))


def git(folder: Path, *words: str, input: str | None = None) -> str:
    """What git says in the repository at ``folder``."""
    command = ["git", f"--git-dir={folder}", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=input).stdout


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 1 MiB at ``folder``."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Let there be no space on ``disk``."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    yield
    (disk / "filler").unlink()


def new_remote(folder: Path) -> Path:
    """A bare repository that refuses rewritten refs."""
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    hook = folder / "hooks" / "update"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    return folder
