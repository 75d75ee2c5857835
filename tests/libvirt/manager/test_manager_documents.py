"""What a program that generates its own documents asks for: sealing, a rescue as an overlay, a recorded document."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.compare.change import ChangeKind
from holdfast.domainxml.device import label
from holdfast.domainxml.document import devices, parse, same
from holdfast.domainxml.places.pci import hotplug_places
from holdfast.errors import domains, manager
from holdfast.errors.documents import NO_RESCUE_IMAGE
from holdfast.errors.domains import NO_DOMAIN
from holdfast.errors.manager import RESTORED_WHILE_RUNNING
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.manager.create import create_in_place
from holdfast.operations.manager.mediated_devices import replace_mediated_devices
from holdfast.operations.manager.rescue import is_rescue_by_define, rescue_from_template
from holdfast.operations.manager.restore import restore_document
from holdfast.operations.manager.seal import seal_document
from holdfast.operations.power.rescue import unrescue
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, places
from tests.raising import raising


def nova_rescue(folder: Path, kernel: str = "") -> str:
    """As Nova generates it: the rescue disk is vda, the root disk vdb, and nothing else of the instance is there."""
    disks = [
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{folder / name}'/>"
        f"<target dev='{target}' bus='virtio'/></disk>"
        for name, target in (("disk.rescue", "vda"), ("disk", "vdb"), ("disk.config.rescue", "vdz"))
    ]
    return domain_xml("a", ports=2, extra="".join(disks)).replace("<os>", f"<os>{kernel}")


@pytest.fixture
def instance(connection: Connection, tmp_path: Path) -> str:
    """An instance with a root disk, a volume and a config drive, named as Nova names their images; its UUID."""
    for name in ("disk.rescue", "disk.config.rescue"):
        image(tmp_path, name).rename(tmp_path / name)
    disks = disk_xml(tmp_path, "disk", "vda") + disk_xml(tmp_path, "volume", "vdb") + disk_xml(tmp_path, "c", "vdd")
    for old, new in (("disk", "disk"), ("c", "disk.config")):
        (tmp_path / f"{old}.img").rename(tmp_path / new)
        disks = disks.replace(f"{old}.img", new)
    return connection.define(domain_xml("a", extra=disks)).uuid


def test_rescue_of_a_manager_keeps_every_device_at_its_place(
    connection: Connection, instance: str, tmp_path: Path
) -> None:
    domain = connection.find_domain(instance)
    before, config = places(domain, CONFIG), domain.xml(CONFIG, secure=True)
    rescue_from_template(connection, instance, nova_rescue(tmp_path))
    live = parse(domain.xml(LIVE))
    assert {name: place for name, place in places(domain, LIVE).items() if name in before} == before
    sources = {label(disk): disk.find("source").get("file") for disk in live.iterfind("devices/disk")}  # type: ignore[union-attr]
    assert sources["vda"] == str(tmp_path / "disk")
    assert sources["vdd"] == str(tmp_path / "disk.config.rescue")
    (medium,) = (disk for disk in live.iterfind("devices/disk") if label(disk) not in before)
    assert medium.find("source").get("file") == str(tmp_path / "disk.rescue")  # type: ignore[union-attr]
    assert medium.find("boot").get("order") == "1"  # type: ignore[union-attr]
    assert pci_address(medium) not in before.values()
    assert domain.xml(CONFIG, secure=True) == config
    assert not is_rescue_by_define(connection, instance)
    unrescue(connection, instance)
    assert places(domain, CONFIG) == before


def test_rescue_as_stock_nova_defines_it_moves_the_root_disk(
    connection: Connection, instance: str, tmp_path: Path
) -> None:
    domain = connection.find_domain(instance)
    recorded, before = domain.xml(CONFIG, secure=True), places(domain, CONFIG)
    document = nova_rescue(tmp_path).replace("<name>a</name>", f"<name>a</name><uuid>{instance}</uuid>")
    connection.define(document)
    assert places(domain, CONFIG)["vda"] != before["vda"] or "vdd" not in places(domain, CONFIG)
    assert is_rescue_by_define(connection, instance)
    assert restore_document(connection, recorded)
    assert same(parse(domain.xml(CONFIG, secure=True)), parse(recorded))
    assert not restore_document(connection, recorded)


def test_document_without_a_rescue_disk_is_refused_and_nothing_runs(connection: Connection, instance: str) -> None:
    with raising(NO_RESCUE_IMAGE):
        rescue_from_template(connection, instance, domain_xml("a"))
    assert not connection.find_domain(instance).is_active()


def test_recorded_document_is_not_restored_under_a_running_guest(connection: Connection, instance: str) -> None:
    domain = connection.find_domain(instance)
    recorded = domain.xml(CONFIG, secure=True)
    domain.start(paused=True)
    with raising(RESTORED_WHILE_RUNNING):
        restore_document(connection, recorded)
    with raising(NO_DOMAIN):
        restore_document(connection, recorded.replace(instance, "9d3a1c52-0000-4000-8000-000000000000"))


def test_document_is_sealed_before_it_is_defined_and_libvirt_fills_in_addresses_only(connection: Connection) -> None:
    generated = domain_xml("a", extra="<interface type='user'><model type='virtio'/></interface>").replace(
        "<features>", "<cpu mode='host-model'/><features>"
    )
    sealed = seal_document(connection, generated, root_ports=12)
    domain = connection.define(sealed.document)
    config = parse(domain.xml(CONFIG))
    cpu, kind = config.find("cpu"), config.find("os/type")
    assert cpu is not None and cpu.get("mode") == "custom"
    assert kind is not None and kind.get("machine", "").startswith("pc-q35-")
    assert len(hotplug_places(config)) == 12
    macs = [mac.get("address") for mac in parse(sealed.document).iterfind("devices/interface/mac")]
    assert macs == [mac.get("address") for mac in config.iterfind("devices/interface/mac")]
    assert all(device.find("alias") is not None for device in devices(config) if device.tag == "interface")


def mediated(*uuids: str) -> str:
    """Mediated devices of the host, the first with an alias of its own."""
    return "".join(
        f"<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{uuid}'/></source>"
        f"{'' if number else f'<alias name={ALIAS!r}/>'}</hostdev>"
        for number, uuid in enumerate(uuids)
    )


ALIAS = "ua-gpu"
ONE, TWO, THREE = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")


def test_mediated_devices_are_replaced_at_the_same_addresses_and_nothing_else_changes(connection: Connection) -> None:
    domain = connection.define(domain_xml("a", ports=4, extra=mediated(ONE, TWO)))
    before = domain.xml(CONFIG, secure=True)
    (change,) = replace_mediated_devices(connection, "a", {ONE: THREE})
    assert (change.what, change.kind) == (f"hostdev {ALIAS}", ChangeKind.REPLACED)
    assert same(parse(domain.xml(CONFIG, secure=True)), parse(before.replace(ONE, THREE)))
    assert replace_mediated_devices(connection, "a", {ONE: THREE}) == ()


def test_another_kind_of_machine_is_created_in_place_and_the_same_kind_is_refused(
    connection: Connection, instance: str
) -> None:
    domain = connection.find_domain(instance)
    before = domain.xml(CONFIG, secure=True)
    named = f"<name>a</name><uuid>{instance}</uuid>"
    with raising(manager.SAME_MACHINE):
        create_in_place(connection, domain_xml("a").replace("<name>a</name>", named))
    other = domain_xml("a", machine="pc", ports=0).replace("<name>a</name>", named)
    domain.start(paused=True)
    with raising(domains.RUNNING):
        create_in_place(connection, other)
    domain.destroy()
    assert domain.xml(CONFIG, secure=True) == before
    create_in_place(connection, other)
    kind = parse(domain.xml(CONFIG)).find("os/type")
    assert kind is not None and kind.get("machine", "").startswith("pc-i440fx-")
    with raising(NO_DOMAIN):
        create_in_place(connection, other.replace(instance, ONE))
