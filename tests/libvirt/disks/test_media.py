"""Media: the drive stays what and where it is, in both documents; what is in it changes in both."""

from __future__ import annotations

import json
from pathlib import Path

import libvirt_qemu
import pytest

import libvirt
from holdfast.domainxml.document import Element, parse, same, serialize
from holdfast.domainxml.elements.disk import EMPTY, network_source, source_of, with_image, without_image
from holdfast.domainxml.elements.network_source import parse_url
from holdfast.errors import Condition, HoldfastError, LibvirtRefused, disks, images
from holdfast.errors import libvirt as libvirt_errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.devices.attach_described import attach_disk
from holdfast.operations.disks.media import eject_medium, insert_medium
from holdfast.operations.disks.spec import DiskSpec
from tests.libvirt.commands import done, run
from tests.libvirt.disks.network_storage import nbd_server
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.raising import raising

DRIVES = """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
    <source file='{folder}/old.img' startupPolicy='optional'/><target dev='sda' bus='sata'/><readonly/>
    <serial>CD</serial><alias name='ua-cd'/></disk>
  <disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>"""


@pytest.fixture
def domain(connection: Connection, tmp_path: Path) -> Domain:
    """A running domain with a medium in its CD drive, an empty floppy drive and a disk."""
    image(tmp_path, "old")
    domain = connection.define(domain_xml(extra=DRIVES.format(folder=tmp_path) + disk_xml(tmp_path, "one", "vda")))
    domain.start(paused=True)
    return domain


def drive(domain: Domain, definition: Definition, target: str = "sda") -> Element:
    found = parse(domain.xml(definition)).find(f"devices/disk/target[@dev='{target}']/..")
    assert found is not None
    return found


def media(domain: Domain, target: str = "sda") -> set[str | None]:
    return {source_of(drive(domain, which, target)) for which in (LIVE, CONFIG)}


def medium(folder: Path, name: str = "new") -> DiskSpec:
    return DiskSpec(path=str(image(folder, name)), device="cdrom")


def unreachable(folder: Path) -> DiskSpec:
    return DiskSpec(source=f"nbd+unix:///x?socket={folder}/none", device="cdrom")


def tray_and_medium(domain: Domain) -> tuple[bool, bool]:
    """Whether QEMU's CD drive is open, and whether it has a medium."""
    answer = libvirt_qemu.qemuMonitorCommand(domain._handle, '{"execute": "query-block"}', 0)
    cd = next(each for each in json.loads(answer)["return"] if "cd" in each["qdev"])
    return cd["tray_open"], "inserted" in cd


@pytest.mark.parametrize("target", ["sda", "fda"])
def test_only_the_medium_changes_in_both_documents(
    uri: str, connection: Connection, domain: Domain, tmp_path: Path, target: str
) -> None:
    before = {which: without_image(drive(domain, which, target)) for which in (LIVE, CONFIG)}
    new = str(image(tmp_path, "new"))
    would = done(uri, "disk", "media", "insert", "a", target, new, "--dry-run")
    assert "nothing was changed" in would
    assert media(domain, target) != {new}
    assert done(uri, "disk", "media", "insert", "a", target, new).startswith(f"{target} has {new} in it (it had ")
    assert media(domain, target) == {new}
    for which in (LIVE, CONFIG):
        assert same(without_image(drive(domain, which, target)), before[which])
    said = json.loads(done(uri, "disk", "media", "eject", "a", target, "-o", "json"))
    assert (said["before"], said["after"], said["definitions"]) == (new, None, ["live", "config"])
    assert media(domain, target) == {None}
    assert eject_medium(connection, "a", target).before is None


