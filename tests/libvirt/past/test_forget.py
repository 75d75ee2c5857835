"""Forgetting: only what was deleted goes, at once or once it is old enough, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors.history import FORGET_OF_KNOWN, NO_ENTRIES, NOT_AN_AGE
from holdfast.history import repository
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import InterfaceSpec
from tests.libvirt.commands import done, run
from tests.libvirt.domains import domain_xml
from tests.raising import raising
from tests.secretive import VNC

USER = InterfaceSpec(kind="user")
YEAR = 365 * 24 * 3600


def git(history: Path, *words: str) -> str:
    command = ["git", f"--git-dir={history}", "-c", "gc.auto=0", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def objects(history: Path) -> set[str]:
    """The ids of all objects, in packs or not."""
    return set(git(history, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())


def reachable(history: Path) -> set[str]:
    return {line.split()[0] for line in git(history, "rev-list", "--objects", "--all").splitlines()}


@pytest.fixture
def deleted(connection: Connection) -> str:
    """The UUID of "a", which had a password and was deleted; so has "b", which is still there."""
    for name in ("a", "b"):
        connection.define(domain_xml(name, extra=f"{VNC}<video><model type='vga'/></video>"))
        operations.attach_interface(connection, name, USER)
    uuid = connection.find_domain("a").uuid
    operations.delete_domain(connection, "a")
    return uuid


@pytest.mark.parametrize("packed", [False, True])
def test_nothing_of_it_stays_and_all_else_does(
    connection: Connection, uri: str, deleted: str, history: Path, packed: bool
) -> None:
    others = {entry.id for entry in operations.log_domain(connection, "b")}
    if packed:
        git(history, "gc", "--quiet")
        git(history, "commit-graph", "write", "--reachable")
        git(history, "pack-refs", "--all")
    assert "would be forgotten" in done(uri, "history", "forget", "a", "--dry-run")
    assert len(operations.log_domain(connection, deleted)) == 3
    assert f"is forgotten ({deleted})" in done(uri, "history", "forget", "a")
    assert run(uri, "log", deleted).exit_code == 4
    assert {entry.id for entry in operations.log_host(connection)} == others
    assert objects(history) == reachable(history)
    git(history, "fsck", "--strict", "--full")
    assert operations.record_host(connection).recorded == ()


def test_history_of_a_domain_that_is_there_stays(connection: Connection, uri: str, deleted: str) -> None:
    with raising(FORGET_OF_KNOWN, name="b"):
        operations.forget_history(connection, "b")
    with raising(NO_ENTRIES):
        operations.forget_history(connection, "c")
    connection.define(domain_xml("a"))
    with raising(FORGET_OF_KNOWN):
        operations.forget_history(connection, "a")
    assert json.loads(done(uri, "history", "forget", deleted, "-o", "json"))["forgotten"][0]["uuid"] == deleted
    assert run(uri, "-r", "history", "forget", deleted).exit_code == 1


def test_only_what_was_deleted_long_ago_goes_by_its_age(
    connection: Connection, uri: str, deleted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert operations.forget_history(connection, older_than="1 day") == ()
    assert "no domain was deleted that long ago" in done(uri, "history", "forget", "--older-than", "5 years")
    now = time.time()
    with monkeypatch.context() as past:
        past.setattr(time, "time", lambda: now - 6 * YEAR)
        connection.define(domain_xml("c"))
        connection.define(domain_xml("d"))
        operations.record_host(connection)
        operations.delete_domain(connection, "c")
    connection.find_domain("d").undefine()  # its last entry is old, and its end is not recorded
    (gone,) = operations.forget_history(connection, older_than="5 years")
    assert gone.name == "c"
    assert {entry.name for entry in operations.log_host(connection)} == {"a", "b", "d"}


@pytest.mark.parametrize("age", ["5", "years", "2 hours", "-1 days", ""])
def test_what_is_no_age_is_said(connection: Connection, uri: str, deleted: str, age: str) -> None:
    with raising(NOT_AN_AGE):
        operations.forget_history(connection, older_than=age)
    assert run(uri, "history", "forget", "--older-than", age).exit_code == 2


@pytest.mark.parametrize("words", [[], ["a", "--older-than", "1 day"]])
def test_either_a_name_or_an_age_is_said(uri: str, words: list[str]) -> None:
    assert run(uri, "history", "forget", *words).exit_code == 2


def test_the_timer_forgets_what_is_older_than_is_set(
    connection: Connection, uri: str, deleted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connection.history_settings_file is not None
    settings = Path(connection.history_settings_file)
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('keep = "1 day"\n')
    try:
        assert operations.record_host(connection).forgotten == ()
        now = time.time()
        with monkeypatch.context() as past:
            past.setattr(time, "time", lambda: now - 2 * 24 * 3600)
            connection.define(domain_xml("c"))
            operations.record_host(connection)
            operations.delete_domain(connection, "c")
        assert "history forgotten  c" in done(uri, "history", "record")
        assert run(uri, "log", "c").exit_code == 4
        assert len(operations.log_domain(connection, deleted)) == 3
    finally:
        settings.unlink()


def test_what_a_killed_command_left_goes_later(connection: Connection, deleted: str, history: Path) -> None:
    left = [history / "objects" / "ab" / ("c" * 38), history / "objects" / "ab" / ("d" * 38)]
    left[0].parent.mkdir(exist_ok=True)
    for path in left:
        path.touch()
    os.utime(left[0], (0, 0))
    operations.forget_history(connection, "a")
    assert [path.exists() for path in left] == [False, True]
    left[1].unlink()


def test_a_line_that_has_gone_on_meanwhile_stays(
    connection: Connection, deleted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with repository.Repository(repository.HistoryPlace(Path(connection.history_folder or ""), shared=False)) as lines:
        last = lines.last(deleted)
        assert last is not None
        before = operations.log_domain(connection, deleted)[1]
        assert lines.forget({deleted: before}) == []
        assert lines.forget({deleted: last[0]}) == [deleted]


def test_a_full_disk_is_said(connection: Connection, uri: str, deleted: str, history: Path) -> None:
    git(history, "pack-refs", "--all")
    history.chmod(0o500)
    subprocess.run(["mount", "--bind", history, history], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", history], check=True)
    try:
        result = run(uri, "history", "forget", "a")
    finally:
        subprocess.run(["umount", "--lazy", history], check=True)
        history.chmod(0o700)
    assert (result.exit_code, "cannot be used" in result.stderr) == (1, True)
    assert len(operations.log_domain(connection, deleted)) == 3
