"""What is recorded of a change, by whom, and that the history stops nothing."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from holdfast import operations
from holdfast.errors.devices import NOT_RELEASED_PAUSED
from holdfast.errors.history import HISTORY_BUSY
from holdfast.hostfiles import history_folder
from holdfast.hostfiles.history_folder import writing_history
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.operations import DiskSpec, DomainSettings, DomainSpec, EntryKind, InterfaceSpec, LoggedChange, Place
from holdfast.operations.session import changing
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, running
from tests.raising import raising

CHANGED, OUTSIDE, FIRST_SEEN = EntryKind.CHANGED, EntryKind.OUTSIDE, EntryKind.FIRST_SEEN
USER = InterfaceSpec(kind="user")


def entries(connection: Connection, name: str = "a") -> list[LoggedChange]:
    """The log of a domain, the first entry first."""
    return list(reversed(operations.log_domain(connection, name)))


def kinds(connection: Connection, name: str = "a") -> list[EntryKind]:
    return [entry.kind for entry in entries(connection, name)]


def test_a_change_is_recorded_with_what_the_guest_saw(connection: Connection, uri: str) -> None:
    connection.define(domain_xml())
    done(uri, "interface", "attach", "a", "user,mac=52:54:00:00:00:01")
    first, second = entries(connection)
    assert (first.kind, first.sentences) == (FIRST_SEEN, ())
    assert second.sentences == ("interface 52:54:00:00:00:01 is added at pci 0000:02:00.0",)
    assert second.by == "root" if os.geteuid() == 0 else second.by
    assert second.command == f"holdfast -c '{uri}' interface attach a user,mac=52:54:00:00:00:01"


def test_git_itself_reads_the_history(connection: Connection, uri: str, history: Path) -> None:
    connection.define(domain_xml())
    done(uri, "interface", "attach", "a", "user,mac=52:54:00:00:00:01")
    git = ["git", f"--git-dir={history}"]
    ref = f"refs/domains/{connection.find_domain('a').uuid}"
    subjects = subprocess.run([*git, "log", "--format=%s", ref], check=True, capture_output=True, text=True).stdout
    assert "interface 52:54:00:00:00:01 is added at pci 0000:02:00.0" in subjects.splitlines()[0]
    assert subjects.splitlines()[1] == "first seen"
    document = subprocess.run([*git, "show", f"{ref}:domain.xml"], check=True, capture_output=True, text=True).stdout
    assert document == operations.document(connection, f"a@{entries(connection)[-1].short_id}")
    assert subprocess.run([*git, "fsck", "--strict"], check=False, capture_output=True).returncode == 0


def test_an_edit_and_a_creation_are_one_entry_each(connection: Connection, tmp_path: Path) -> None:
    spec = DomainSpec(memory=64 << 20, disks=(DiskSpec(path=str(tmp_path / "a.qcow2"), size=1 << 20),), graphics="none")
    operations.create_domain(connection, "a", spec)
    text = operations.text_to_edit(connection, "a")
    operations.edit_domain(connection, "a", text, text.replace("/dev/urandom", "/dev/random"))
    assert kinds(connection) == [CHANGED, CHANGED]


def test_what_others_changed_is_recorded_first_as_theirs(connection: Connection) -> None:
    connection.define(domain_xml())
    operations.attach_interface(connection, "a", USER)
    connection.find_domain("a").set_max_memory(128 * 1024)
    operations.set_domain(connection, "a", DomainSettings(title="b"))
    *_, theirs, ours = entries(connection)
    assert (theirs.kind, theirs.by, ours.kind) == (OUTSIDE, "outside Holdfast", CHANGED)
    assert "memory is 128 MiB, was 64 MiB" in theirs.sentences
    assert ours.sentences == ("title is set to b (was not given) (the guest does not see it)",)


def test_history_record_finds_what_others_changed_once(connection: Connection, uri: str) -> None:
    connection.define(domain_xml())
    assert operations.record_host(connection).recorded == ("a",)
    connection.find_domain("a").set_max_memory(128 * 1024)
    assert done(uri, "history", "record") == "1 domain looked at, 1 recorded\nrecorded  a\n"
    assert done(uri, "history", "record") == "1 domain looked at, 0 recorded\n"
    assert kinds(connection) == [FIRST_SEEN, OUTSIDE]


def test_a_watch_records_what_others_change(connection: Connection, uri: str) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    notices = operations.watch([uri], interval=0.1)
    try:
        next(notices)
        connection.find_domain("a").set_max_memory(128 * 1024)
        next(notices)
    finally:
        notices.close()
    assert kinds(connection) == [FIRST_SEEN, OUTSIDE]


def test_history_record_leaves_a_domain_alone_that_a_command_is_changing(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    with changing(connection, "a"):
        found: list[operations.HostRecord] = []
        thread = threading.Thread(target=lambda: found.append(operations.record_host(connection)))
        thread.start()
        thread.join()
    assert found[0].skipped == (domain.name,)


def test_history_record_leaves_a_domain_to_the_command_that_deletes_it(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    operations.record_host(connection)
    domain.undefine()
    with domain_lock(domain.uuid, "a", 0):
        assert operations.record_host(connection).gone == ()
    assert operations.record_host(connection).gone == ("a",)


def test_history_record_that_finds_nothing_new_waits_for_nobody(
    connection: Connection, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_folder, "_PATIENCE", 0.1)
    connection.define(domain_xml())
    deleted = connection.define(domain_xml("b"))
    operations.record_host(connection)
    deleted.undefine()
    operations.record_host(connection)
    with writing_history(history, shared=False):
        assert operations.record_host(connection).domains == 1


def test_what_a_start_gave_is_recorded(daemon: Connection) -> None:
    assert daemon.history_folder is not None
    Path(daemon.history_folder).mkdir(parents=True, mode=0o700)
    daemon._handle.networkDefineXML("<network><name>quiet</name><bridge name='hf-quiet'/></network>").create()
    mac = "52:54:00:00:00:01"
    source = "<source network='quiet'/><model type='virtio'/><mtu size='1400'/>"
    interface = f"<interface type='network'><mac address='{mac}'/>{source}</interface>"
    daemon.define(domain_xml(extra=interface))
    operations.start(daemon, "a", paused=True)
    entry = entries(daemon)[-1]
    assert entry.started["firmware"] == "BIOS"
    assert entry.started["cpu"].startswith("qemu64")
    assert f"started with mtu of {mac} 1400" in entry.sentences


def test_deleted_domain_is_found_by_its_name(connection: Connection) -> None:
    connection.define(domain_xml())
    operations.attach_interface(connection, "a", USER)
    operations.delete_domain(connection, "a")
    assert kinds(connection) == [FIRST_SEEN, CHANGED, EntryKind.DELETED]
    connection.define(domain_xml("b"))
    operations.record_host(connection)
    connection.find_domain("b").undefine()
    assert operations.record_host(connection).gone == ("b",)
    assert operations.record_host(connection).gone == ()
    assert kinds(connection, "b") == [FIRST_SEEN, EntryKind.GONE]


def test_a_refused_or_dry_command_is_no_entry(connection: Connection) -> None:
    connection.define(domain_xml())
    operations.attach_interface(connection, "a", USER, dry_run=True)
    assert operations.log_host(connection) == ()


def test_what_failed_halfway_is_recorded(connection: Connection) -> None:
    running(connection, extra="<interface type='user'><mac address='52:54:00:00:00:01'/></interface>")
    with raising(NOT_RELEASED_PAUSED):
        operations.detach_device(connection, "a", "52:54:00:00:00:01", timeout=0)
    assert "interface 52:54:00:00:00:01 is removed" in entries(connection)[-1].sentences[0]


def test_a_move_of_a_running_disk_is_recorded_once_it_is_done(connection: Connection, tmp_path: Path) -> None:
    running(connection, extra=disk_xml(tmp_path, "old", "vda"))
    operations.move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
    assert any(f"{tmp_path}/new" in sentence for sentence in entries(connection)[-1].sentences)
    assert operations.record_host(connection).recorded == ()


def test_two_domains_changed_at_once_have_their_lines(connection: Connection) -> None:
    names = [f"a{number}" for number in range(4)]
    for name in names:
        connection.define(domain_xml(name))
    threads = [threading.Thread(target=operations.attach_interface, args=(connection, name, USER)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kinds(connection, name) for name in names] == [[FIRST_SEEN, CHANGED]] * 4


def told(connection: Connection, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What two changes say of the history: each reason once."""
    connection.define(domain_xml())
    with caplog.at_level(logging.WARNING, "holdfast"):
        operations.attach_interface(connection, "a", USER)
        operations.set_domain(connection, "a", DomainSettings(title="b"))
    assert len(connection.find_domain("a").xml(CONFIG).split("<interface")) == 2
    return caplog.messages


