"""Moving a disk: its image is elsewhere, and for the guest and in both documents nothing else has changed."""

from __future__ import annotations

import json
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import libvirt
from holdfast.cli import hints
from holdfast.domainxml.document import parse
from holdfast.errors import Condition, HoldfastError, LibvirtRefused, disks, elements, files, hosts, images, power
from holdfast.hostfiles.images import new_image
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage
from holdfast.hostfiles.new_file import MadeFile
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.keep_record import disk_record, new_record, record_disk
from holdfast.operations.disks.move import move_disk
from holdfast.operations.disks.spec import Place
from holdfast.operations.domain.adopt import adopt_domain
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.disks.moves import (
    SIZE,
    content,
    definitions,
    disk,
    images_of_vda,
    moving_domain,
    read_back,
    records,
    without_image_of_vda,
)
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, image, place, places
from tests.libvirt.images import virtual_size
from tests.raising import raising


@pytest.fixture(params=[True, False], ids=["running", "shut off"])
def domain(request: pytest.FixtureRequest, connection: Connection, tmp_path: Path) -> Domain:
    """A domain with vda to be moved and vdb beside it; running, or shut off."""
    return moving_domain(connection, tmp_path, start=request.param)


running = pytest.mark.parametrize("domain", [True], indirect=True, ids=["running"])


@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_disk_goes_on_elsewhere_and_nothing_else_changes(
    uri: str, connection: Connection, domain: Domain, tmp_path: Path, format: str
) -> None:
    new, before = tmp_path / "new.img", without_image_of_vda(domain)
    would = done(uri, "disk", "move", "a", "vda", f"path={new},format={format}", "--dry-run")
    assert would == f"would move vda from {tmp_path}/one.img to {new} ({format}); nothing was changed\n"
    assert not new.exists()
    said = json.loads(done(uri, "disk", "move", "a", "vda", f"path={new},format={format}", "-o", "json"))
    assert (said["before"], said["after"]) == (f"{tmp_path}/one.img", str(new))
    assert (said["format"], said["image_format"], said["removed"]) == ("holdfast.disk.move", format, None)
    assert images_of_vda(domain) == {(str(new), format)}
    assert without_image_of_vda(domain) == before
    assert read_back(new, format) == content() == (tmp_path / "one.img").read_bytes()
    assert records(domain) == set()
    address = places(domain, CONFIG)["vda"]
    if domain.is_active():
        domain.destroy()
    domain.start(paused=True)
    assert place(domain, "vda") == address
    assert images_of_vda(domain) == {(str(new), format)}


