"""Push, pull and repair, killed at each step: nothing is lost on either side, and the next run completes the work."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.history.damage import damaged_lines, mend
from holdfast.history.exchange import pull, push
from holdfast.history.remote import Remote
from holdfast_lab.patience import PATIENCE
from tests.libvirt.killed import ROOT
from tests.libvirt.past.two_histories import DB, WEB, History, git, new_remote, ticking

STEPPING = """
import os, sys
from pathlib import Path
from tests.faults.steps import Fault, Point, Watcher
from tests.libvirt.past import test_exchange_killed as here
from dulwich import client, object_store, refs, repo
step, folder, what = sys.argv[1:]
Watcher(os.open(os.devnull, os.O_WRONLY), Point(Fault.KILL, int(step), False), int).install()
with here.History(Path(folder), "a").repository as repository:
    here.DO[what](repository, here.Remote(f"{folder}/remote.git"))
"""


def repair(repository: object, _: Remote) -> None:
    from holdfast.history.repository import Repository

    assert isinstance(repository, Repository)
    damaged = damaged_lines(repository)
    with repository.writing():
        mend(repository, damaged)


DO: dict[str, Callable[..., object]] = {"push": push, "pull": pull, "repair": repair}


def prepare(folder: Path, what: str) -> None:
    """Two hosts whose lines differ, or one whose last entry cannot be read."""
    remote = Remote(str(new_remote(folder / "remote.git")))
    a, b = History(folder, "a"), History(folder, "b")
    with a.repository, b.repository:
        a.add(WEB, "1")
        b.add(WEB, "2")
        b.add(DB, "3")
        push(b.repository, remote)
        if what == "repair":
            a.add(WEB, "lost")
            (a.folder / "objects" / a.tip(WEB)[:2] / a.tip(WEB)[2:]).unlink()


@pytest.mark.parametrize("what", DO)
def test_killed_at_each_step_it_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    ticking(monkeypatch)
    killed = 0
    for step in range(1, 200):
        folder = tmp_path / str(step)
        folder.mkdir()
        prepare(folder, what)
        command = [sys.executable, "-c", STEPPING, str(step), str(folder), what]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE, text=True)
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
        git(folder / "remote.git", "fsck", "--strict")
        for lock in (folder / "remote.git").rglob("*.lock"):
            lock.unlink()  # as the next push does, once it is old
        a = History(folder, "a")
        with a.repository:
            if what != "repair":
                assert "1" in a.names(WEB)
            DO[what](a.repository, Remote(f"{folder}/remote.git"))
            assert damaged_lines(a.repository) == []
            assert a.names(WEB) == (["1"] if what == "repair" else ["2", "1"])
        git(a.folder, "fsck", "--strict")
        killed += ended.returncode != 0
        if ended.returncode == 0:
            break
    assert killed > 3
    assert ended.returncode == 0