def test_folder_of_others_is_said_once_and_stops_nothing(
    connection: Connection, history: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history.chmod(0o777)
    (said,) = told(connection, caplog)
    assert said.startswith(f"not recorded in the history: {history} is no folder of yours")


def test_damaged_history_is_said_and_stops_nothing(
    connection: Connection, history: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    connection.find_domain("a").undefine()
    for path in history.glob("objects/??/*"):
        path.chmod(0o600)
        path.write_bytes(b"damaged")
    uuid = next(history.glob("refs/domains/*")).name
    connection.define(domain_xml().replace("</name>", f"</name><uuid>{uuid}</uuid>"))
    with caplog.at_level(logging.WARNING, "holdfast"):
        operations.attach_interface(connection, "a", USER)
    assert [f"the history in {history} cannot be used" in message for message in caplog.messages] == [True]
    result = run(connection.uri, "log", "a")
    assert (result.exit_code, "cannot be used" in result.stderr) == (1, True)


def test_history_that_somebody_holds_is_said_and_stops_nothing(
    connection: Connection, history: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_folder, "_PATIENCE", 0.1)
    with writing_history(history, shared=False):
        (said,) = told(connection, caplog)
    assert "somebody else has been writing the history" in said
    with writing_history(history, shared=False), raising(HISTORY_BUSY), writing_history(history, shared=False):
        pass


def test_full_disk_is_said_and_leaves_nothing_half(
    connection: Connection, history: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", history], check=True)
    try:
        (said,) = told(connection, caplog)
        left = list(history.rglob("*.lock"))
    finally:
        subprocess.run(["umount", "--lazy", history], check=True)
    gc.collect()  # what is left open is warned of
    assert "No space left on device" in said
    assert left == [history / "holdfast.lock"]


def test_lock_file_of_a_killed_process_is_removed(connection: Connection, history: Path) -> None:
    domain = connection.define(domain_xml())
    operations.record_host(connection)
    left = history / "refs/domains" / f"{domain.uuid}.lock"
    left.touch()
    os.utime(left, (0, 0))
    operations.attach_interface(connection, "a", USER)
    assert kinds(connection) == [FIRST_SEEN, CHANGED]
    assert not left.exists()


def test_history_with_half_a_beginning_is_finished(connection: Connection, history: Path) -> None:
    (history / "objects").mkdir()
    (history / "config.new").touch()
    connection.define(domain_xml())
    assert operations.record_host(connection).recorded == ("a",)


def test_without_a_folder_nothing_is_recorded_or_said(
    connection: Connection, history: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history.rmdir()
    assert told(connection, caplog) == []
    assert not history.exists()
    history.mkdir()


def test_remote_libvirt_records_nothing_here(remote_uri: str, uri: str) -> None:
    with open_connection(remote_uri) as connection:
        assert connection.history_folder is None
        host = urlsplit(connection.uri).hostname
    result = run(remote_uri, "log", "a b", "--patch")
    assert result.exit_code == 4
    assert result.stderr.splitlines()[1] == f"hint: on {host}: holdfast -c qemu:///system log 'a b' --patch"


LOOKS = ("list", "show a", "xml a", "diff a a", "log a", "interface attach a user --dry-run")


@pytest.mark.parametrize("command", LOOKS)
def test_git_library_is_imported_only_where_the_history_is_used(connection: Connection, uri: str, command: str) -> None:
    connection.define(domain_xml())
    operations.record_host(connection)
    assert imports_dulwich(uri, command) == (command == "log a")


def test_change_where_no_history_is_kept_needs_no_git_library(connection: Connection, uri: str, history: Path) -> None:
    connection.define(domain_xml())
    history.rmdir()
    assert not imports_dulwich(uri, "set a --title b")
    history.mkdir()
    assert imports_dulwich(uri, "set a --title c")


def imports_dulwich(uri: str, command: str) -> bool:
    """True where ``command`` imports dulwich in a process that has not."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "dulwich"}
    for name in before:
        del sys.modules[name]
    try:
        done(uri, *command.split())
        return "dulwich" in sys.modules
    finally:
        sys.modules.update(before)
