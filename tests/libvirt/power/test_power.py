"""Power: each verb does its step, or says in one sentence why not, with nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import NotFound, disks
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.moments import once_it_waits
from tests.raising import raising

VERBS = ["start", "shutdown", "reboot", "reset", "destroy", "suspend", "resume"]
NEEDS_RUNNING = [["shutdown"], ["reboot"], ["reboot", "--hard"], ["reset"], ["destroy"], ["suspend"], ["resume"]]


def defined(connection: Connection, name: str = "a", extra: str = "") -> Domain:
    """A domain that is shut off."""
    return connection.define(domain_xml(name, extra=extra))


def started(connection: Connection, name: str = "a", extra: str = "") -> Domain:
    """A domain whose firmware runs and finds nothing to boot."""
    domain = defined(connection, name, extra)
    domain.start()
    return domain


def transient(connection: Connection) -> Domain:
    """A running domain that has no config document."""
    domain = started(connection)
    domain.undefine()
    return domain


def test_start_runs_the_domain(connection: Connection) -> None:
    domain = defined(connection)
    change = operations.start(connection, "a")
    assert (change.before, change.after) == ("shut off", "running")
    assert domain.state() == "running"


def test_start_paused_then_resume_and_suspend(connection: Connection) -> None:
    defined(connection)
    assert operations.start(connection, "a", paused=True).after == "paused"
    assert operations.resume(connection, "a").after == "running"
    assert operations.suspend(connection, "a").after == "paused"


def test_a_domain_is_found_by_uuid(connection: Connection) -> None:
    domain = defined(connection)
    assert operations.start(connection, domain.uuid).name == "a"


def test_start_of_a_running_domain_is_an_error(connection: Connection, uri: str) -> None:
    started(connection)
    result = run(uri, "start", "a")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the domain 'a' is already running\n"


def test_start_of_a_paused_domain_points_to_resume(connection: Connection, uri: str) -> None:
    defined(connection)
    operations.start(connection, "a", paused=True)
    result = run(uri, "start", "a")
    assert result.exit_code == 1
    assert "'holdfast resume a'" in result.stderr


@pytest.mark.parametrize("command", NEEDS_RUNNING, ids=" ".join)
def test_a_domain_that_is_shut_off_stays_so(connection: Connection, uri: str, command: list[str]) -> None:
    domain = defined(connection)
    result = run(uri, *command, "a")
    assert result.exit_code == 1
    assert result.stderr == "error: the domain 'a' is not running\nhint: 'holdfast start a' starts it\n"
    assert domain.state() == "shut off"


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_domain_is_not_found(connection: Connection, uri: str, verb: str) -> None:
    result = run(uri, verb, "nosuch")
    assert result.exit_code == 4
    assert result.stderr.startswith("error: there is no domain 'nosuch' at ")


@pytest.mark.parametrize("verb", VERBS)
def test_a_domain_that_vanished_in_between_is_not_found(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    domain = defined(connection)
    domain.undefine()
    monkeypatch.setattr(connection, "find_domain", lambda name: domain)
    with pytest.raises(NotFound):
        getattr(operations, verb)(connection, "a")


@pytest.mark.parametrize("command", [["start"], *NEEDS_RUNNING], ids=" ".join)
def test_a_dry_run_changes_nothing(connection: Connection, uri: str, command: list[str]) -> None:
    domain = defined(connection)
    if command != ["start"]:
        domain.start(paused=command == ["resume"])
    before = domain.state(), domain.xml(CONFIG)
    assert "would" in done(uri, *command, "a", "--dry-run")
    assert (domain.state(), domain.xml(CONFIG)) == before


@pytest.mark.parametrize("command", [["start"], *NEEDS_RUNNING], ids=" ".join)
def test_a_read_only_connection_changes_nothing(connection: Connection, uri: str, command: list[str]) -> None:
    domain = defined(connection)
    if command != ["start"]:
        domain.start(paused=command == ["resume"])
    before = domain.state()
    result = run(uri, "-r", *command, "a")
    assert result.exit_code == 1, result.output
    assert "read-only" in result.stderr
    assert domain.state() == before


def test_shutdown_that_the_guest_does_not_answer_is_partly_done(connection: Connection, uri: str) -> None:
    domain = started(connection)
    result = run(uri, "shutdown", "a", "--timeout", "0.2")
    assert result.exit_code == 5
    assert "still running" in result.stderr
    assert "'holdfast destroy a'" in result.stderr
    assert domain.is_active()


def test_shutdown_ends_when_the_guest_stops_and_leaves_the_lock_free_meanwhile(connection: Connection) -> None:
    started(connection)
    with once_it_waits(lambda: operations.destroy(connection, "a")):
        assert operations.shutdown(connection, "a", timeout=PATIENCE).after == "shut off"


def test_shutdown_of_a_transient_domain_ends_when_it_is_gone(connection: Connection) -> None:
    domain = transient(connection)
    with once_it_waits(domain.destroy):
        assert operations.shutdown(connection, "a", timeout=PATIENCE).after == "gone"


@pytest.mark.parametrize("verb", ["shutdown", "reboot"])
def test_a_paused_guest_is_not_asked_what_it_cannot_hear(connection: Connection, uri: str, verb: str) -> None:
    defined(connection).start(paused=True)
    result = run(uri, verb, "a")
    assert result.exit_code == 1
    assert "'holdfast resume a'" in result.stderr


def test_soft_reboot_and_reset_keep_the_process(connection: Connection) -> None:
    domain = started(connection)
    identity = domain.xml(LIVE)
    assert operations.reboot(connection, "a").after == "running"
    assert operations.reset(connection, "a").after == "running"
    assert domain.xml(LIVE) == identity


def test_hard_reboot_leaves_the_config_document_byte_for_byte(connection: Connection, tmp_path: Path) -> None:
    domain = started(connection, extra=disk_xml(tmp_path, "one", "vda") + disk_xml(tmp_path, "two", "vdb"))
    before = domain.xml(CONFIG)
    change = operations.reboot(connection, "a", hard=True)
    assert (change.before, change.after, change.sees) == ("running", "running", ())
    assert domain.xml(CONFIG) == before


def test_hard_reboot_says_what_the_guest_will_find_changed(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = started(connection)
    domain.attach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    for option in (["--dry-run"], ["--accept"]):
        out = done(uri, "reboot", "--hard", "a", *option)
        assert "sees at the start:" in out
        assert "vda" in out
    assert "vda" in domain.xml(LIVE)


def test_hard_reboot_of_a_transient_domain_is_refused_before_anything_is_lost(connection: Connection, uri: str) -> None:
    domain = transient(connection)
    result = run(uri, "reboot", "--hard", "a")
    assert result.exit_code == 3
    assert "transient" in result.stderr
    assert domain.is_active()


def test_hard_reboot_is_refused_while_the_next_start_would_restore_old_memory(connection: Connection, uri: str) -> None:
    domain = started(connection)
    domain._handle.managedSave(0)
    connection._handle.createXML(domain.xml(CONFIG))  # runs beside the image, which libvirt keeps
    result = run(uri, "reboot", "--hard", "a")
    assert result.exit_code == 3
    assert "managed-save" in result.stderr
    assert domain.is_active()


def test_hard_reboot_that_cannot_start_again_says_what_stands(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = started(connection, extra=disk_xml(tmp_path, "one", "vda"))
    before = domain.xml(CONFIG)
    (tmp_path / "one.img").unlink()
    refused = run(uri, "reboot", "--hard", "a")
    assert refused.exit_code == 3
    assert "there is no image" in refused.stderr
    assert domain.is_active()
    result = run(uri, "reboot", "--hard", "a", "--accept")
    assert result.exit_code == 5
    assert "was switched off, but does not start again" in result.stderr
    assert domain.xml(CONFIG) == before
    image(tmp_path, "one")
    assert operations.start(connection, "a").after == "running"


def test_start_without_its_image_changes_nothing(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, extra=disk_xml(tmp_path, "one", "vda"))
    (tmp_path / "one.img").unlink()
    with raising(disks.IMAGE_MISSING, missing=f"disk vda pci 0000:01:00.0: there is no image {tmp_path}/one.img"):
        operations.start(connection, "a")
    assert domain.state() == "shut off"


def test_start_after_managed_save_says_that_memory_is_restored(connection: Connection, uri: str) -> None:
    domain = started(connection)
    domain._handle.managedSave(0)
    assert "from its managed-save image" in done(uri, "start", "a", "--dry-run")
    assert operations.start(connection, "a").restored
    assert domain.state() == "running"


def test_destroy_of_a_transient_domain_says_that_it_is_gone(connection: Connection, uri: str) -> None:
    transient(connection)
    assert done(uri, "destroy", "a") == "a: switched off; it was transient, and is gone\n"


def test_json_has_the_states(connection: Connection, uri: str) -> None:
    domain = defined(connection)
    assert json.loads(done(uri, "start", "a", "-o", "json")) == {
        "format": "holdfast.start",
        "version": 1,
        "dry_run": False,
        "name": "a",
        "uuid": domain.uuid,
        "changes": [],
        "waits": [],
        "notes": [],
        "asked_of_libvirt": None,
        "before": "shut off",
        "after": "running",
        "outlooks": [],
        "mended": [],
        "restored": False,
        "left_rescue": False,
        "recorded_now": [],
    }
