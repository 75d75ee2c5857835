"""A detach takes away the controllers that an attach brought, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.device import label, lookup
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.fact import AddedController
from holdfast.domainxml.metadata import facts
from holdfast.errors import PartlyDone, devices
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast_lab.patience import PATIENCE, wait_until
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running, text_of
from tests.raising import raising

CHANNEL = "<channel type='unix'><target type='virtio' name='x.{}'/><alias name='ua-{}'/></channel>"
RNG = "<rng model='virtio'><backend model='builtin'/><alias name='ua-{}'/></rng>"


def controllers(domain: Domain, definition: Definition = CONFIG) -> list[str]:
    return [label(each) for each in parse(domain.xml(definition)).iterfind("devices/controller")]


def device_of(domain: Domain, name: str) -> Element:
    device = lookup(parse(domain.xml(CONFIG)), name)
    assert device is not None
    return device


def test_a_shut_off_domain_is_as_before_the_attach(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml())
    before = domain.xml(CONFIG)
    operations.attach_device(connection, "a", CHANNEL.format(1, 1))
    assert "virtio-serial 0" in controllers(domain)
    promised = operations.detach_device(connection, "a", "ua-1", dry_run=True)
    assert "with it went controller virtio-serial 0, pci 0000:02:00.0\n" in done(uri, "device", "detach", "a", "ua-1")
    assert promised.went == ("controller virtio-serial 0, pci 0000:02:00.0",)
    assert text_of(domain, CONFIG) == before


def test_a_controller_stays_until_the_last_device_on_it_goes(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    for number in (1, 2):
        operations.attach_device(connection, "a", CHANNEL.format(number, number))
    assert operations.detach_device(connection, "a", "ua-1").went == ()
    assert "virtio-serial 0" in controllers(domain)
    assert operations.detach_device(connection, "a", "ua-2").went
    assert "virtio-serial 0" not in controllers(domain)


def test_a_controller_that_was_there_before_stays(connection: Connection, tmp_path: Path) -> None:
    scsi = "<controller type='scsi' index='0' model='virtio-scsi'/>"
    domain = connection.define(domain_xml(extra=scsi))
    before = controllers(domain)
    operations.attach_device(connection, "a", disk_xml(tmp_path, "one", "sda", bus="scsi"))
    assert operations.detach_device(connection, "a", "sda").went == ()
    assert controllers(domain) == before


def test_a_controller_that_libvirt_would_put_back_as_another_stays(connection: Connection, tmp_path: Path) -> None:
    scsi = "".join(f"<controller type='scsi' index='{index}' model='virtio-scsi'/>" for index in (0, 1))
    disk = disk_xml(tmp_path, "one", "sdz", bus="scsi").replace(
        "</disk>", "<address type='drive' controller='1'/></disk>"
    )
    domain = connection.define(domain_xml(extra=scsi + disk))
    before = domain.xml(CONFIG)
    for dry_run in (True, False):
        with raising(devices.WOULD_COME_BACK, holders="controller scsi 1 pci 0000:02:00.0"):
            operations.detach_device(connection, "a", "scsi 0", dry_run=dry_run)
    assert domain.xml(CONFIG) == before
    domain.detach(serialize(device_of(domain, "scsi 0")), CONFIG)
    assert device_of(domain, "scsi 0").get("model") == "lsilogic", "what libvirt does by itself"


@pytest.mark.parametrize("machine", ["q35", "pc"])
@pytest.mark.parametrize("bus", ["scsi", "sata"])
def test_a_controller_below_another_of_its_type_stays_until_that_goes(
    connection: Connection, tmp_path: Path, machine: str, bus: str
) -> None:
    domain = connection.define(domain_xml(machine=machine))
    before = controllers(domain)
    operations.attach_device(connection, "a", disk_xml(tmp_path, "one", "sda", bus=bus))
    operations.attach_device(connection, "a", disk_xml(tmp_path, "two", "sdh", bus=bus))
    with_both = parse(domain.xml(CONFIG)).findall("devices/controller")
    assert operations.detach_device(connection, "a", "sda").went == ()
    left = parse(domain.xml(CONFIG)).findall("devices/controller")
    assert sorted(map(serialize, left)) == sorted(map(serialize, with_both))
    operations.detach_device(connection, "a", "sdh")
    assert controllers(domain) == before


def test_the_controllers_that_came_below_that_of_the_device_go_with_it(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(machine="pc"))
    before = controllers(domain)
    operations.attach_device(connection, "a", disk_xml(tmp_path, "one", "sdq", bus="scsi"))
    assert {"scsi 0", "scsi 1", "scsi 2"} <= set(controllers(domain))
    operations.detach_device(connection, "a", "sdq")
    assert controllers(domain) == before


def test_a_virtio_console_is_on_a_controller_though_it_has_no_address(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    before = controllers(domain)
    operations.attach_device(connection, "a", CHANNEL.format(1, 1))
    console = "<console type='pty'><target type='virtio'/><alias name='ua-2'/></console>"
    operations.attach_device(connection, "a", console)
    assert operations.detach_device(connection, "a", "ua-1").went == ()
    assert "virtio-serial 0" in controllers(domain)
    assert operations.detach_device(connection, "a", "ua-2").went
    assert controllers(domain) == before


def test_a_controller_of_the_same_name_at_another_place_is_not_the_one_that_was_brought(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    operations.attach_device(connection, "a", CHANNEL.format(1, 1))
    domain.detach(CHANNEL.format(1, 1), CONFIG)
    domain.detach("<controller type='virtio-serial' index='0'/>", CONFIG)
    place = "<address type='pci' domain='0' bus='5' slot='0' function='0'/>"
    domain.attach(f"<controller type='virtio-serial' index='0'>{place}</controller>", CONFIG)
    operations.attach_device(connection, "a", CHANNEL.format(2, 2))
    assert operations.detach_device(connection, "a", "ua-2").went == ()
    assert "virtio-serial 0" in controllers(domain)


def test_a_controller_that_is_detached_by_itself_is_forgotten(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    operations.attach_device(connection, "a", CHANNEL.format(1, 1))
    domain.detach(CHANNEL.format(1, 1), CONFIG)
    operations.detach_device(connection, "a", "virtio-serial 0")
    assert facts(parse(domain.xml(CONFIG)), AddedController) == []


def test_spare_root_ports_stay_and_those_that_an_attach_brought_go_the_last_first(connection: Connection) -> None:
    domain = connection.define(domain_xml(ports=2))
    before = controllers(domain)
    for number in range(5):
        operations.attach_device(connection, "a", RNG.format(number))
    assert len(controllers(domain)) > len(before)
    for number in range(5):
        operations.detach_device(connection, "a", f"ua-{number}")
    assert controllers(domain) == before
    domain.start(paused=True)
    assert controllers(domain, LIVE) == before


def test_a_running_guest_gives_back_the_scsi_controller_too(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    before = controllers(domain)
    operations.attach_device(connection, "a", disk_xml(tmp_path, "one", "sda", bus="scsi"))
    assert controllers(domain) == controllers(domain, LIVE) == [*before, "scsi 0"]
    try:  # QEMU takes a SCSI disk away at once, but may say so a moment later
        finished = operations.detach_device(connection, "a", "sda", timeout=0)
    except PartlyDone:
        wait_until(lambda: "dev='sda'" not in domain.xml(LIVE), "the disk stays")
        finished = operations.detach_device(connection, "a", "sda", timeout=0)
    assert finished.went == ("controller scsi 0 virtio-scsi, pci 0000:02:00.0",)
    assert any("has not released controller scsi 0" in note for note in finished.notes)
    assert controllers(domain) == before
    domain.reset()
    operations.detach_device(connection, "a", "scsi 0", timeout=PATIENCE)
    assert controllers(domain, LIVE) == before


def test_what_a_running_guest_cannot_release_stays_in_both_documents(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    operations.attach_device(connection, "a", CHANNEL.format(1, 1))
    domain.start(paused=True)
    promised = operations.detach_device(connection, "a", "ua-1", dry_run=True)
    detached = operations.detach_device(connection, "a", "ua-1", timeout=PATIENCE)
    assert promised.notes == detached.notes
    assert "virtio-serial 0" in controllers(domain)
    assert "virtio-serial 0" in controllers(domain, LIVE)
    assert any("stays while the guest runs" in note for note in detached.notes)


def test_a_root_port_that_was_alone_in_its_slot_is_alone_again(connection: Connection) -> None:
    """libvirt (9.0) marks it as the first of several when an attach brings a second one."""
    alone = "<address type='pci' bus='0x00' slot='0x01' function='0x0'/></controller>"
    document = domain_xml(ports=1).replace("model='pcie-root-port'/>", f"model='pcie-root-port'>{alone}")
    domain = connection.define(document)
    before = domain.xml(CONFIG)
    for number in (1, 2):
        operations.attach_device(connection, "a", RNG.format(number))
    assert "multifunction" in domain.xml(CONFIG)
    for number in (2, 1):
        operations.detach_device(connection, "a", f"ua-{number}")
    assert text_of(domain, CONFIG) == before


def test_a_controller_that_a_detach_of_virsh_left_stays_at_the_detach_of_something_else(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    operations.attach_device(connection, "a", CHANNEL.format(1, 1))
    domain.detach(CHANNEL.format(1, 1), CONFIG)
    operations.attach_device(connection, "a", RNG.format(1))
    assert operations.detach_device(connection, "a", "ua-1").went == ()
    assert "virtio-serial 0" in controllers(domain)