def test_progress_is_told(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    place = Place(path=str(tmp_path / "new"))
    move_disk(connection, "a", "vda", place, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (SIZE, SIZE)


def test_format_stays_as_it_is_where_none_is_said(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    assert move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new"))).image_format == "raw"


def test_image_of_an_odd_size_keeps_the_size_that_the_guest_sees(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    if not domain.is_active():
        with (tmp_path / "one.img").open("r+b") as file:
            file.truncate(SIZE + 100)
        domain.start(paused=True)
        size = block.capacity(domain, "vda")
        domain.destroy()
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
        assert block.capacity(domain, "vda") == size == SIZE + 512


def test_old_image_goes_where_that_is_asked(uri: str, domain: Domain, tmp_path: Path) -> None:
    old = tmp_path / "one.img"
    would = done(uri, "disk", "move", "a", "vda", str(tmp_path / "new"), "--delete-source", "--dry-run")
    assert f"{old} would be removed" in would
    assert old.exists() and not (tmp_path / "new").exists()
    out = done(uri, "disk", "move", "a", "vda", str(tmp_path / "new"), "--delete-source")
    assert f"{old} was removed" in out
    assert not old.exists()
    assert (tmp_path / "new").read_bytes() == content()


def test_old_image_that_another_domain_has_stays(
    uri: str, connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    old = tmp_path / "one.img"
    over = tmp_path / "over.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", old, "-F", "raw", "-u", over, "4M"], check=True)
    connection.define(domain_xml("b", extra=disk_xml(tmp_path, "x", "vda").replace("x.img", "over.qcow2")))
    command = ["disk", "move", "a", "vda", str(tmp_path / "new"), "--delete-source"]
    assert f"note: {old} would stay: used by the domain 'b'" in done(uri, *command, "--dry-run")
    assert f"note: {old} stays: used by the domain 'b'" in done(uri, *command)
    assert old.exists()


def test_what_is_recorded_of_the_disk_stays_but_the_id_of_a_volume_it_is_no_more(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    adopt_domain(connection, "a")
    for which in definitions(domain):
        new = new_record(disk(domain, which), role="root", image="/base", id="1-2", delete="yes")
        record_disk(looking(connection, "a"), new, [which])
    move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
    for which in definitions(domain):
        found = disk_record(parse(domain.xml(which)), disk(domain, which))
        assert found == new_record(disk(domain, which), role="root", image="/base", delete="yes")


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ({"path": "{folder}/two.img"}, images.IMAGE_OF_DOMAIN),
        ({"path": "/nosuch/new"}, files.NO_FOLDER),
        ({"path": "{folder}/new", "format": "qcow3"}, elements.UNKNOWN_WORD),
        ({"pool": "nope"}, hosts.NO_POOLS),
    ],
)
def test_place_that_cannot_be_is_refused_and_nothing_changed(
    connection: Connection,
    domain: Domain,
    tmp_path: Path,
    where: dict[str, str],
    condition: Condition[HoldfastError],
) -> None:
    before = images_of_vda(domain), without_image_of_vda(domain), set(tmp_path.iterdir())
    with raising(condition):
        move_disk(connection, "a", "vda", Place(**{key: value.format(folder=tmp_path) for key, value in where.items()}))
    assert (images_of_vda(domain), without_image_of_vda(domain), set(tmp_path.iterdir())) == before


def test_image_that_somebody_makes_at_the_same_moment_is_not_removed(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    real = new_image.new_image_file

    def make(path: str, format: str) -> AbstractContextManager[tuple[MadeFile, QemuImgImage]]:
        Path(path).write_text("mine")
        return real(path, format)

    with pytest.MonkeyPatch.context() as patch, raising(files.EXISTS):
        patch.setattr(new_image, "new_image_file", make)
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
    assert (tmp_path / "new").read_text() == "mine"
    assert records(domain) == set()


def test_disk_with_snapshots_is_not_moved_away_from_them(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    domain._handle.snapshotCreateXML(
        "<domainsnapshot><name>s</name><disks><disk name='vda' snapshot='no'/><disk name='vdb' snapshot='external'>"
        f"<source file='{tmp_path}/over'/></disk></disks></domainsnapshot>",
        libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY,
    )
    try:
        with raising(disks.DISK_HAS_SNAPSHOTS) as refused:
            move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
        assert "'holdfast snapshot list a'" in hints.hint(refused.value)
    finally:
        domain._handle.snapshotLookupByName("s").delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)


@running
def test_saved_memory_keeps_its_disks(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    domain._handle.managedSave(0)
    with raising(power.MANAGED_SAVE):
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))


@running
def test_disk_with_another_image_in_config_is_not_moved(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    changed = domain.xml(CONFIG).partition("<disk ")[2].partition("</disk>")[0].replace("one.img", "three.img")
    domain.update(f"<disk {changed}</disk>", CONFIG)
    with raising(disks.ANOTHER_IMAGE_IN_CONFIG, image=tmp_path / "one.img"):
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))


def test_without_a_place_there_must_be_a_move_to_finish(uri: str, domain: Domain) -> None:
    result = run(uri, "disk", "move", "a", "vda")
    assert result.exit_code == 2
    assert "no place is given for vda" in result.stderr
    assert run(uri, "disk", "move", "a", "vda", "--abort").exit_code == 1
    assert run(uri, "disk", "move", "a", "vda", "/x", "--abort").exit_code == 2
    assert run(uri, "disk", "move", "a", "vdz", "/x").exit_code == 4
    assert run(uri, "-r", "disk", "move", "a", "vda", "/x").exit_code == 1
    assert not Path("/x").exists()


def test_missing_image_is_one_sentence(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    if not domain.is_active():
        (tmp_path / "one.img").unlink()
        with pytest.raises(LibvirtRefused, match=r"one\.img"):
            move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("target", "condition"), [("sda", disks.IS_A_DRIVE), ("vda", disks.NOT_ITS_OWN)])
def test_what_is_not_this_domains_own_is_not_moved(
    connection: Connection, tmp_path: Path, target: str, condition: Condition[HoldfastError]
) -> None:
    extra = (
        disk_xml(tmp_path, "one", "vda", "<shareable/>") + "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
    )
    connection.define(domain_xml(extra=extra))
    with raising(condition, target=target):
        move_disk(connection, "a", target, Place(path=str(tmp_path / "new")))
    assert virtual_size(str(image(tmp_path, "one")), "raw") == 1024 * 1024
