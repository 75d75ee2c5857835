"""The place of the copies of state: a folder or another machine, which is full, not there, or open to others."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from holdfast import operations
from holdfast.errors import firmware as errors
from holdfast.errors.files import LINK_OF_OTHERS
from holdfast.hostfiles.state_copies.state_copy import KEPT, copy_named
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import done, run
from tests.libvirt.past.kept import NVRAM, Kept, write
from tests.libvirt.state.states import lose, place, started_once
from tests.raising import raising


def test_a_place_that_others_can_exchange_has_no_copies(connection: Connection, uri: str, kept: Kept) -> None:
    started_once(connection)
    kept.folder.chmod(0o777)
    failed = run(uri, "history", "copy-state")
    assert (failed.exit_code, "everybody can exchange what is in" in failed.stderr) == (1, True)
    kept.folder.chmod(0o700)
    assert kept.files() == []


def test_a_link_of_others_to_the_place_is_not_followed(connection: Connection, kept: Kept, tmp_path: Path) -> None:
    started_once(connection)
    around = tmp_path / "open"
    around.mkdir()
    (around / "link").symlink_to(kept.folder)
    around.chmod(0o777)
    kept.set(state=around / "link")
    with raising(LINK_OF_OTHERS):
        operations.copy_state(connection)
    assert kept.files() == []


def test_a_place_that_is_not_there_is_not_made(connection: Connection, uri: str, kept: Kept) -> None:
    started_once(connection)
    kept.folder.rmdir()
    failed = run(uri, "history", "copy-state")
    assert (failed.exit_code, f"cannot use the copies of state in {kept.folder}" in failed.stderr) == (1, True)
    assert not kept.folder.exists()
    kept.set(state="rsync://host/folder")
    why = "it is neither a path that begins with / nor ssh://[USER@]HOST[:PORT]/PATH"
    with raising(errors.COPIES_UNUSABLE, reason=why):
        operations.copy_state(connection)
    kept.set(remote="/elsewhere")
    with raising(errors.NO_STATE_PLACE, file=str(kept.settings)):
        operations.copy_state(connection)


def test_a_full_disk_leaves_no_copy_and_the_next_one_is_made(connection: Connection, uri: str, kept: Kept) -> None:
    write(place(connection, started_once(connection), NVRAM), os.urandom(0x10000))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=0700", "none", kept.folder], check=True)
    try:
        failed = run(uri, "history", "copy-state")
        assert (failed.exit_code, "No space left on device" in failed.stderr) == (1, True)
        assert kept.files() == []
        subprocess.run(["mount", "-o", "remount,size=1m", kept.folder], check=True)
        operations.copy_state(connection)
        assert len(kept.files()) == 1
    finally:
        subprocess.run(["umount", kept.folder], check=True)


def test_copies_go_over_ssh_and_come_back(
    connection: Connection, uri: str, kept: Kept, ssh: Callable[[str], Path]
) -> None:
    log = ssh("")
    folder = kept.folder.rename(kept.folder.with_name("it's kept"))
    kept.folder = folder
    kept.set(state=f"ssh://me@backup.example:2222{quote(str(folder))}")
    domain = started_once(connection)
    nvram = place(connection, domain, NVRAM)
    before = nvram.read_bytes()
    assert "1 copy made" in done(uri, "history", "copy-state")
    assert "0 copies made" in done(uri, "history", "copy-state")
    assert "-l me -p 2222 -- backup.example exec sh -c" in log.read_text()
    [file] = kept.files()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for number in range(KEPT + 1):
        write(nvram, bytes([number]))
        operations.copy_state(connection)
    assert len(kept.files()) == KEPT
    write(nvram, before[0x20000:0x20001])
    assert nvram.read_bytes() == before
    operations.copy_state(connection)
    lose(nvram)
    operations.restore_state(connection, "a")
    assert nvram.read_bytes() == before


def test_what_comes_incomplete_over_ssh_is_no_copy(
    connection: Connection, uri: str, kept: Kept, ssh: Callable[[str], Path]
) -> None:
    ssh("head -c 100 |")
    kept.set(state=f"ssh://backup.example{kept.folder}")
    started_once(connection)
    failed = run(uri, "history", "copy-state")
    assert (failed.exit_code, "it came incomplete" in failed.stderr) == (1, True)
    assert kept.copies() == []
    ssh("")
    operations.copy_state(connection)
    assert [copy_named(each.name) for each in kept.files()] == kept.copies()
    assert len(kept.copies()) == 1


def test_a_host_that_is_not_reached_is_said(
    connection: Connection, uri: str, kept: Kept, ssh: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh("")
    started_once(connection)
    kept.set(state="ssh://nowhere.example/folder")
    failed = run(uri, "history", "copy-state")
    assert (failed.exit_code, "nowhere.example: No route to host" in failed.stderr) == (1, True)
    monkeypatch.setenv("PATH", "/nowhere")
    with raising(errors.COPIES_UNUSABLE, reason="ssh is not installed"):
        operations.copy_state(connection)


def test_two_at_once_make_one_copy(connection: Connection, kept: Kept) -> None:
    started_once(connection)
    threads = [threading.Thread(target=operations.copy_state, args=(connection,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.copies()) == 1
