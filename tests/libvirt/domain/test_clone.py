"""Cloning: another identity, images of its own, and the same hardware at the same places."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import holdfast
from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.fact import Adopted, DiskRecord, Started
from holdfast.domainxml.metadata import fact, facts
from holdfast.errors.creation import BAD_NAME, DOMAIN_EXISTS, IMAGE_NOT_CLONED, NOT_CLONED_HERE, NVRAM_ELSEWHERE
from holdfast.errors.disks import IMAGE_MISSING, NO_DISK
from holdfast.errors.domains import READ_ONLY, RUNNING, TRANSIENT
from holdfast.errors.files import CANNOT_CREATE, EXISTS
from holdfast.errors.images import HEADER_CUT_OFF, HEADER_DAMAGED, QEMU_IMG_FAILED
from holdfast.errors.power import MANAGED_SAVE
from holdfast.hostfiles.images.new_image import copy_file
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, image, places, running
from tests.libvirt.images import mark_of, qcow2
from tests.raising import raising

MIB = 1024 * 1024


def web(connection: Connection, folder: Path, **options: object) -> Domain:
    """A domain as people have them: two disks, a CD, an interface, UEFI and a TPM."""
    for name in ("web.qcow2", "data.img"):
        form = name.rpartition(".")[2].replace("img", "raw")
        subprocess.run(["qemu-img", "create", "-q", "-f", form, str(folder / name), "1M"], check=True)
    (folder / "data.img").write_bytes(b"data" * 1024)
    disks = (
        DiskSpec(path=str(folder / "web.qcow2"), format="qcow2"),
        DiskSpec(path=str(folder / "data.img"), format="raw", delete_with_domain=True),
    )
    spec = DomainSpec(
        memory=64 * MIB, disks=disks, cdroms=(str(image(folder, "cd")),), interfaces=(InterfaceSpec(kind="user"),),
        graphics="none", **options,  # type: ignore[arg-type]
    )  # fmt: skip
    operations.create_domain(connection, "web", spec)
    return connection.find_domain("web")


def sources(domain: Domain) -> list[str | None]:
    return [source_of(disk) for disk in parse(domain.xml(CONFIG)).iterfind("devices/disk")]


def write_variables(domain: Domain) -> None:
    """An NVRAM that is not as its template."""
    config = parse(domain.xml(CONFIG))
    template = Path(value_at(config, "os/nvram@template") or "").read_bytes()
    Path(nvram_of(config) or "").write_bytes(template[:-9] + b"variables")


def kinds(before: str, after: str) -> set[str]:
    return {change.where.partition("/mac")[0] for change in visible(compare(before, after))}


def test_clone_has_the_same_hardware_and_another_identity(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = web(connection, tmp_path, firmware="uefi", tpm=True)
    write_variables(domain)
    document = domain.xml(CONFIG)
    would = json.loads(done(uri, "clone", "web", "shop", "--dry-run", "-o", "json"))
    assert (would["format"], would["dry_run"], would["uuid"]) == ("holdfast.clone", True, "")
    assert would["images"] == [f"{tmp_path}/shop.qcow2", f"{tmp_path}/shop-vdb.img"]
    assert done(uri, "clone", "web", "shop", "--dry-run").startswith("shop: would be cloned from web\n")
    assert not (tmp_path / "shop.qcow2").exists()
    said = done(uri, "clone", "web", "shop", "--start")
    assert "shop: is cloned from web" in said and "TPM begins empty" in said and "shop: started" in said
    assert "exists already" not in said
    clone = connection.find_domain("shop")
    assert domain.xml(CONFIG) == document
    assert kinds(document, clone.xml(CONFIG)) == {"uuid", "devices/interface"}
    assert list(places(clone, CONFIG).values()) == list(places(domain, CONFIG).values())
    assert sources(clone) == [f"{tmp_path}/shop.qcow2", f"{tmp_path}/shop-vdb.img", f"{tmp_path}/cd.img"]
    assert (tmp_path / "shop-vdb.img").read_bytes() == (tmp_path / "data.img").read_bytes()
    nvram = nvram_of(parse(clone.xml(CONFIG))) or ""
    assert nvram.endswith(f"/{clone.uuid}_VARS.fd")
    assert Path(nvram).read_bytes().endswith(b"variables")
    changed = visible(compare(would["document"], clone.xml(CONFIG)))
    assert {change.where.partition("/mac")[0] for change in changed} == {"uuid", "devices/interface"}
    assert all(change.before is None for change in changed if change.where != "devices/interface")


def test_clones_record_tells_where_it_came_from_and_not_the_life_of_the_other(
    connection: Connection, tmp_path: Path
) -> None:
    domain = web(connection, tmp_path)
    operations.start(connection, "web")
    operations.destroy(connection, "web")
    assert fact(parse(domain.xml(CONFIG)), Started) is not None
    operations.clone_domain(connection, "web", "shop")
    config = parse(connection.find_domain("shop").xml(CONFIG))
    assert fact(config, Started) is None
    assert fact(config, Adopted) is not None
    records = {record.target: record for record in facts(config, DiskRecord)}
    assert records["vdb"].image == f"{tmp_path}/data.img"
    assert (records["vda"].role, records["vdb"].delete, records["sda"].role) == ("root", "yes", "cdrom")


def test_what_is_renewed_or_left_by_option(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = web(connection, tmp_path, firmware="uefi")
    write_variables(domain)
    done(uri, "clone", "web", "shop", "--new-serials", "--fresh-nvram", "--without", "vdb")
    clone = connection.find_domain("shop")
    assert sources(clone) == [f"{tmp_path}/shop.qcow2", f"{tmp_path}/cd.img"]
    serials = [
        [node.text for node in parse(each.xml(CONFIG)).iterfind("devices/disk/serial")] for each in (domain, clone)
    ]
    assert not set(serials[0]) & set(serials[1])
    assert not Path(nvram_of(parse(clone.xml(CONFIG))) or "").exists()
    with raising(NO_DISK, target="vdz"):
        operations.clone_domain(connection, "web", "other", without=["vdz"])


def test_image_of_a_pool_is_copied_in_its_pool(daemon: Connection, tmp_path: Path) -> None:
    document = f"<pool type='dir'><name>store</name><target><path>{tmp_path}</path></target></pool>"
    pool = daemon._handle.storagePoolCreateXML(document)
    try:
        spec = DomainSpec(memory=64 * MIB, disks=(DiskSpec(pool="store", size=MIB),), graphics="none")
        operations.create_domain(daemon, "web", spec)
        created = operations.clone_domain(daemon, "web", "shop")
        assert created.images == ("store/shop-vda.qcow2",)
        assert sources(daemon.find_domain("shop")) == [f"{tmp_path}/shop-vda.qcow2"]
        assert sorted(volume.name() for volume in pool.listAllVolumes()) == ["shop-vda.qcow2", "web-vda.qcow2"]
    finally:
        pool.destroy()


def test_image_that_rests_on_another_is_copied_whole(connection: Connection, tmp_path: Path) -> None:
    gold = qcow2(tmp_path, "gold", 7)
    overlay = DiskSpec(path=str(tmp_path / "web.qcow2"), overlay_of=str(gold), source_format="qcow2")
    spec = DomainSpec(memory=64 * MIB, disks=(overlay,), graphics="none")
    operations.create_domain(connection, "web", spec)
    operations.clone_domain(connection, "web", "shop")
    operations.create_snapshot(connection, "web", "one", external=True)
    operations.clone_domain(connection, "web", "stall")
    for name in ("shop", "stall"):
        copied = sources(connection.find_domain(name))[0] or ""
        assert "backing" not in subprocess.run(["qemu-img", "info", copied], capture_output=True, text=True).stdout
        assert mark_of(Path(copied)) == 7


def test_raw_image_that_begins_like_another_is_not_copied(connection: Connection, tmp_path: Path) -> None:
    running(connection, extra=disk_xml(tmp_path, "one", "vda")).destroy()
    (tmp_path / "one.img").write_bytes(qcow2(tmp_path, "evil").read_bytes())
    with raising(IMAGE_NOT_CLONED, target="vda"):
        operations.clone_domain(connection, "a", "b")
    assert not list(tmp_path.glob("b-*"))


def test_clone_that_cannot_be_whole_is_refused_and_leaves_nothing(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    connection.define(
        domain_xml("block", extra="<disk type='block'><source dev='/dev/loop9'/><target dev='vda'/></disk>")
    )
    with raising(NOT_CLONED_HERE, target="vda", source="/dev/loop9"):
        operations.clone_domain(connection, "block", "shop")
    operations.clone_domain(connection, "block", "shop", without=["vda"])
    domain = running(connection, extra=disk_xml(tmp_path, "one", "vda"))
    with raising(RUNNING):
        operations.clone_domain(connection, "a", "b")
    domain._handle.managedSave(0)
    with raising(MANAGED_SAVE):
        operations.clone_domain(connection, "a", "b")
    domain._handle.managedSaveRemove(0)
    with raising(DOMAIN_EXISTS, name="shop"):
        operations.clone_domain(connection, "a", "shop")
    with raising(BAD_NAME):
        operations.clone_domain(connection, "a", "b/c")
    (tmp_path / "b-vda.img").touch()
    with raising(EXISTS, path=tmp_path / "b-vda.img"):
        operations.clone_domain(connection, "a", "b")
    (tmp_path / "b-vda.img").unlink()
    (tmp_path / "one.img").unlink()
    with raising(IMAGE_MISSING, missing=f"disk vda pci 0000:01:00.0: there is no image {tmp_path}/one.img"):
        operations.clone_domain(connection, "a", "b")
    with raising(READ_ONLY):
        operations.clone_domain(holdfast.connect(uri, readonly=True), "a", "b")
    assert sorted(each.name for each in connection.domains()) == ["a", "block", "shop"]
    assert not list(tmp_path.glob("b-*"))


def test_transient_domain_is_not_cloned(connection: Connection) -> None:
    running(connection).undefine()
    with raising(TRANSIENT):
        operations.clone_domain(connection, "a", "b")


def test_nvram_is_copied_on_its_own_host_only_and_can_begin_afresh_elsewhere(
    daemon: Connection, remote_uri: str
) -> None:
    spec = DomainSpec(memory=64 * MIB, graphics="none", firmware="uefi")
    operations.create_domain(daemon, "web", spec)
    with holdfast.connect(remote_uri) as elsewhere:
        with raising(NVRAM_ELSEWHERE):
            operations.clone_domain(elsewhere, "web", "shop")
        clone = operations.clone_domain(elsewhere, "web", "shop", fresh_nvram=True)
    assert clone.nvram is not None and clone.nvram.endswith(f"/{clone.uuid}_VARS.fd")


def test_copy_that_breaks_off_leaves_nothing(connection: Connection, tmp_path: Path) -> None:
    domain = web(connection, tmp_path)
    document = domain.xml(CONFIG)
    (tmp_path / "web.qcow2").write_bytes(b"QFI\xfb" + b"\0" * 600)
    with raising(HEADER_CUT_OFF, HEADER_DAMAGED, QEMU_IMG_FAILED):
        operations.clone_domain(connection, "web", "shop")
    assert [each.name for each in connection.domains()] == ["web"]
    assert not list(tmp_path.glob("shop*"))
    assert domain.xml(CONFIG) == document


def test_a_copy_of_a_file_for_which_there_is_no_room_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(bytes(2 * MIB))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))  # a write beyond it fails as on a full disk
    try:
        with raising(CANNOT_CREATE):
            copy_file(str(tmp_path / "own"), str(tmp_path / "copy"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
