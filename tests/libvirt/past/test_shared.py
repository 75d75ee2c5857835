"""One history that root and the users of a group write, and nobody else reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.history.entry import EntryKind
from holdfast.history.repository import HistoryPlace, Repository
from holdfast.hostfiles.history_folder import new_files_for
from holdfast_lab.enclosure import ORDINARY, lab_folder

UUID = "11111111-2222-4333-8444-555555555555"

WRITES = """
import os, sys
from pathlib import Path
from holdfast.errors import HoldfastError
from holdfast.history.entry import EntryKind, Happened, KeptDocument
from holdfast.history.repository import HistoryPlace, Repository

os.umask(0o077)
folder, uuid, *names = sys.argv[1:]
try:
    with Repository(HistoryPlace(Path(folder), shared=True)) as repository:
        for name in names:
            with repository.writing():
                happened = Happened(kind=EntryKind.CHANGED, name=name, user="somebody", command="a program")
                repository.add(uuid, KeptDocument(f"<domain>{name}</domain>"), happened)
except HoldfastError as error:
    sys.exit(error.code)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder as the package makes it."""
    above = Path(tempfile.mkdtemp(dir=lab_folder()))
    above.chmod(0o755)
    folder = above / "history.git"
    folder.mkdir()
    shutil.chown(folder, "root", "libvirt")
    folder.chmod(0o2770)
    yield folder
    shutil.rmtree(above)


def write(folder: Path, *names: str, become: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Write entries of these names, as root or as whom ``become`` says."""
    command = [*become, sys.executable, "-c", WRITES, str(folder), UUID, *names]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def user(groups: str) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", groups, "--bounding-set=-all", "--inh-caps=-all")


def test_root_and_the_group_write_one_history_whatever_their_umask(folder: Path) -> None:
    written = []
    for number, become in enumerate([(), user("--groups=libvirt")] * 3):
        names = [f"{number}-{each}" for each in range(30)]
        written += names
        result = write(folder, *names, become=become)
        assert result.returncode == 0, result.stderr
    with Repository(HistoryPlace(folder, shared=True)) as repository:
        assert [entry.name for entry in repository.entries(UUID)] == written[::-1]
        assert all(entry.kind is EntryKind.CHANGED for entry in repository.entries(UUID))
    assert {path.stat().st_gid for path in folder.rglob("*")} == {folder.stat().st_gid}


def test_nobody_else_comes_in(folder: Path) -> None:
    assert write(folder, "a").returncode == 0
    result = write(folder, "b", become=user("--clear-groups"))
    assert result.stderr.splitlines() == ["history-not-set-up"]


def test_entries_of_writers_at_one_time_are_one_line(folder: Path) -> None:
    command = [sys.executable, "-c", WRITES, str(folder), UUID]
    writers = [subprocess.Popen([*command, *(f"{number}-{each}" for each in range(20))]) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with Repository(HistoryPlace(folder, shared=True)) as repository:
        assert len({entry.name for entry in repository.entries(UUID)}) == 60


def test_the_umask_is_that_of_the_process_again_when_two_have_written_at_once() -> None:
    before = os.umask(0o022)
    try:
        one, two = new_files_for(shared=True), new_files_for(shared=False)
        one.__enter__()
        two.__enter__()
        assert os.umask(0o007) == 0o007
        one.__exit__(None, None, None)
        assert os.umask(0o077) == 0o077
        two.__exit__(None, None, None)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o770, 0o2775, 0o2777, 0o2700])
def test_folder_of_another_mode_is_not_set_up(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert write(folder, "a").stderr.splitlines() == ["history-not-set-up"]
