"""Deleting snapshots: what the disks hold stays, the guest sees nothing, and nothing that rests on a file loses it."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, nullcontext
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors import snapshots
from holdfast.errors.power import MANAGED_SAVE
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.commands import done, run
from tests.libvirt.domain.test_create_in_pools import create
from tests.libvirt.domain.test_create_in_pools import host as host
from tests.libvirt.domain.test_create_in_pools import pool as pool
from tests.libvirt.domains import CONFIG, domain_xml, image
from tests.libvirt.images import mark_of, qcow2, qcow2_disk, tags, write
from tests.libvirt.snapshots.test_create import assert_guest_sees_nothing, in_state, names, texts
from tests.libvirt.unwritable import unwritable
from tests.raising import raising


@pytest.mark.parametrize("state", ["shut off", "paused", "running"])
def test_internal_snapshot_goes_out_of_the_image(connection: Connection, uri: str, tmp_path: Path, state: str) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, state, qcow2_disk(path))
    before = texts(domain)
    operations.create_snapshot(connection, "a", "one")
    assert "would delete one" in done(uri, "snapshot", "delete", "a", "one", "--dry-run")
    assert run(uri, "-r", "snapshot", "delete", "a", "one").exit_code == 1
    assert tags(path) == ["one"]
    operations.delete_snapshot(connection, "a", "one")
    assert (tags(path), names(domain), texts(domain), domain.state()) == ([], [], before, state)


@pytest.mark.parametrize("state", ["shut off", "paused", "running"])
def test_external_snapshot_is_merged_and_its_files_are_gone(
    connection: Connection, uri: str, tmp_path: Path, state: str
) -> None:
    path = qcow2(tmp_path, "root", 1)
    domain = in_state(connection, state, qcow2_disk(path))
    before = texts(domain)
    operations.create_snapshot(connection, "a", "one", external=True, memory=state == "running")
    overlay = tmp_path / "a-vda.one.qcow2"
    if state == "shut off":
        write(overlay, 2)
    assert f"{overlay}: would be removed" in done(uri, "snapshot", "delete", "a", "one", "--dry-run")
    deleted = operations.delete_snapshot(connection, "a", "one")
    assert str(overlay) in deleted.removed
    assert_guest_sees_nothing(domain, before)
    assert f"<source file='{path}'/>" in domain.xml(CONFIG)
    assert (names(domain), domain.state()) == ([], state)
    assert [each.name for each in tmp_path.iterdir()] == ["root.qcow2"]
    assert mark_of(path) == (2 if state == "shut off" else 1)


def test_overlay_of_a_disk_that_was_detached_is_brought_back_as_the_hint_says(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    data = qcow2_disk(qcow2(tmp_path, "data"), "vdb")
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")) + data)
    operations.create_snapshot(connection, "a", "one", external=True)
    operations.detach_device(connection, "a", "vdb")
    result = run(uri, "snapshot", "delete", "a", "one")
    assert result.exit_code == 1
    hint = result.stderr.partition("'holdfast ")[2].partition("'")[0]
    assert hint.startswith("disk attach a path=")
    done(uri, *hint.split())
    done(uri, "snapshot", "delete", "a", "one")
    assert names(domain) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data.qcow2", "root.qcow2"]


def test_libvirt_itself_leaves_the_file_with_the_memory_before_9_1(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "one", external=True)
    libvirt_snapshot.find_snapshot(domain, "one").delete()
    left = ["a-memory.one.save"] if connection.libvirt_version() < (9, 1) else []
    assert sorted(each.name for each in tmp_path.iterdir()) == [*left, "root.qcow2"]


def test_record_of_a_created_domain_stays_right_through_an_external_snapshot(
    connection: Connection, tmp_path: Path
) -> None:
    disk = DiskSpec(path=str(tmp_path / "root.qcow2"), size=1 << 20)
    operations.create_domain(connection, "a", DomainSpec(memory=64 << 20, disks=(disk,), graphics="none"), start=True)
    domain = connection.find_domain("a")
    before = domain.xml(CONFIG)
    operations.create_snapshot(connection, "a", "one", external=True)
    assert before.partition("<memory")[0] == domain.xml(CONFIG).partition("<memory")[0]
    operations.delete_snapshot(connection, "a", "one")
    assert domain.xml(CONFIG) == before


def test_chain_is_deleted_in_any_order_while_it_runs_and_from_the_newest_while_it_is_shut_off(
    connection: Connection, tmp_path: Path
) -> None:
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    for name in ("one", "two", "three", "four"):
        operations.create_snapshot(connection, "a", name, external=True)
    with raising(snapshots.NOT_DELETED_OFF, child="three") if connection.libvirt_version() < (9, 1) else nullcontext():
        operations.delete_snapshot(connection, "a", "two")
    operations.delete_snapshot(connection, "a", "four")
    domain.start()
    for name in [each for each in ("two", "one", "three") if each in names(domain)]:
        operations.delete_snapshot(connection, "a", name)
    assert [each.name for each in tmp_path.iterdir()] == ["root.qcow2"]


def test_internal_snapshot_inside_an_overlay_is_not_lost(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "outer", external=True)
    operations.create_snapshot(connection, "a", "inner")
    result = run(uri, "snapshot", "delete", "a", "outer")
    assert result.exit_code == 3
    assert "the snapshot 'inner' is inside" in result.stderr
    assert tags(tmp_path / "a-vda.outer.qcow2") == ["inner"]
    libvirt_snapshot.find_snapshot(domain, "outer").delete()  # the control
    assert names(domain) == ["inner"]
    assert not (tmp_path / "a-vda.outer.qcow2").exists()


def test_what_libvirt_cannot_delete_comes_with_the_way_to_do_it(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "inner")
    external(domain, tmp_path / "a-vda.outer.qcow2")
    assert "delete its parent 'inner' first" in run(uri, "snapshot", "delete", "a", "outer").stderr
    assert "'holdfast shutdown a' first" in run(uri, "snapshot", "delete", "a", "inner").stderr
    domain.destroy()
    for name in ("inner", "outer"):
        done(uri, "snapshot", "delete", "a", name)
    assert [each.name for each in tmp_path.iterdir()] == ["root.qcow2"]


def external(domain: Domain, overlay: Path) -> None:
    """The external snapshot "outer" of the disk vda, as others make it."""
    disks = f"<disks><disk name='vda'><source file='{overlay}'/></disk></disks>"
    document = f"<domainsnapshot><name>outer</name>{disks}</domainsnapshot>"
    libvirt_snapshot.make_snapshot(domain, document, disk_only=True)


def overlay_of(connection: Connection, folder: Path, base: Path, format: str = "qcow2") -> None:
    """The domain "clone", whose image rests on ``base``."""
    path = folder / "clone.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", format, path], check=True)
    connection.define(domain_xml("clone", extra=qcow2_disk(path)))


def test_merging_never_changes_what_another_domain_rests_on(connection: Connection, uri: str, tmp_path: Path) -> None:
    path = qcow2(tmp_path, "root", 1)
    domain = in_state(connection, "shut off", qcow2_disk(path))
    operations.create_snapshot(connection, "a", "one", external=True)
    write(tmp_path / "a-vda.one.qcow2", 2)
    overlay_of(connection, tmp_path, path)
    result = run(uri, "snapshot", "delete", "a", "one")
    assert (result.exit_code, "the domain 'clone' rests on" in result.stderr) == (3, True)
    assert mark_of(tmp_path / "clone.qcow2") == 1
    libvirt_snapshot.find_snapshot(domain, "one").delete()  # the control
    assert mark_of(tmp_path / "clone.qcow2") == 2


def test_saved_memory_keeps_the_files_that_it_goes_on_with(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "one", external=True)
    operations.save_domain(connection, "a")
    with raising(MANAGED_SAVE):
        operations.delete_snapshot(connection, "a", "one")
    operations.restore_domain(connection, "a")
    operations.delete_snapshot(connection, "a", "one")
    assert names(domain) == []


def test_deleting_the_domain_takes_what_its_external_snapshots_left(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    path = qcow2(tmp_path, "root")
    image(tmp_path, "unrelated")
    domain = in_state(connection, "running", qcow2_disk(path))
    operations.create_snapshot(connection, "a", "one", external=True)
    operations.create_snapshot(connection, "a", "two", external=True, memory=False)
    domain.destroy()
    overlay_of(connection, tmp_path, path)
    shown = done(uri, "delete", "a", "--storage", "--dry-run")
    assert f"{path}: kept (used by the domain 'clone')" in shown
    assert f"{tmp_path}/a-vda.two.qcow2: would be removed" in shown
    connection.find_domain("clone").undefine()
    (tmp_path / "a-vda.two.qcow2").unlink()  # as if a first try had stopped here
    shown = done(uri, "delete", "a", "--storage")
    for file in ("root.qcow2", "a-vda.one.qcow2", "a-memory.one.save"):
        assert f"{tmp_path}/{file}: removed" in shown
    assert sorted(each.name for each in tmp_path.iterdir()) == ["clone.qcow2", "unrelated.img"]


def test_image_of_a_disk_that_only_a_snapshot_names_stays_with_delete(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    path, other = qcow2(tmp_path, "root"), qcow2(tmp_path, "other")
    in_state(connection, "shut off", qcow2_disk(path) + qcow2_disk(other, "vdb"))
    operations.create_snapshot(connection, "a", "one")
    operations.detach_device(connection, "a", "vdb")
    done(uri, "delete", "a", "--storage")
    assert [each.name for each in tmp_path.iterdir()] == ["other.qcow2"]


def test_image_recorded_to_go_with_the_domain_takes_its_snapshots_along(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    disk = DiskSpec(path=str(tmp_path / "root.qcow2"), size=1 << 20, delete_with_domain=True)
    operations.create_domain(connection, "a", DomainSpec(memory=64 << 20, disks=(disk,), graphics="none"))
    operations.create_snapshot(connection, "a", "one", external=True)
    done(uri, "delete", "a")
    assert list(tmp_path.iterdir()) == []


def test_record_names_the_volume_that_the_document_has_the_path_of(host: Connection, pool: Path) -> None:
    create(host, DiskSpec(size=1 << 20, pool="default"))
    domain = host.find_domain("a")

    def volume() -> list[str]:
        return [record.volume for record in facts(parse(domain.xml(CONFIG)), DiskRecord)]

    before = volume()
    assert before == ["default/a-vda.qcow2"]
    operations.create_snapshot(host, "a", "one", external=True)
    assert volume() == [""]
    (pool / "a-vda.one.qcow2").rename(pool / "elsewhere")
    assert operations.repair_domain(host, "a", dry_run=True).remains != ()  # and no older content is taken for it
    (pool / "elsewhere").rename(pool / "a-vda.one.qcow2")
    operations.delete_snapshot(host, "a", "one")
    assert volume() == before


@pytest.mark.parametrize("state", ["shut off", "paused"])
def test_images_that_libvirt_cannot_write_to_config_are_told_and_written_by_the_next_setting(
    connection: Connection, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    folder = Path(parse_qs(urlsplit(uri).query)["root"][0], "etc/qemu")
    in_state(connection, state, qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "one", external=True, memory=False)
    real = libvirt_snapshot.Snapshot.delete
    with ExitStack() as until_mended:

        def delete(snapshot: libvirt_snapshot.Snapshot) -> None:
            until_mended.enter_context(unwritable(folder, "read-only"))
            real(snapshot)

        monkeypatch.setattr(libvirt_snapshot.Snapshot, "delete", delete)
        result = run(uri, "snapshot", "delete", "a", "one")
        assert result.exit_code == 5, result.output
        assert "is deleted, but libvirt cannot save which images 'a' has now" in result.stderr
        assert "a-vda.one.qcow2" in (folder / "a.xml").read_text()
    done(uri, "set", "a", "--title", "other")
    assert "a-vda.one.qcow2" not in (folder / "a.xml").read_text()
