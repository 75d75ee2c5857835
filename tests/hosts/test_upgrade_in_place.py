"""A host is upgraded while its guests run: the newer libvirt takes over what the older one left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.host.known_changes import KNOWN_CHANGES
from holdfast.domainxml.host.outlook import Effect
from holdfast.errors.devices import CHANGED_ELSEWHERE
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory, PciDevice
from holdfast_lab.probe_image import probe_image
from tests.corpus.builder import make_images
from tests.hosts.test_false_alarms import DEFINED, refusal
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, image, place
from tests.raising import raising

INTERFACE = "<interface type='ethernet'><mac address='52:54:00:aa:00:01'/><model type='virtio'/></interface>"

RUNNING = (
    "q35-many-devices",
    "i440fx-many-devices",
    "uefi-automatic",
    "uefi-named",
    "tpm-emulated",
    "numa-and-memory-devices",
    "cpu-topology",
    "cpu-host-model",
    "machine-pc-i440fx-2.0",
    "machine-microvm",
    "interface-virtio",
    "disk-usb-cdrom",
)
"""Domains of the corpus that run meanwhile; of two of them the newer QEMU has no machine."""


STEPS: dict[str, tuple[str | None, str]] = {"to-debian-13": (None, "system"), "from-there-to-sid": ("system", "sid")}
"""From which release to which; the first is from this machine's own."""


@pytest.fixture(params=[*STEPS.values()], ids=[*STEPS])
def step(request: pytest.FixtureRequest) -> Iterator[tuple[Host, Path]]:
    """A host, and the system to upgrade it to."""
    old, new = (Path("/") if name is None else request.getfixturevalue(name) for name in request.param)
    with private_host("upgraded", old) as host:
        yield host, new


def test_every_document_says_the_same_to_the_guest(step: tuple[Host, Path], tmp_path: Path) -> None:
    host, system = step
    before = {}
    with open_connection(host.uri) as connection:
        old = connection.libvirt_version()
        for sample in DEFINED:
            folder = tmp_path / sample.name
            document = sample.document(folder)
            if refusal(connection, document, sample.name):
                continue
            domain = connection.define(document)
            if sample.name in RUNNING:
                folder.mkdir()
                make_images(folder)
                domain.start(paused=True)
            before[domain.name] = {
                each: domain.xml(each) for each in Definition if each is CONFIG or domain.is_active()
            }
    host.upgrade(system)
    with open_connection(host.uri) as connection:
        after = {
            domain.name: {each: domain.xml(each) for each in Definition if each is CONFIG or domain.is_active()}
            for domain in connection.domains()
        }
    assert {name: set(documents) for name, documents in after.items()} == {
        name: set(documents) for name, documents in before.items()
    }
    for name, documents in before.items():
        for each, document in documents.items():
            assert [str(change) for change in visible(compare(document, after[name][each]))] == [], (name, each)
    for name in before.keys() & set(RUNNING):
        live, config = after[name][LIVE], after[name][CONFIG]
        assert [str(change) for change in visible(compare(live, config))] == [], name
    with open_connection(host.uri) as connection:
        disk = disk_xml(tmp_path, "new")
        assert operations.attach_device(connection, "cpu-topology", disk).label == "vda"
        other = disk_xml(tmp_path, "other")
        if old >= (11, 0, 0):
            assert operations.attach_device(connection, "interface-virtio", other).label == "vda"
            return
        # libvirt 11.3 knows of a QEMU that 9.0 started not that it has a user network of its own.
        with raising(CHANGED_ELSEWHERE, definition="config", changes=re.compile("interface 52:54:00:00:01:01.*")):
            operations.attach_device(connection, "interface-virtio", other)
        assert "<backend type='passt'/>" in connection.find_domain("interface-virtio").xml(CONFIG)


def test_a_running_guest_is_attached_to_detached_from_and_started_anew(step: tuple[Host, Path]) -> None:
    """The guest itself sees nothing of the upgrade, and after a cold start in the newer QEMU what was foretold."""
    host, system = step
    with open_connection(host.uri) as connection:
        guest = _booted(connection, host.images)
        _attach(connection, guest, host.images, "one")
        before = guest.inventory()
    host.upgrade(system)
    with open_connection(host.uri) as connection:
        guest.domain = connection.find_domain("guest")
        assert guest.inventory() == before
        _attach(connection, guest, host.images, "two")
        operations.detach_device(connection, "guest", "vdb")
        hardware = guest.wait_until(lambda inventory: not inventory.disk("one"))
        assert _others(hardware, "two") == _others(before, "one")
        assert operations.show_domain(connection, "guest").changes == ()
        plan = operations.plan_reboot(connection, "guest")
        assert plan.changes == ()
        foretold = {outlook.part for outlook in plan.outlooks if outlook.effect is Effect.CHANGES}
        assert foretold <= {known.part for known in KNOWN_CHANGES}
        operations.reboot(connection, "guest", hard=True)
        guest.wait_for_boot()
        after = guest.inventory()
        assert _hardware(after) == _hardware(hardware)
        assert (_queues(after) != _queues(hardware)) == ("virtio" in foretold)
        guest.close()


def _booted(connection: Connection, images: Path) -> Guest:
    """The probe guest, emulated with a CPU that both QEMUs have."""
    root = DiskSpec(
        path=str(images / "root.img"),
        format="raw",
        copy_from=str(probe_image().disk),
        source_format="raw",
        serial="root",
    )
    spec = DomainSpec(memory=256 << 20, cpu="Nehalem", disks=(root,), graphics="none", virt_type="qemu")
    operations.create_domain(connection, "guest", spec)
    operations.attach_device(connection, "guest", INTERFACE)
    operations.start(connection, "guest")
    guest = Guest(connection.find_domain("guest"))
    guest.wait_for_boot()
    return guest


def _hardware(inventory: Inventory) -> tuple[object, ...]:
    """All but the BIOS with the tables it writes, and the names of disks, which follow the order they are met in."""
    dmi = {name: value for name, value in inventory.dmi.items() if name != "bios_version"}
    disks = {(disk.serial, disk.size, disk.address) for disk in inventory.disks}
    cpu = (inventory.cpus, inventory.cpu_model, inventory.cpu_flags)
    return inventory.pci, inventory.interfaces, disks, cpu, inventory.firmware, dmi, set(inventory.acpi)


def _queues(inventory: Inventory) -> set[tuple[str, int]]:
    """How many requests fit into the queue of each disk."""
    return {(disk.serial, disk.queue) for disk in inventory.disks}


def _others(inventory: Inventory, serial: str) -> list[PciDevice]:
    """The guest's PCI devices without the disk ``serial``."""
    return [device for device in inventory.pci if device.address != _address(inventory, serial)]


def _attach(connection: Connection, guest: Guest, images: Path, serial: str) -> None:
    """Attach a disk; the guest sees it where both documents say."""
    disk = DiskSpec(path=str(image(images, serial)), format="raw", serial=serial)
    target = operations.attach_disk(connection, "guest", disk).label
    inventory = guest.wait_until(lambda inventory: inventory.disk(serial))
    assert _address(inventory, serial) == str(place(guest.domain, target))


def _address(inventory: Inventory, serial: str) -> str | None:
    disk = inventory.disk(serial)
    assert disk is not None
    return disk.address
