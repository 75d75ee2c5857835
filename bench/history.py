"""The history: the first record of a host, its push, a change with and without it, and the log of one domain."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection

SHOWN = "domain-00000"


def history_cases(command: Sequence[str], ours: Connection, bare: libvirt.virConnect) -> Iterator[Case]:
    """``command`` is the command line's beginning, for processes. The folder of the history is gone in the end."""
    assert ours.history_folder is not None
    folder = Path(ours.history_folder)

    def begin() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(0o700, parents=True)

    begin()

    plain = folder.with_name("plain.git")

    def commit_all() -> None:
        """What dulwich itself takes for a commit of each document in a line of its own."""
        shutil.rmtree(plain, ignore_errors=True)
        with Repo.init_bare(str(plain), mkdir=True) as repository:
            repository.object_store.fsync_object_files = True
            for domain in bare.listAllDomains(0):
                blob = Blob.from_string(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).encode())
                tree, commit = Tree(), Commit()
                tree.add(b"domain.xml", 0o100644, blob.id)
                commit.tree, commit.parents, commit.message = tree.id, [], b"first seen"
                commit.author = commit.committer = b"root <>"
                commit.author_time = commit.commit_time = int(time.time())
                commit.author_timezone = commit.commit_timezone = 0
                for each in (blob, tree, commit):
                    repository.object_store.add_object(each)
                repository.refs[Ref(f"refs/domains/{domain.UUIDString()}".encode())] = commit.id

    def read_all() -> None:
        for domain in bare.listAllDomains(0):
            domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

    yield Case("history, first import", commit_all, lambda: operations.record_host(ours), 2.0, before=begin)
    yield Case("history, nothing new", read_all, lambda: operations.record_host(ours))
    shutil.rmtree(plain, ignore_errors=True)
    yield from _push_cases(folder, ours)

    kept = folder.with_name("kept.git")
    turn = iter(range(1_000_000))

    def change() -> None:
        _process([*command, "set", SHOWN, "--title", f"title {next(turn)}"])()

    def change_without() -> None:
        folder.rename(kept)
        try:
            change()
        finally:
            kept.rename(folder)

    yield Case("process: change", change_without, change, 1.2)
    yield Case("process: log", _process([*command, "list"]), _process([*command, "log", SHOWN]), 1.5)
    shutil.rmtree(folder)


def _push_cases(folder: Path, ours: Connection) -> Iterator[Case]:
    """All lines to an empty repository on this host, and none to one that has all, beside git itself."""
    operations.record_host(ours)
    remotes = {name: folder.with_name(f"{name}.git") for name in ("of-git", "ours")}
    git = ["git", f"--git-dir={folder}", "push", "--quiet", str(remotes["of-git"]), "refs/domains/*:refs/domains/*"]

    def begin() -> None:
        for remote in remotes.values():
            shutil.rmtree(remote, ignore_errors=True)
            subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)

    def push() -> object:
        return operations.push_history(ours, str(remotes["ours"]))

    yield Case("history, push all", _process(git), push, before=begin)
    yield Case("history, push none", _process(git), push)
    for remote in remotes.values():
        shutil.rmtree(remote, ignore_errors=True)


def _process(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