def test_start_policy_of_the_drive_is_kept(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    insert_medium(connection, "a", "sda", medium(tmp_path))
    for which in (LIVE, CONFIG):
        source = drive(domain, which).find("source")
        assert source is not None
        assert source.get("startupPolicy") == "optional"


def test_medium_stays_through_a_cold_start(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    insert_medium(connection, "a", "sda", medium(tmp_path))
    domain.destroy()
    domain.start(paused=True)
    assert media(domain) == {str(tmp_path / "new.img")}


def test_repeating_finishes_what_stopped_between_live_and_config(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    real = Domain.update
    with pytest.MonkeyPatch.context() as patch:

        def update(self: Domain, device: str, definition: Definition, force: bool = False) -> None:
            if definition is CONFIG:
                raise libvirt_errors.REFUSED(reason="out of ink")
            real(self, device, definition, force)

        patch.setattr(Domain, "update", update)
        with raising(disks.MEDIUM_NOT_IN_CONFIG, target="sda", medium=tmp_path / "new.img", cause="out of ink"):
            insert_medium(connection, "a", "sda", medium(tmp_path))
    assert len(media(domain)) == 2
    insert_medium(connection, "a", "sda", medium(tmp_path))
    assert media(domain) == {str(tmp_path / "new.img")}


def test_change_by_somebody_else_in_between_is_told(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    other, real = disk_xml(tmp_path, "two", "vdb"), Domain.update
    with pytest.MonkeyPatch.context() as patch:

        def update(self: Domain, device: str, definition: Definition, force: bool = False) -> None:
            real(self, device, definition, force)
            if definition is CONFIG:
                self.attach(other, CONFIG)

        patch.setattr(Domain, "update", update)
        with raising(disks.OTHERS_CHANGED_TOO, definition="config") as error:
            insert_medium(connection, "a", "sda", medium(tmp_path))
    assert "elsewhere too: disk vdb" in error.value.message
    assert media(domain) == {str(tmp_path / "new.img")}


@pytest.mark.parametrize(
    ("target", "spec", "condition"),
    [
        ("sda", DiskSpec(path="/nosuch.iso", device="cdrom"), images.NO_IMAGE),
        ("vda", DiskSpec(path="/x", device="cdrom"), disks.NOT_A_DRIVE),
        ("sdz", DiskSpec(path="/x", device="cdrom"), disks.NO_DISK),
        ("sda", DiskSpec(size=1024), disks.NOT_A_MEDIUM),
        ("sda", DiskSpec(device="cdrom"), disks.NOT_A_MEDIUM),
    ],
)
def test_what_cannot_be_inserted_is_refused_and_nothing_changed(
    connection: Connection, domain: Domain, target: str, spec: DiskSpec, condition: Condition[HoldfastError]
) -> None:
    before = domain.xml(LIVE), domain.xml(CONFIG)
    with raising(condition):
        insert_medium(connection, "a", target, spec)
    assert (domain.xml(LIVE), domain.xml(CONFIG)) == before


def test_medium_of_another_format_than_said_is_refused(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    path = image(tmp_path, "new")
    path.write_bytes(b"QFI\xfb\0\0\0\3" + bytes(512))
    with raising(images.NOT_RAW, found="qcow2"):
        insert_medium(connection, "a", "sda", DiskSpec(path=str(path), device="cdrom"))
    assert media(domain) == {str(tmp_path / "old.img")}


def test_medium_that_qemu_cannot_open_leaves_the_old_one_in_the_drive(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    before = without_image(drive(domain, LIVE)), domain.xml(CONFIG)
    with pytest.raises(LibvirtRefused, match="Failed to connect"):
        insert_medium(connection, "a", "sda", unreachable(tmp_path))
    assert same(without_image(drive(domain, LIVE)), before[0])
    assert domain.xml(CONFIG) == before[1]
    assert tray_and_medium(domain) == (False, True)
    assert media(domain) == {str(tmp_path / "old.img")}


def test_stock_update_leaves_the_drive_open_and_empty_and_names_the_old_medium(domain: Domain, tmp_path: Path) -> None:
    source = network_source(parse_url(str(unreachable(tmp_path).source)))
    without_policy = with_image(drive(domain, CONFIG), EMPTY)
    with pytest.raises(LibvirtRefused, match="Failed to connect"):
        domain.update(serialize(with_image(without_policy, source)), LIVE)
    assert tray_and_medium(domain) == (True, False)
    assert media(domain) == {str(tmp_path / "old.img")}


def test_drive_that_libvirt_never_opens_says_so(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    image(tmp_path, "later")
    attach_disk(connection, "a", DiskSpec(path=str(tmp_path / "later.img"), device="cdrom", bus="scsi"))
    if connection.libvirt_version() < (10,):
        with raising(disks.TRAY_NEVER_OPENED, name="a", target="sdb"):
            insert_medium(connection, "a", "sdb", medium(tmp_path))
        assert media(domain, "sdb") == {str(tmp_path / "later.img")}
        domain.destroy()
        domain.start(paused=True)
    insert_medium(connection, "a", "sdb", medium(tmp_path))
    assert media(domain, "sdb") == {str(tmp_path / "new.img")}


def test_medium_may_be_on_the_network(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    with nbd_server(image(tmp_path, "new")) as url:
        assert insert_medium(connection, "a", "sda", DiskSpec(source=url, device="cdrom")).after == url
        assert media(domain) == {url}
        eject_medium(connection, "a", "sda")


def test_shut_off_domain_has_the_medium_at_its_next_start(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    domain.destroy()
    change = insert_medium(connection, "a", "sda", medium(tmp_path))
    assert (change.definitions, change.notes) == ((CONFIG,), ())
    domain.start(paused=True)
    assert media(domain) == {str(tmp_path / "new.img")}


def test_saved_memory_keeps_its_medium_and_that_is_said(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    domain._handle.managedSave(0)
    assert "managed-save image" in insert_medium(connection, "a", "sda", medium(tmp_path)).notes[0]


def test_transient_domain_has_it_in_live(connection: Connection, tmp_path: Path) -> None:
    image(tmp_path, "old")
    document = domain_xml(extra=DRIVES.format(folder=tmp_path))
    connection._handle.createXML(document, libvirt.VIR_DOMAIN_START_PAUSED)
    assert insert_medium(connection, "a", "sda", medium(tmp_path)).definitions == (LIVE,)


def test_read_only_connection_changes_nothing(uri: str, domain: Domain, tmp_path: Path) -> None:
    assert run(uri, "-r", "disk", "media", "eject", "a", "sda").exit_code == 1
    assert media(domain) == {str(tmp_path / "old.img")}
