"""The commands that bring a history off its host, look at it and mend it, and two libvirts with one remote."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import EntryKind
from tests.libvirt.commands import done, run
from tests.libvirt.domains import domain_xml
from tests.libvirt.past.two_histories import new_remote


@pytest.fixture
def remote(connection: Connection, history: Path, tmp_path: Path) -> Path:
    """The remote that the settings name."""
    remote = new_remote(tmp_path / "remote.git")
    assert connection.history_settings_file is not None
    Path(connection.history_settings_file).write_text(f'remote = "{remote}"\n')
    return remote


@pytest.fixture(autouse=True)
def no_settings_stay(connection: Connection) -> object:
    assert connection.history_settings_file is not None
    yield
    Path(connection.history_settings_file).unlink(missing_ok=True)


def test_without_a_remote_a_timer_is_quiet_and_a_user_is_told_what_to_do(uri: str) -> None:
    assert run(uri, "history", "push", "--unattended").output == ""
    told = run(uri, "history", "push")
    assert (told.exit_code, "history push REMOTE" in told.stderr) == (4, True)


def test_a_push_that_fails_is_told_by_check_until_one_succeeds(connection: Connection, uri: str, remote: Path) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    away = remote.rename(remote.with_name("away"))
    assert run(uri, "history", "push", "--unattended").exit_code == 1
    failed = run(uri, "history", "check")
    assert (failed.exit_code, "the last push failed" in failed.stdout) == (3, True)
    away.rename(remote)
    assert done(uri, "history", "push") == f"1 domain at {remote} as here, 1 pushed\n"
    assert ", 0 entries not pushed" in done(uri, "history", "check")


def test_what_others_changed_since_is_not_as_its_last_entry(connection: Connection, uri: str, remote: Path) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    done(uri, "history", "push")
    assert done(uri, "history", "verify") == f"all as at {remote}, and as the domains are\n"
    connection.find_domain("a").set_max_memory(128 * 1024)
    found = run(uri, "history", "verify")
    assert (found.exit_code, found.stdout) == (3, "not recorded yet  a\n")


def test_a_history_without_an_entry_is_pushed_and_looked_at_as_any_other(uri: str, remote: Path) -> None:
    done(uri, "history", "record")
    assert done(uri, "history", "push") == f"0 domains at {remote} as here, 0 pushed\n"
    assert done(uri, "history", "verify") == f"all as at {remote}, and as the domains are\n"
    assert done(uri, "history", "pull") == f"0 domains taken from {remote}\n"
    assert done(uri, "history", "repair") == "nothing to repair\n"
    assert "0 domains" in done(uri, "history", "check")


def test_check_tells_a_full_disk_and_a_read_only_one(connection: Connection, uri: str, history: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", history], check=True)
    try:
        connection.define(domain_xml())
        operations.record_host(connection)
        assert run(uri, "history", "check").exit_code == 0
        with contextlib.suppress(OSError), (history / "filler").open("wb") as file:
            file.write(bytes(8 << 20))
        full = run(uri, "history", "check")
        (history / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,ro", history], check=True)
        read_only = run(uri, "history", "check")
    finally:
        subprocess.run(["umount", "--lazy", history], check=True)
    for found, reason in ((full, "full"), (read_only, "read-only")):
        assert (found.exit_code, f"wrong  nothing can be recorded: its disk is {reason}\n" in found.stdout) == (3, True)


def test_a_lost_history_comes_back_from_its_remote(
    connection: Connection, uri: str, remote: Path, history: Path
) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    before = done(uri, "log", "a")
    done(uri, "history", "push")
    history.rename(history.with_name("lost.git"))
    assert run(uri, "history", "check").exit_code == 3
    history.mkdir()
    assert done(uri, "history", "pull") == f"1 domain taken from {remote}\nnew here  a\n"
    assert done(uri, "log", "a") == before
    assert operations.record_host(connection).recorded == ()


def test_a_domain_that_came_from_another_host_is_first_seen_here(
    connection: Connection, daemon: Connection, uri: str, remote: Path
) -> None:
    assert daemon.history_folder is not None
    Path(daemon.history_folder).mkdir(parents=True, mode=0o700)
    there = daemon.define(domain_xml())
    operations.record_host(daemon)
    operations.push_history(daemon, str(remote))
    document = there.xml(operations.Definition.CONFIG, secure=True)
    done(uri, "history", "pull")
    assert operations.record_host(connection).gone == ()
    connection.define(document)
    assert operations.record_host(connection).recorded == ("a",)
    there.undefine()
    assert operations.record_host(daemon).gone == ("a",)
    for each in (connection, daemon, connection):
        operations.push_history(each, str(remote))
    log = operations.log_domain(connection, "a")
    assert sorted(entry.kind for entry in log) == [EntryKind.GONE, EntryKind.FIRST_SEEN, EntryKind.FIRST_SEEN]
    assert len({entry.made_on for entry in log}) == 2
    assert done(uri, "log", "a").count("  on ") == 3
    assert operations.record_host(connection).recorded == ()


def test_a_damaged_history_is_repaired_and_its_remote_has_the_rest(
    connection: Connection, uri: str, remote: Path, history: Path
) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    connection.find_domain("a").set_max_memory(128 * 1024)
    operations.record_host(connection)
    done(uri, "history", "push")
    last = operations.log_domain(connection, "a")[0].id
    damaged = history / "objects" / last[:2] / last[2:]
    damaged.chmod(0o600)
    damaged.write_bytes(b"")
    assert "history repair" in run(uri, "log", "a").stderr
    assert json.loads(run(uri, "history", "check", "-o", "json").stdout)["wrong"]
    assert run(uri, "history", "repair").exit_code == 5
    assert len(operations.log_domain(connection, "a")) == 1
    assert "longer  a" in done(uri, "history", "pull")
    assert operations.log_domain(connection, "a")[0].id == last
    assert run(uri, "history", "check").exit_code == 0


@pytest.mark.parametrize("name", ["objects", "objects/pack", "refs/domains", "holdfast.lock", "packed-refs"])
def test_repair_takes_away_what_leads_elsewhere_and_the_remote_has_the_rest(
    connection: Connection, uri: str, remote: Path, history: Path, tmp_path: Path, name: str
) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    done(uri, "history", "push")
    before, elsewhere = done(uri, "log", "a"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("of root")
    if (history / name).exists():
        (history / name).rename(tmp_path / "was")
    (history / name).symlink_to(elsewhere)
    os.mkfifo(history / "refs" / "pipe")
    assert run(uri, "history", "check").exit_code == 3
    repaired = run(uri, "history", "repair").stdout
    assert f"removed  {name}\nremoved  refs/pipe\n" in repaired
    done(uri, "history", "pull")
    assert done(uri, "log", "a") == before
    assert run(uri, "history", "check").exit_code == 0
    assert (elsewhere / "file").read_text() == "of root"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('remote = "ftp://backup/history"', "is no remote"),
        ('state = "copies"', "neither a path"),
        ('state = "/nowhere/copies"', "No such file"),
        ('recipient = "nobody"', "nobody"),
        ('keep = "0 days"', "no age"),
    ],
)
def test_check_judges_every_setting(
    connection: Connection, uri: str, remote: Path, history: Path, setting: str, said: str
) -> None:
    operations.record_host(connection)
    assert connection.history_settings_file is not None
    assert run(uri, "history", "check").exit_code == 0
    Path(connection.history_settings_file).write_text(f"{setting}\n")
    found = run(uri, "history", "check")
    assert (found.exit_code, said in found.stdout) == (3, True), found.stdout
