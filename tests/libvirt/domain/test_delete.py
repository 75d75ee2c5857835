"""Delete: the domain and what is its own go; what anyone else has stays."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import RunAgain
from holdfast.domainxml.metadata import fact
from holdfast.errors.changes import NOT_WHOLLY_DELETED, RUNNING_BEFORE_DELETE
from holdfast.errors.disks import USES_NOT_SEEN
from holdfast.errors.domains import NO_DOMAIN
from holdfast.errors.images import CANNOT_REMOVE, NOT_AN_IMAGE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.hosts import audit_host
from holdfast.operations.domain.delete import Deletion
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml
from tests.libvirt.moments import broken_off
from tests.raising import raising


def overlay(folder: Path, name: str, below: Path) -> Path:
    """A qcow2 image on top of ``below``, as cloud images are used."""
    path = folder / f"{name}.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(below), "-F", "raw", str(path)]
    subprocess.run(command, check=True)
    return path


def qcow2_disk(path: Path, target: str = "vda") -> str:
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
        f"<target dev='{target}' bus='virtio'/></disk>"
    )


def cdrom(path: Path) -> str:
    return (
        f"<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{path}'/>"
        "<target dev='sda' bus='sata'/><readonly/></disk>"
    )


def fates(deletion: Deletion) -> dict[str, str | None]:
    """File name → why it was kept."""
    return {Path(image.source).name: image.kept for image in deletion.images}


def test_delete_removes_the_domain_and_no_image(connection: Connection, uri: str, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    assert done(uri, "delete", "a") == "a: deleted\n"
    assert connection.domains() == []
    assert (tmp_path / "one.img").exists()


def test_a_running_domain_is_refused_unless_forced(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml())
    domain.start(paused=True)
    with raising(RUNNING_BEFORE_DELETE):
        operations.delete_domain(connection, "a")
    result = run(uri, "delete", "a")
    assert (result.exit_code, "--force" in result.stderr) == (3, True)
    assert domain.is_active()
    assert domain.is_persistent()
    assert done(uri, "delete", "a", "--force", "--dry-run") == "a: would be switched off and deleted\n"
    assert done(uri, "delete", "a", "--force") == "a: switched off and deleted\n"
    assert connection.domains() == []


def test_a_transient_domain_is_deleted_with_force(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    domain.start(paused=True)
    domain.undefine()
    operations.delete_domain(connection, "a", force=True, storage=True)
    assert connection.domains() == []
    assert not (tmp_path / "one.img").exists()


def test_storage_removes_own_images_and_keeps_cds_and_backing_files(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    disk_xml(tmp_path, "base")
    iso = tmp_path / "cd.iso"
    iso.write_bytes(b"\0" * 4096)
    top = overlay(tmp_path, "top", tmp_path / "base.img")
    extra = qcow2_disk(top) + disk_xml(tmp_path, "data", "vdb") + cdrom(iso)
    connection.define(domain_xml(extra=extra))
    out = done(uri, "delete", "a", "--storage")
    assert f"vda: {top}: removed" in out
    assert f"sda: {iso}: kept (the medium of a cdrom)" in out
    assert f"vda: {tmp_path}/base.img: kept (below another image)" in out
    assert {path.name for path in tmp_path.iterdir()} == {"base.img", "cd.iso"}


def test_an_image_that_another_domain_uses_stays(connection: Connection, tmp_path: Path) -> None:
    shared = disk_xml(tmp_path, "shared", "vda")
    connection.define(domain_xml("a", extra=shared + disk_xml(tmp_path, "own", "vdb")))
    connection.define(domain_xml("b", extra=shared))
    assert fates(operations.delete_domain(connection, "a", storage=True)) == {
        "shared.img": "used by the domain 'b'",
        "own.img": None,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["shared.img"]


def test_an_image_below_another_domains_overlay_stays(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml("a", extra=disk_xml(tmp_path, "base", "vda")))
    middle = overlay(tmp_path, "middle", tmp_path / "base.img")
    top = tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", top], check=True)
    connection.define(domain_xml("b", extra=qcow2_disk(top)))
    assert fates(operations.delete_domain(connection, "a", storage=True)) == {"base.img": "used by the domain 'b'"}
    assert (tmp_path / "base.img").exists()
    assert middle.exists()


def test_an_image_that_another_domain_reaches_by_a_link_stays(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml("a", extra=disk_xml(tmp_path, "one", "vda")))
    link = tmp_path / "link.img"
    link.symlink_to(tmp_path / "one.img")
    connection.define(domain_xml("b", extra=cdrom(link)))
    operations.delete_domain(connection, "a", storage=True)
    assert (tmp_path / "one.img").exists()


def test_read_only_and_shareable_disks_stay(connection: Connection, tmp_path: Path) -> None:
    extra = disk_xml(tmp_path, "ro", "vda", "<readonly/>") + disk_xml(tmp_path, "sh", "vdb", "<shareable/>")
    connection.define(domain_xml(extra=extra))
    deletion = operations.delete_domain(connection, "a", storage=True)
    assert set(fates(deletion).values()) == {"read-only or shareable"}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_network_disk_stays(connection: Connection) -> None:
    nbd = (
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='x'>"
        "<host name='localhost' port='10809'/></source><target dev='vda' bus='virtio'/></disk>"
    )
    connection.define(domain_xml(extra=nbd))
    [image] = operations.delete_domain(connection, "a", storage=True).images
    assert image.kept == "not a file but network"


def test_an_image_that_is_missing_already_does_not_stop_delete(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    (tmp_path / "one.img").unlink()
    operations.delete_domain(connection, "a", storage=True)
    assert connection.domains() == []


def test_managed_save_and_snapshots_go_with_the_domain(connection: Connection, uri: str, tmp_path: Path) -> None:
    disk_xml(tmp_path, "base")
    domain = connection.define(domain_xml(extra=qcow2_disk(overlay(tmp_path, "top", tmp_path / "base.img"))))
    domain._handle.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
    domain.start(paused=True)
    domain._handle.managedSave(0)
    assert done(uri, "delete", "a", "--dry-run") == (
        "a: would be deleted, with its managed-save image, its 1 snapshot\n"
    )
    assert domain.has_managed_save()
    done(uri, "delete", "a")
    assert connection.domains() == []


def test_nvram_goes_with_the_domain(connection: Connection, uri: str, tmp_path: Path) -> None:
    nvram = tmp_path / "vars.fd"
    firmware = (
        "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
        f"<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{nvram}</nvram></os>"
    )
    connection.define(domain_xml().replace("</os>", firmware))
    operations.adopt_domain(connection, "a")
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    assert nvram.exists()
    assert done(uri, "delete", "a") == f"a: deleted, with its NVRAM {nvram}\n"
    assert not nvram.exists()


def test_a_dry_run_lists_and_removes_nothing(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    found = json.loads(done(uri, "delete", "a", "--storage", "--dry-run", "-o", "json"))
    source = str(tmp_path / "one.img")
    assert found == {
        "format": "holdfast.delete",
        "version": 1,
        "dry_run": True,
        "name": "a",
        "uuid": domain.uuid,
        "state": [],
        "switched_off": False,
        "images": [{"target": "vda", "source": source, "kept": None, "gone": False}],
        "changes": [],
        "waits": [],
        "notes": [],
        "asked_of_libvirt": None,
    }
    assert Path(source).exists()
    assert domain.is_persistent()


def test_an_image_that_cannot_be_removed_leaves_the_domain_to_be_deleted_again(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    extra = disk_xml(tmp_path, "one", "vda") + disk_xml(tmp_path, "two", "vdb")
    connection.define(domain_xml(extra=extra))
    two = tmp_path / "two.img"
    two.unlink()
    two.mkdir()
    with raising(NOT_AN_IMAGE, path=two):
        operations.delete_domain(connection, "a", storage=True)
    assert (tmp_path / "one.img").exists()
    two.rmdir()
    subprocess.run(["mount", "--bind", tmp_path / "one.img", _touched(two)], check=True)  # unlink: device busy
    try:
        with raising(NOT_WHOLLY_DELETED, done=f"{tmp_path}/one.img was removed", cause=re.compile(f".*{two}.*")):
            operations.delete_domain(connection, "a", storage=True)
    finally:
        subprocess.run(["umount", two], check=True)
    assert [domain.name for domain in connection.domains()] == ["a"]
    done(uri, "delete", "a", "--storage")
    assert list(tmp_path.iterdir()) == []


def _touched(path: Path) -> Path:
    path.touch()
    return path


def test_a_read_only_connection_deletes_nothing(connection: Connection, uri: str, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    result = run(uri, "-r", "delete", "a", "--storage")
    assert result.exit_code == 1
    assert "--readonly" in result.stderr
    assert (tmp_path / "one.img").exists()
    assert len(connection.domains()) == 1


def test_an_unknown_domain_is_not_found(connection: Connection) -> None:
    with raising(NO_DOMAIN, name="nosuch"):
        operations.delete_domain(connection, "nosuch")


def test_images_are_judged_on_their_own_host_only(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    monkeypatch.setattr(type(connection), "is_local", False)
    with raising(USES_NOT_SEEN):
        operations.delete_domain(connection, "a", storage=True)
    assert len(connection.domains()) == 1


def test_a_volume_of_a_pool_is_removed_through_the_pool(daemon_uri: str, tmp_path: Path) -> None:
    with holdfast.connect(daemon_uri) as connection:
        pool = connection._handle.storagePoolCreateXML(
            f"<pool type='dir'><name>p</name><target><path>{tmp_path}</path></target></pool>"
        )
        try:
            volume = "<volume><name>{}</name><capacity unit='MiB'>1</capacity></volume>"
            pool.createXML(volume.format("by-path"))
            pool.createXML(volume.format("by-name"))
            extra = (
                f"<disk type='file' device='disk'><source file='{tmp_path}/by-path'/><target dev='vda'/></disk>"
                "<disk type='volume' device='disk'><source pool='p' volume='by-name'/><target dev='vdb'/></disk>"
            )
            connection.define(domain_xml(extra=extra))
            operations.delete_domain(connection, "a", storage=True)
            assert pool.listVolumes() == []
            assert list(tmp_path.iterdir()) == []
        finally:
            pool.destroy()


def test_an_image_with_a_damaged_header_goes_with_its_domain(connection: Connection, uri: str, tmp_path: Path) -> None:
    base = tmp_path / "base.img"
    base.write_bytes(bytes(1 << 20))
    damaged, cut = overlay(tmp_path, "damaged", base), overlay(tmp_path, "cut", base)
    connection.define(domain_xml(extra=qcow2_disk(damaged) + qcow2_disk(cut, "vdb")))
    with damaged.open("r+b") as file:
        file.seek(8)
        file.write(b"\xff" * 12)  # where the name of the backing file is, and how long
    cut.write_bytes(cut.read_bytes()[:12])
    said = done(uri, "delete", "--storage", "a", "--dry-run")
    for image, problem in ((damaged, "is damaged"), (cut, "is cut off")):
        assert f"what {image} rests on is not known, so it stays" in said
        assert problem in said
    assert damaged.exists()
    assert fates(operations.delete_domain(connection, "a", storage=True)) == {"damaged.qcow2": None, "cut.qcow2": None}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["base.img"]


def test_a_damaged_image_of_another_domain_stops_no_deletion_and_is_told(
    connection: Connection, tmp_path: Path
) -> None:
    connection.define(domain_xml("a", extra=disk_xml(tmp_path, "one", "vda")))
    cut = tmp_path / "cut.qcow2"
    cut.write_bytes(overlay(tmp_path, "whole", tmp_path / "one.img").read_bytes()[:12])
    connection.define(domain_xml("b", extra=qcow2_disk(cut)))
    for dry_run in (True, False):
        deletion = operations.delete_domain(connection, "a", storage=True, dry_run=dry_run)
        assert fates(deletion) == {"one.img": None}
        assert any(f"what the image {cut} of the domain 'b' rests on is not known" in note for note in deletion.notes)
    assert not (tmp_path / "one.img").exists()


@pytest.mark.parametrize("force", [False, True])
def test_a_deletion_that_broke_off_is_told_and_finished_by_repeating(
    connection: Connection, uri: str, tmp_path: Path, force: bool
) -> None:
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda") + disk_xml(tmp_path, "two", "vdb")))
    if force:
        operations.start(connection, "a", paused=True)
    with broken_off("undefine", 1):
        operations.delete_domain(connection, "a", storage=not force, force=force)
    assert not domain.is_active()
    assert "its deletion, begun at" in done(uri, "show", "a")
    (report,) = audit_host(connection).domains
    assert any(each.sentence.startswith("its deletion, begun at") for each in report.findings)
    assert fact(parse(domain.xml(CONFIG)), RunAgain) is None, "nobody starts it with the host"
    operations.delete_domain(connection, "a", storage=not force)
    assert connection.domains() == []


def test_a_deletion_that_did_nothing_is_not_recorded(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    one = tmp_path / "one.img"
    subprocess.run(["mount", "--bind", _touched(tmp_path / "two.img"), one], check=True)  # unlink: device busy
    try:
        with raising(CANNOT_REMOVE):
            operations.delete_domain(connection, "a", storage=True)
    finally:
        subprocess.run(["umount", one], check=True)
    assert "holdfast" not in domain.xml(CONFIG)
