"""Rolling a domain back: its hardware of then at its places, with the images, the state and the facts of today."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import child, parse, remove_children, serialize
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors import HoldfastError
from holdfast.errors.disks import IMAGE_MISSING
from holdfast.errors.history import (
    HAD_NO_SECRETS,
    NO_SUCH_SECRET,
    NOT_A_REVISION,
    ROLLBACK_LEAVES_DISK,
    ROLLBACK_LEAVES_SNAPSHOT,
    ROLLBACK_OF_RUNNING,
    ROLLBACK_UNFINISHED,
    SECRETS_NEEDED,
    UNASKED_ROLLBACK,
)
from holdfast.errors.images import IN_USE
from holdfast.errors.power import MANAGED_SAVE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, DomainSettings, EntryKind, InterfaceSpec, Place
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising
from tests.secretive import MARK, VNC

MAC = "52:54:00:00:00:01"
NIC = f"<interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>"
USER = InterfaceSpec(kind="user")


def first(connection: Connection, name: str = "a") -> str:
    """The id of the first entry."""
    return operations.log_domain(connection, name)[-1].short_id


def last(connection: Connection, name: str = "a") -> str:
    return operations.log_domain(connection, name)[0].short_id


@pytest.fixture
def then(connection: Connection, tmp_path: Path) -> str:
    """The entry of "a" with two disks and an interface; it was adopted before."""
    disks = qcow2_disk(qcow2(tmp_path, "root"), "vda") + qcow2_disk(qcow2(tmp_path, "data"), "vdb")
    connection.define(domain_xml(extra=disks + NIC))
    operations.adopt_domain(connection, "a")
    return last(connection)


def test_hardware_of_then_is_back_at_its_places(connection: Connection, uri: str, then: str) -> None:
    before = connection.find_domain("a").xml(CONFIG)
    operations.detach_device(connection, "a", "vdb")
    operations.detach_device(connection, "a", MAC)
    operations.attach_interface(connection, "a", USER)
    operations.attach_device(
        connection, "a", "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    )
    said = done(uri, "rollback", "a", then, "--accept")
    assert said.startswith(f"a: is rolled back to {then} of ")
    assert "disk vdb is added at pci" in said
    assert compare(before, connection.find_domain("a").xml(CONFIG)) == []


def test_it_is_an_entry_and_can_be_rolled_back_itself(connection: Connection, uri: str, then: str) -> None:
    operations.detach_device(connection, "a", "vdb")
    operations.set_domain(connection, "a", DomainSettings(max_vcpus=2))
    now, document = last(connection), connection.find_domain("a").xml(CONFIG)
    operations.rollback_domain(connection, "a", then, accept=True)
    entry = operations.log_domain(connection, "a")[0]
    assert (entry.kind, "disk vdb is added" in " ".join(entry.sentences)) == (EntryKind.CHANGED, True)
    (note,) = operations.rollback_domain(connection, "a", now, accept=True).notes
    assert note.startswith("vdb is detached, as it was then; its image is kept: ")
    assert compare(document, connection.find_domain("a").xml(CONFIG)) == []


def test_what_the_guest_would_see_is_shown_first_and_has_to_be_accepted(
    connection: Connection, uri: str, then: str
) -> None:
    operations.detach_device(connection, "a", MAC)
    before = connection.find_domain("a").xml(CONFIG)
    result = run(uri, "rollback", f"a@{then}")
    assert (result.exit_code, f"interface {MAC} is added at pci" in result.stderr) == (3, True)
    assert "--accept takes it" in result.stderr
    promised = json.loads(done(uri, "rollback", "a", then, "--dry-run", "-o", "json"))
    assert (promised["format"], promised["asked_of_libvirt"]) == ("holdfast.rollback", True)
    assert [change["what"] for change in promised["changes"]] == [f"interface {MAC}"]
    assert connection.find_domain("a").xml(CONFIG) == before
    with raising(UNASKED_ROLLBACK):
        operations.rollback_domain(connection, "a", then)


def test_what_no_guest_sees_needs_no_accept(connection: Connection, then: str) -> None:
    operations.set_disk(connection, "a", "vdb", operations.DiskSettings(read_iops_sec=500))
    rolled = operations.rollback_domain(connection, "a", then)
    assert (rolled.changes, rolled.host) == ((), ("disk vdb: iotune",))


def test_nothing_is_done_where_the_domain_has_it_already(connection: Connection, uri: str, then: str) -> None:
    assert "has the hardware of" in done(uri, "rollback", "a", then)
    assert last(connection) == then


def test_a_running_domain_is_refused_with_the_commands_to_use(connection: Connection, uri: str, then: str) -> None:
    operations.start(connection, "a", paused=True)
    for dry in ([], ["--dry-run"]):
        result = run(uri, "rollback", "a", then, *dry)
        assert result.exit_code == 3
        assert f"'holdfast shutdown a', then 'holdfast rollback a {then}'" in result.stderr
    with raising(ROLLBACK_OF_RUNNING):
        operations.rollback_domain(connection, "a", then, accept=True)
    operations.save_domain(connection, "a")
    with raising(MANAGED_SAVE):
        operations.rollback_domain(connection, "a", then, accept=True)


def test_images_and_records_of_today_stay(connection: Connection, then: str, tmp_path: Path) -> None:
    operations.move_disk(connection, "a", "vda", Place(path=str(tmp_path / "moved.qcow2")))
    operations.set_domain(connection, "a", DomainSettings(title="now", max_vcpus=2))
    operations.rename_domain(connection, "a", "b")
    operations.rollback_domain(connection, "b", then, accept=True)
    document = parse(connection.find_domain("b").xml(CONFIG))
    assert document.find(f"devices/disk/source[@file='{tmp_path}/moved.qcow2']") is not None
    assert (document.findtext("title"), document.findtext("vcpu")) == ("now", "1")
    assert {record.target for record in facts(document, DiskRecord)} == {"vda", "vdb"}


def test_record_of_a_disk_that_comes_back_comes_with_it(connection: Connection, then: str) -> None:
    records = facts(parse(connection.find_domain("a").xml(CONFIG)), DiskRecord)
    operations.detach_device(connection, "a", "vdb")
    operations.rollback_domain(connection, "a", then, accept=True)
    assert facts(parse(connection.find_domain("a").xml(CONFIG)), DiskRecord) == records


def test_a_disk_of_today_is_not_left_behind(connection: Connection, uri: str, then: str, tmp_path: Path) -> None:
    more = DiskSpec(path=str(tmp_path / "more.qcow2"), size=1 << 20)
    operations.attach_disk(connection, "a", more)
    with raising(ROLLBACK_LEAVES_DISK, target="vdc"):
        operations.rollback_domain(connection, "a", then, accept=True)
    assert "'holdfast disk detach a vdc' first" in run(uri, "rollback", "a", then).stderr
    operations.detach_device(connection, "a", "vdb")
    operations.attach_disk(connection, "a", DiskSpec(path=str(tmp_path / "other.qcow2"), size=1 << 20, target="vdb"))
    operations.detach_device(connection, "a", "vdc")
    with raising(ROLLBACK_LEAVES_DISK, target="vdb"):
        operations.rollback_domain(connection, "a", then, accept=True)


def test_an_overlay_of_today_stays_and_a_disk_below_one_does_not_come_back(
    connection: Connection, then: str, tmp_path: Path
) -> None:
    operations.create_snapshot(connection, "a", "s", external=True, memory=False)
    overlay = connection.find_domain("a").xml(CONFIG)
    operations.set_domain(connection, "a", DomainSettings(max_vcpus=2))
    operations.rollback_domain(connection, "a", then, accept=True)
    now = connection.find_domain("a").xml(CONFIG)
    assert compare(overlay, now) == []
    assert now.count(".s'") == overlay.count(".s'")


def test_a_snapshot_is_not_left_behind(connection: Connection, then: str, tmp_path: Path) -> None:
    operations.detach_device(connection, "a", "vdb")
    with_data = DiskSpec(path=str(tmp_path / "data.qcow2"), format="qcow2", target="vdc")
    operations.attach_disk(connection, "a", with_data)
    operations.create_snapshot(connection, "a", "s")
    with raising(ROLLBACK_LEAVES_SNAPSHOT, snapshot="s", target="vdc"):
        operations.rollback_domain(connection, "a", then, accept=True)
    operations.delete_snapshot(connection, "a", "s")
    operations.rollback_domain(connection, "a", then, accept=True)


def test_an_image_that_is_gone_or_in_use_does_not_come_back(connection: Connection, then: str, tmp_path: Path) -> None:
    operations.detach_device(connection, "a", "vdb")
    connection.define(domain_xml("b", extra=qcow2_disk(tmp_path / "data.qcow2")))
    with raising(IN_USE, user="b"):
        operations.rollback_domain(connection, "a", then, accept=True)
    connection.find_domain("b").undefine()
    (tmp_path / "data.qcow2").unlink()
    with raising(IMAGE_MISSING):
        operations.rollback_domain(connection, "a", then, accept=True)


def test_what_is_unfinished_is_finished_first(connection: Connection, uri: str, then: str) -> None:
    document = connection.find_domain("a").xml(CONFIG)
    marked = document.replace("</hf:domain>", "<hf:snapshotting snapshot='s' file=''/></hf:domain>")
    if marked == document:
        marked = document.replace(
            "</holdfast:domain>", "<holdfast:snapshotting snapshot='s' file=''/></holdfast:domain>"
        )
    assert marked != document
    connection.define(marked)
    with raising(ROLLBACK_UNFINISHED):
        operations.rollback_domain(connection, "a", then, accept=True)


@pytest.mark.parametrize("revision", ["yesterday", "123456", "last", "{2 days ago", ""])
def test_what_is_no_revision_is_said(connection: Connection, uri: str, then: str, revision: str) -> None:
    with raising(HAD_NO_SECRETS):
        operations.rollback_domain(connection, "a", then, secrets={"/domain/a": "x"})
    with raising(NOT_A_REVISION):
        operations.rollback_domain(connection, "a", revision)
    assert run(uri, "rollback", "a", revision).exit_code == 2


def test_a_name_alone_is_not_enough(uri: str, then: str) -> None:
    assert "say which entry" in run(uri, "rollback", "a").stderr
    assert run(uri, "rollback", "b", then).exit_code == 4


def test_password_of_today_is_kept_and_one_that_nobody_knows_closes_the_console(connection: Connection) -> None:
    connection.define(domain_xml(extra=f"{NIC}{VNC}<video><model type='vga'/></video>"))
    operations.set_domain(connection, "a", DomainSettings(title="t"))
    operations.detach_device(connection, "a", MAC)
    domain = connection.find_domain("a")
    operations.rollback_domain(connection, "a", first(connection), accept=True)
    assert f"passwd='{MARK}'" in domain.xml(CONFIG, secure=True)
    operations.set_domain(connection, "a", DomainSettings(graphics_password=""))
    place = "/domain/devices/graphics/@passwd"
    operations.rollback_domain(connection, "a", first(connection), secrets={place: "given"}, accept=True)
    assert "passwd='given'" in domain.xml(CONFIG, secure=True)
    operations.set_domain(connection, "a", DomainSettings(graphics_password=""))
    rolled = operations.rollback_domain(connection, "a", first(connection), accept=True)
    assert [note for note in rolled.notes if "listens nowhere" in note and place in note]
    assert parse(domain.xml(CONFIG)).find("devices/graphics/listen[@type='none']") is not None
    operations.start(connection, "a", paused=True)


def test_a_console_that_was_open_then_asks_for_the_password_of_today(connection: Connection) -> None:
    open_then = VNC.replace(f"passwd='{MARK}'", "")
    connection.define(domain_xml(extra=f"{NIC}{open_then}<video><model type='vga'/></video>"))
    operations.detach_device(connection, "a", MAC)
    operations.set_domain(connection, "a", DomainSettings(graphics_password="today"))
    operations.rollback_domain(connection, "a", first(connection), accept=True)
    assert "passwd='today'" in connection.find_domain("a").xml(CONFIG, secure=True)


def test_a_secret_of_a_disk_is_asked_for(connection: Connection, uri: str, tmp_path: Path) -> None:
    qemu = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{}</qemu:commandline></domain>"
    argument = f"<qemu:env name='HF' value='{MARK}'/>"
    connection.define(domain_xml(extra=NIC).replace("</domain>", qemu.format(argument)))
    operations.detach_device(connection, "a", MAC)
    connection.define(connection.find_domain("a").xml(CONFIG).replace(argument, "<qemu:env name='OTHER' value='x'/>"))
    operations.record_host(connection)
    then = first(connection)
    place = "/domain/qemu:commandline/qemu:env/@value"
    with raising(SECRETS_NEEDED, places=place):
        operations.rollback_domain(connection, "a", then, accept=True)
    with raising(NO_SUCH_SECRET):
        operations.rollback_domain(connection, "a", then, secrets={"/domain/a": "x"})
    file = tmp_path / "secret"
    file.write_text(f"{MARK}\n")
    done(uri, "rollback", "a", then, "--secret", f"{place}={file}", "--accept")
    assert MARK in connection.find_domain("a").xml(CONFIG)


def test_two_rollbacks_at_once_are_done_one_after_the_other(connection: Connection, uri: str, then: str) -> None:
    operations.detach_device(connection, "a", MAC)
    without = last(connection)
    found: list[object] = []

    def roll(revision: str) -> None:
        try:
            found.append(operations.rollback_domain(connection, "a", revision, accept=True).rolled_back)
        except HoldfastError as error:
            found.append(error)

    threads = [threading.Thread(target=roll, args=(each,)) for each in (then, without, then, without)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) <= {True, False}
    assert operations.record_host(connection).recorded == ()


def test_read_only_connection_is_refused(connection: Connection, uri: str, then: str) -> None:
    operations.detach_device(connection, "a", MAC)
    assert run(uri, "-r", "rollback", "a", then, "--accept").exit_code == 1
    assert f"interface {MAC} is added" in done(uri, "-r", "rollback", "a", then, "--dry-run")


def test_a_read_only_dry_run_says_that_it_is_told_no_password(connection: Connection, uri: str) -> None:
    connection.define(domain_xml(extra=f"{NIC}{VNC}<video><model type='vga'/></video>"))
    operations.set_domain(connection, "a", DomainSettings(title="t"))
    operations.detach_device(connection, "a", MAC)
    said = done(uri, "-r", "rollback", "a", first(connection), "--dry-run")
    assert "tells no passwords" in said
    assert "listens nowhere" not in said
    assert "listen" not in done(uri, "rollback", "a", first(connection), "--dry-run")


@pytest.mark.parametrize(
    "now", ["", "<graphics type='vnc' listen='127.0.0.1'/>", "<graphics type='vnc' listen='::1'/>"]
)
def test_a_console_is_opened_to_a_network_only_where_that_is_accepted(
    connection: Connection, uri: str, now: str
) -> None:
    connection.define(domain_xml(extra="<graphics type='vnc' listen='0.0.0.0'/>"))
    operations.adopt_domain(connection, "a")
    then = last(connection)
    edited = parse(connection.find_domain("a").xml(CONFIG))
    remove_children(child(edited, "devices"), "graphics")
    connection.define(serialize(edited).replace("</devices>", f"{now}</devices>"))
    refused = run(uri, "rollback", "a", then)
    assert refused.exit_code == 3
    said = "the vnc console would be open at 0.0.0.0 without a password"
    assert said in " ".join(refused.stderr.split())
    assert f"note: {said}" in done(uri, "rollback", "a", then, "--dry-run")
    assert f"note: {said}" in done(uri, "rollback", "a", then, "--accept")


def test_a_console_that_is_open_today_stays_so_without_a_word(connection: Connection, uri: str) -> None:
    console = "<graphics type='vnc' listen='0.0.0.0'/>"
    connection.define(domain_xml(extra=console))
    operations.adopt_domain(connection, "a")
    then = last(connection)
    operations.attach_interface(connection, "a", USER)
    assert "console" not in done(uri, "rollback", "a", then, "--accept")


def test_a_domain_whose_name_looks_like_an_entry_of_another_is_not_taken_for_that(
    connection: Connection, uri: str, then: str
) -> None:
    operations.attach_interface(connection, "a", USER)
    connection.define(domain_xml(f"a@{then}"))
    refused = run(uri, "rollback", f"a@{then}", "--accept")
    assert refused.exit_code == 2
    assert f"say which entry: holdfast rollback a@{then} REV" in refused.stderr
    connection.find_domain(f"a@{then}").undefine()
    assert f"a: is rolled back to {then}" in done(uri, "rollback", f"a@{then}", "--accept")
