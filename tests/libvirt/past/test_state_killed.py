"""Writing a copy of state, and bringing one back, killed at each step: what is there is whole.

The commands as a whole are in the matrix of tests/faults.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.hostfiles.state_copies.own_files import put_back, read_state
from holdfast.hostfiles.state_copies.place import state_place
from holdfast.hostfiles.state_copies.state_copy import (
    KEPT,
    StateCopy,
    archive,
    compressed,
    copy_named,
    digest_of,
    files_in,
    superfluous,
)
from holdfast_lab.patience import PATIENCE
from tests.libvirt.killed import ROOT

KILLED = """
import os, sys
from pathlib import Path
from tests.faults.steps import Fault, Point, Watcher
from holdfast.hostfiles.state_copies.own_files import put_back, read_state
from tests.libvirt.past.test_state_killed import FOLDER_STATE, add
step, during, what, path = sys.argv[1:]
Watcher(os.open(os.devnull, os.O_WRONLY), Point(Fault.KILL, int(step), during == "during"), int).install()
add(path) if what == "add" else put_back(path, FOLDER_STATE)
"""
FOLDER_STATE = {"folder/tpm2-00.permall": b"permanent" * 500, "folder/tpm2-00.volatilestate": b"volatile"}
UUID = "11111111-2222-4333-8444-555555555555"

every_step = pytest.mark.parametrize("during", ["before", "during"])


def add(folder: str) -> None:
    """Add one more copy to the place ``folder``, and remove what is too many."""
    place = state_place(folder)
    known = place.copies(UUID).get(UUID, [])
    last = int(known[0].time[17:19]) if known else 0
    time = f"2026-12-01T09:15:{last + 1:02}.000000+00:00"
    tar = archive(FOLDER_STATE)
    copy = StateCopy(kind="tpm", time=time, running=False, entry="", digest=digest_of(tar), cipher="")
    place.add(UUID, copy, compressed(tar), superfluous([copy, *known]))


def is_killed(step: int, during: str, what: str, path: Path) -> bool:
    """True where it was killed before, or ``during``, its step of this number; else it is done."""
    command = [sys.executable, "-c", KILLED, str(step), during, what, str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE, text=True)
    assert ended.returncode in (0, -signal.SIGKILL, -signal.SIGXFSZ), ended.stderr
    return ended.returncode != 0


STEPS = range(1, 15)
"""More than either has."""


@every_step
def test_a_copy_is_whole_or_not_there(tmp_path: Path, during: str) -> None:
    begin = tmp_path / "begin"
    begin.mkdir(mode=0o700)
    for _ in range(KEPT):
        add(str(begin))
    ended = []
    for step in STEPS:
        place = tmp_path / f"{step}"
        shutil.copytree(begin, place)
        ended.append(not is_killed(step, during, "add", place))
        whole = [each for each in place.glob("*/*") if not each.name.startswith(".")]
        assert len(whole) in ([KEPT] if ended[-1] else [KEPT, KEPT + 1])
        for file in whole:
            copy = copy_named(file.name)
            assert copy is not None
            assert files_in(file.read_bytes(), copy) == FOLDER_STATE
        add(str(place))
        assert len(list(place.glob("*/*"))) == KEPT
        if during == "before" and ended[-1]:
            break
    assert ended.count(False) >= (1 if during == "during" else 5)
    assert ended[-1]


@every_step
def test_what_comes_back_is_whole_or_still_to_be_brought_back(tmp_path: Path, during: str) -> None:
    ended = []
    for step in STEPS:
        path = tmp_path / str(step) / "tpm2"
        ended.append(not is_killed(step, during, "put back", path))
        assert read_state(str(path)) in ([FOLDER_STATE] if ended[-1] else [None, FOLDER_STATE])
        if read_state(str(path)) is None:
            put_back(str(path), FOLDER_STATE)
        assert read_state(str(path)) == FOLDER_STATE
        assert [each.name for each in path.parent.iterdir()] == ["tpm2"]
        assert {each.stat().st_mode & 0o777 for each in path.iterdir()} == {0o600}
        if during == "before" and ended[-1]:
            break
    assert ended.count(False) >= (2 if during == "during" else 5)
    assert ended[-1]
