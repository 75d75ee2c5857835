"""Names of snapshots and of their files: hostile ones, those that are taken, and those of somebody else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.fact import Snapshotting
from holdfast.errors import LibvirtRefused, snapshots
from holdfast.errors.files import EXISTS
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml, running
from tests.libvirt.images import qcow2, qcow2_disk, tags
from tests.libvirt.snapshots.test_create import in_state, names, unfinished
from tests.raising import raising


@pytest.mark.parametrize("name", ["", " ", "a/b", ".hidden", "-v", " x", "x ", "a\nb", "\x1b[2J", "7", "00012"])
def test_hostile_names_are_refused(connection: Connection, uri: str, tmp_path: Path, name: str) -> None:
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    with raising(snapshots.NAME_IS_NUMBER if name.isdecimal() else snapshots.BAD_SNAPSHOT_NAME, snapshot=name):
        operations.create_snapshot(connection, "a", name)
    assert run(uri, "snapshot", "create", "a", "--", name).exit_code == 2
    assert names(domain) == []


@pytest.mark.parametrize("name", ["ü €", "a'b\"c", "x,y=z", "<&>", "%s{}", "x" * 247])
def test_odd_but_harmless_names_come_back_as_given(connection: Connection, uri: str, tmp_path: Path, name: str) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, "shut off", qcow2_disk(path))
    done(uri, "snapshot", "create", "a", name)
    assert names(domain) == [name]
    assert name in done(uri, "snapshot", "list", "a")
    done(uri, "snapshot", "revert", "a", name)
    done(uri, "snapshot", "delete", "a", name)
    assert (names(domain), tags(path)) == ([], [])


def test_longest_name_is_the_one_that_libvirt_can_still_write(connection: Connection, tmp_path: Path) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, "shut off", qcow2_disk(path))
    with raising(snapshots.LONG_SNAPSHOT_NAME):
        operations.create_snapshot(connection, "a", "x" * 248)
    with pytest.raises(LibvirtRefused):  # the control: libvirt leaves an internal snapshot that it does not know
        libvirt_snapshot.make_snapshot(domain, f"<domainsnapshot><name>{'x' * 248}</name></domainsnapshot>")
    assert (names(domain), tags(path)) == ([], ["x" * 248])


def test_names_never_collide(connection: Connection, uri: str, tmp_path: Path) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, "shut off", qcow2_disk(path))
    operations.create_snapshot(connection, "a", "one")
    assert "already" in run(uri, "snapshot", "create", "a", "one").stderr
    subprocess.run(["qemu-img", "snapshot", "-c", "foreign", str(path)], check=True)
    with raising(snapshots.NAME_TAKEN_IN_IMAGE):
        operations.create_snapshot(connection, "a", "foreign")
    operations.delete_snapshot(connection, "a", "one")
    (tmp_path / "a-vda.two.qcow2").write_text("somebody's")
    with raising(EXISTS):
        operations.create_snapshot(connection, "a", "two", external=True)
    assert (tmp_path / "a-vda.two.qcow2").read_text() == "somebody's"
    assert (names(domain), tags(path), unfinished(domain)) == ([], ["foreign"], [])


def test_memory_file_that_exists_is_never_written_over(connection: Connection, tmp_path: Path) -> None:
    in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    file = tmp_path / "a-memory.one.save"
    file.write_text("somebody's")
    with raising(EXISTS):
        operations.create_snapshot(connection, "a", "one", external=True)
    assert file.read_text() == "somebody's"
    document = (  # the control
        f"<domainsnapshot><name>one</name><memory snapshot='external' file='{file}'/><disks>"
        f"<disk name='vda'><source file='{tmp_path}/o'/></disk></disks></domainsnapshot>"
    )
    connection.find_domain("a")._handle.snapshotCreateXML(document)
    assert file.read_bytes().startswith(b"Libvirt")


def test_somebody_else_making_it_at_the_same_moment_is_seen(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, "shut off", qcow2_disk(path))
    original = libvirt_snapshot.make_snapshot

    def after_virsh(*arguments: object, **options: object) -> None:
        domain._handle.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
        original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(libvirt_snapshot, "make_snapshot", after_virsh)
    with raising(snapshots.NAME_TAKEN, snapshot="one"):
        operations.create_snapshot(connection, "a", "one")
    assert (names(domain), tags(path), unfinished(domain)) == (["one"], ["one"], [])


def test_file_of_an_interrupted_snapshot_that_is_in_use_is_not_removed(connection: Connection, tmp_path: Path) -> None:
    path = qcow2(tmp_path, "root")
    domain = running(connection, extra=qcow2_disk(path))
    (tmp_path / "more.qcow2").write_bytes(path.read_bytes())
    other = connection.define(domain_xml("b", extra=qcow2_disk(tmp_path / "more.qcow2")))
    other.start(paused=True)
    for file in ("root", "more"):  # the one that the domain has, and one that only some QEMU has
        record_fact(looking(connection, domain.uuid), Snapshotting(file, str(tmp_path / f"{file}.qcow2")), CONFIG)
        with raising(snapshots.LEFT_IN_USE):
            operations.delete_snapshot(connection, "a", file)
        assert (tmp_path / f"{file}.qcow2").exists()


def test_leftovers_on_another_host_are_cleaned_there(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = connection.define(domain_xml())
    record_fact(looking(connection, domain.uuid), Snapshotting("one", "/images/x"), CONFIG)
    monkeypatch.setattr(Connection, "is_local", False)
    with raising(snapshots.LEFT_ELSEWHERE):
        operations.delete_snapshot(connection, "a", "one")
    assert unfinished(domain)
