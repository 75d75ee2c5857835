"""Making snapshots: the guest sees nothing, files are where they are said to be, and what cannot be is said before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Snapshotting
from holdfast.domainxml.metadata import facts
from holdfast.errors import LibvirtRefused, snapshots
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml
from tests.libvirt.images import qcow2, qcow2_disk, tags
from tests.raising import raising

ALL = ["shut off", "paused", "running"]


def in_state(connection: Connection, state: str, extra: str) -> Domain:
    """The domain "a" in this state."""
    domain = connection.define(domain_xml(extra=extra))
    if state != "shut off":
        domain.start(paused=state == "paused")
    return domain


def names(domain: Domain) -> list[str]:
    """The names of its snapshots, as libvirt knows them."""
    return [each.name for each in libvirt_snapshot.snapshots(domain)]


def unfinished(domain: Domain) -> list[Snapshotting]:
    """What its config document tells of snapshots that are being made."""
    return facts(parse(domain.xml(CONFIG)), Snapshotting)


def texts(domain: Domain) -> list[str]:
    """Both documents; libvirt 9.0 keeps an empty element where there was metadata."""
    return [domain.xml(definition).replace("  <metadata/>\n", "") for definition in (LIVE, CONFIG)]


def assert_guest_sees_nothing(domain: Domain, before: list[str]) -> None:
    """Both documents tell the guest what they told ``before``."""
    for old, new in zip(before, texts(domain), strict=True):
        assert compare_documents(parse(old), parse(new)) == []


@pytest.mark.parametrize("state", ALL)
def test_internal_snapshot_is_inside_the_image_and_changes_no_document(
    connection: Connection, tmp_path: Path, state: str
) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, state, qcow2_disk(path))
    before = texts(domain)
    created = operations.create_snapshot(connection, "a", "one", description="first")
    assert (created.external, created.memory) == (False, state != "shut off")
    assert [(disk.target, disk.image, disk.overlay) for disk in created.disks] == [("vda", str(path), None)]
    assert tags(path) == ["one"]
    assert texts(domain) == before
    assert domain.state() == state
    assert "snapshotting" not in libvirt_snapshot.find_snapshot(domain, "one").xml()
    (info,) = operations.list_snapshots(connection, "a")
    assert (info.external, info.memory, info.current) == (False, state != "shut off", True)
    assert (info.description, info.changes) == ("first", ())


@pytest.mark.parametrize("state", ALL)
def test_external_snapshot_leaves_the_image_and_the_guest_writes_the_overlay(
    connection: Connection, tmp_path: Path, state: str
) -> None:
    path = qcow2(tmp_path, "root")
    raw = disk_xml(tmp_path, "raw", "vdb", "<serial>S</serial>")
    domain = in_state(connection, state, qcow2_disk(path) + raw)
    before = texts(domain)
    created = operations.create_snapshot(connection, "a", "one", external=True, memory=False)
    overlays = {disk.target: disk.overlay for disk in created.disks}
    assert overlays == {"vda": f"{tmp_path}/a-vda.one.qcow2", "vdb": f"{tmp_path}/a-vdb.one.qcow2"}
    assert tags(path) == []
    assert_guest_sees_nothing(domain, before)
    for definition in (LIVE, CONFIG):
        document = parse(domain.xml(definition))
        for target, overlay in overlays.items():
            assert document.find(f"devices/disk/target[@dev='{target}']/../source[@file='{overlay}']") is not None
    assert unfinished(domain) == []
    (info,) = operations.list_snapshots(connection, "a")
    assert (info.external, info.memory, info.changes) == (True, False, ())
    assert ("9.9.0 and later can" in (info.impossible or "")) == (connection.libvirt_version() < (9, 9))


def test_external_snapshot_with_memory_has_a_file_of_it(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    before = texts(domain)
    created = operations.create_snapshot(connection, "a", "one", external=True)
    assert created.memory_file == f"{tmp_path}/a-memory.one.save"
    assert Path(created.memory_file).read_bytes().startswith(b"LibvirtQemudSave")
    assert domain.state() == "running"
    assert_guest_sees_nothing(domain, before)
    assert operations.list_snapshots(connection, "a")[0].files == (
        f"{tmp_path}/a-vda.one.qcow2",
        created.memory_file,
    )


def test_new_files_go_where_the_user_says(connection: Connection, uri: str, tmp_path: Path) -> None:
    in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    folder = tmp_path / "elsewhere"
    command = ["snapshot", "create", "a", "one", "--external", "--folder"]
    assert run(uri, *command, str(folder)).exit_code == 4
    assert run(uri, *command, "relative").exit_code == 2
    folder.mkdir()
    assert f"written since: {folder}/a-vda.one.qcow2" in done(uri, *command, str(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["a-memory.one.save", "a-vda.one.qcow2"]


def test_disk_that_waits_in_config_is_no_part_and_goes_on_waiting(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    later = qcow2(tmp_path, "later")
    domain.attach(qcow2_disk(later, "vdb"), CONFIG)
    for name, external in (("beside", True), ("inside", False)):
        created = operations.create_snapshot(connection, "a", name, external=external)
        assert [disk.target for disk in created.disks] == ["vda"]
    assert tags(later) == []
    assert str(later) in domain.xml(CONFIG)
    assert all(info.changes == () for info in operations.list_snapshots(connection, "a"))


def test_read_only_and_empty_disks_are_left_out_and_named(connection: Connection, uri: str, tmp_path: Path) -> None:
    cd = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    in_state(
        connection,
        "shut off",
        qcow2_disk(qcow2(tmp_path, "root")) + disk_xml(tmp_path, "ro", "vdb", "<readonly/>") + cd,
    )
    shown = done(uri, "snapshot", "create", "a", "one")
    assert "vdb is left out: it is read-only" in shown
    assert "sda is left out: it is empty" in shown


@pytest.mark.parametrize("state", ALL)
def test_raw_disk_is_no_part_of_an_internal_snapshot(
    connection: Connection, uri: str, tmp_path: Path, state: str
) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, state, qcow2_disk(path) + disk_xml(tmp_path, "raw", "vdb"))
    before = domain.xml(CONFIG)
    for option in ([], ["--dry-run"]):
        result = run(uri, "snapshot", "create", "a", "one", *option)
        assert result.exit_code == 1
        assert "disk vdb: its image is raw, and only qcow2 holds internal snapshots" in result.stderr
        assert "--external" in result.stderr
    assert (names(domain), tags(path), domain.xml(CONFIG)) == ([], [], before)


@pytest.mark.parametrize(
    ("element", "why"),
    [
        (
            "<disk type='network' device='disk'><driver type='raw'/><source protocol='nbd' name='x'>"
            "<host name='localhost' port='1'/></source><target dev='vdb' bus='virtio'/></disk>",
            "type network",
        ),
        ("shareable", "other domains may write it too"),
    ],
)
def test_disk_that_no_overlay_can_take_is_left_out_on_request(
    connection: Connection, uri: str, tmp_path: Path, element: str, why: str
) -> None:
    extra = disk_xml(tmp_path, "raw", "vdb", "<shareable/>") if element == "shareable" else element
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")) + extra)
    command = ["snapshot", "create", "a", "one", "--external"]
    result = run(uri, *command)
    assert result.exit_code == 1
    assert why in result.stderr and "--without vdb" in result.stderr
    assert "vdb is left out: as asked for" in done(uri, *command, "--without", "vdb")
    assert "a-vdb" not in domain.xml(CONFIG)


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--no-memory"], 1, "a snapshot of its disks alone must be external"),
        (["--without", "vda"], 2, "--without goes with --external"),
        (["--external", "--without", "vdz"], 4, "no disk 'vdz'"),
        (["--external", "--without", "vda"], 1, "would be part of this snapshot"),
        (["--quiesce"], 2, "--external --no-memory"),
        (["--external", "--quiesce"], 2, "--external --no-memory"),
        (["--external", "--no-memory", "--quiesce"], 1, "guest agent is not configured"),
    ],
)
def test_what_cannot_be_made_of_a_running_guest_is_said_and_nothing_is_left(
    connection: Connection, uri: str, tmp_path: Path, options: list[str], code: int, sentence: str
) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    before = texts(domain)
    result = run(uri, "snapshot", "create", "a", "one", *options)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert (names(domain), texts(domain)) == ([], before)
    assert [path.name for path in tmp_path.iterdir()] == ["root.qcow2"]


def test_paused_guest_has_no_external_snapshot_with_memory(connection: Connection, tmp_path: Path) -> None:
    in_state(connection, "paused", qcow2_disk(qcow2(tmp_path, "root")))
    with raising(snapshots.MEMORY_OF_PAUSED, state="paused"):
        operations.create_snapshot(connection, "a", "one", external=True)


def test_such_a_snapshot_of_libvirt_cannot_be_deleted(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "paused", qcow2_disk(qcow2(tmp_path, "root")))
    document = (
        f"<domainsnapshot><name>one</name><memory snapshot='external' file='{tmp_path}/m'/><disks>"
        f"<disk name='vda'><source file='{tmp_path}/o'/></disk></disks></domainsnapshot>"
    )
    domain._handle.snapshotCreateXML(document)
    with raising(snapshots.NOT_DELETED_PAUSED):
        operations.delete_snapshot(connection, "a", "one")
    operations.resume(connection, "a")
    operations.delete_snapshot(connection, "a", "one")
    assert names(domain) == []


def test_transient_and_saved_domains_have_no_snapshots_made(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    operations.save_domain(connection, "a")
    assert "discard-save" in run(uri, "snapshot", "create", "a", "one").stderr
    operations.restore_domain(connection, "a")
    domain.undefine()
    result = run(uri, "snapshot", "create", "a", "one")
    assert (result.exit_code, "transient" in result.stderr) == (3, True)


@pytest.mark.parametrize("external", [False, True])
def test_dry_run_and_read_only_connection_make_nothing(
    connection: Connection, uri: str, tmp_path: Path, external: bool
) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, "running", qcow2_disk(path))
    before = texts(domain)
    command = ["snapshot", "create", "a", "one", *(["--external"] if external else [])]
    assert "would make one" in done(uri, *command, "--dry-run")
    assert run(uri, "-r", *command).exit_code == 1
    assert (texts(domain), names(domain), tags(path)) == (before, [], [])
    assert [each.name for each in tmp_path.iterdir()] == ["root.qcow2"]


def test_unknown_domain_is_not_found(connection: Connection, uri: str) -> None:
    for command in (["create", "x", "s"], ["list", "x"], ["revert", "x", "s"], ["delete", "x", "s"]):
        assert run(uri, "snapshot", *command).exit_code == 4
    connection.define(domain_xml())
    for verb in ("revert", "delete"):
        result = run(uri, "snapshot", verb, "a", "s")
        assert (result.exit_code, "no snapshot 's'" in result.stderr) == (4, True)
    assert done(uri, "snapshot", "list", "a") == "a has no snapshots\n"
    assert "would be part of this snapshot" in run(uri, "snapshot", "create", "a", "s").stderr


def test_json_tells_what_is_part(connection: Connection, uri: str, tmp_path: Path) -> None:
    in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    told = json.loads(done(uri, "snapshot", "create", "a", "one", "--external", "-o", "json"))
    assert told["disks"] == [
        {"target": "vda", "image": f"{tmp_path}/root.qcow2", "overlay": f"{tmp_path}/a-vda.one.qcow2"}
    ]
    assert (told["format"], told["version"], told["dry_run"]) == ("holdfast.snapshot.create", 1, False)
    (listed,) = json.loads(done(uri, "snapshot", "list", "a", "-o", "json"))["snapshots"]
    assert (listed["name"], listed["external"], listed["files"]) == ("one", True, [f"{tmp_path}/a-vda.one.qcow2"])


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_no_space_for_the_memory_leaves_nothing_and_the_guest_running(
    connection: Connection, tmp_path: Path, small: Path
) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    before = texts(domain)
    (small / "filler").write_bytes(bytes(900 * 1024))
    with pytest.raises(LibvirtRefused):
        operations.create_snapshot(connection, "a", "one", external=True, folder=str(small))
    assert (domain.state(), names(domain), unfinished(domain)) == ("running", [], [])
    assert texts(domain) == before
    assert [path.name for path in small.iterdir()] == ["filler"]


def test_hardware_that_somebody_changed_meanwhile_is_told(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    original = libvirt_snapshot.make_snapshot

    def and_virsh(*arguments: object, **options: object) -> None:
        original(*arguments, **options)  # type: ignore[arg-type]
        domain.attach(qcow2_disk(qcow2(tmp_path, "more"), "vdb"), CONFIG)

    monkeypatch.setattr(libvirt_snapshot, "make_snapshot", and_virsh)
    with raising(snapshots.MADE_AND_CHANGED) as caught:
        operations.create_snapshot(connection, "a", "one")
    assert "disk vdb is added" in str(caught.value)
    assert names(domain) == ["one"]


def test_record_of_a_snapshot_that_was_made_after_all_is_forgotten(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "one")
    record_fact(
        looking(connection, "a"), Snapshotting("one", ""), CONFIG
    )  # as when the command was killed, and libvirt went on
    assert [(each.name, each.state) for each in operations.list_snapshots(connection, "a")] == [("one", "shutoff")]
    operations.create_snapshot(connection, "a", "two")
    assert (names(domain), unfinished(domain)) == (["one", "two"], [])


def test_all_goes_over_a_remote_connection_but_looking_at_files(
    remote_uri: str, daemon_uri: str, tmp_path: Path
) -> None:
    with open_connection(remote_uri) as remote, open_connection(daemon_uri) as local:
        path = qcow2(tmp_path, "root")
        local.define(domain_xml("far", extra=qcow2_disk(path)))
        try:
            operations.create_snapshot(remote, "far", "inside")
            operations.revert_to_snapshot(remote, "far", "inside")
            operations.delete_snapshot(remote, "far", "inside")
            operations.start(remote, "far")
            operations.create_snapshot(remote, "far", "beside", external=True)
            deleted = operations.delete_snapshot(remote, "far", "beside")
            assert deleted.removed == (f"{tmp_path}/far-vda.beside.qcow2",)
            assert "far-memory.beside.save" in deleted.notes[0]
            left = ["far-memory.beside.save"] if local.libvirt_version() < (9, 1) else []
            assert sorted(each.name for each in tmp_path.iterdir()) == [*left, "root.qcow2"]
        finally:
            operations.delete_domain(local, "far", force=True)


def test_external_snapshot_after_an_internal_one_would_be_there_to_stay(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "inside")
    for option in ([], ["--dry-run"]):
        result = run(uri, "snapshot", "create", "a", "beside", "--external", *option)
        assert result.exit_code == 3
        assert "could not be deleted again" in result.stderr and "snapshot delete a inside" in result.stderr
    assert names(domain) == ["inside"]
