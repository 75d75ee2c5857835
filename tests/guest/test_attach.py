"""Devices attached to a running guest, in the guest's own word: where both documents say, and there to stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from tests.guest.conftest import Boot, both_machines
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, image, place, places, recorded, without_wish

MAC = "52:54:00:aa:00:01"


def attach_volume(connection: Connection, guest: Guest, folder: Path, serial: str) -> str:
    """Attach a disk, wait until the guest has it, and return its target."""
    disk = DiskSpec(path=str(image(folder, serial)), format="raw", serial=serial)
    attached = operations.attach_disk(connection, guest.domain.name, disk)
    guest.wait_until(lambda inventory: inventory.disk(serial))
    return attached.label


def acpi_devices(guest: Guest) -> list[str]:
    """What the guest made of its ACPI tables: path and address of each device."""
    each = 'echo "$(cat "$device/path") $(cat "$device/adr" 2>&-)"'
    return sorted(guest.run(f"for device in /sys/bus/acpi/devices/*; do {each}; done").splitlines())


@both_machines
def test_attached_devices_are_where_both_documents_say_through_every_reboot(
    connection: Connection, boot: Boot, images: Path, machine: str
) -> None:
    guest = boot(machine=machine)
    name = guest.domain.name
    first, devices = guest.inventory(), acpi_devices(guest)
    targets = {serial: attach_volume(connection, guest, images, serial) for serial in ("one", "two", "three")}
    operations.attach_interface(connection, name, InterfaceSpec(kind="user", mac=MAC))
    guest.wait_until(lambda inventory: inventory.interface(MAC))
    operations.detach_device(connection, name, targets.pop("two"))
    hardware = guest.wait_until(lambda inventory: not inventory.disk("two"))

    assert set(first.pci) <= set(hardware.pci)
    for serial, target in targets.items():
        disk = hardware.disk(serial)
        assert disk is not None
        assert disk.address == str(place(guest.domain, target))
    interface = hardware.interface(MAC)
    assert interface is not None
    assert interface.address == str(place(guest.domain, MAC))
    assert places(guest.domain, LIVE) == places(guest.domain, CONFIG)
    assert recorded(guest.domain, LIVE) == recorded(guest.domain, CONFIG) == {"vda", *targets.values()}

    document = without_wish(guest.domain)
    operations.reboot(connection, name)
    guest.wait_for_boot()
    after_soft = guest.inventory()
    assert after_soft.pci == hardware.pci
    # A DSDT of QEMU 10.0 declares the slots of what is plugged in first: other bytes, the same devices.
    assert _but_dsdt(after_soft.acpi) == _but_dsdt(first.acpi)
    assert acpi_devices(guest) == devices
    operations.reboot(connection, name, hard=True)
    guest.wait_for_boot()
    assert _hardware(guest.inventory()) == _hardware(after_soft)
    operations.shutdown(connection, name, timeout=PATIENCE)
    operations.start(connection, name)
    guest.wait_for_boot()
    assert _hardware(guest.inventory()) == _hardware(after_soft)
    assert without_wish(guest.domain) == document


@both_machines
def test_naive_attach_moves_at_the_next_cold_start(
    connection: Connection, boot: Boot, images: Path, machine: str
) -> None:
    guest = boot(machine=machine)
    for serial in ("one", "two"):
        guest.domain.attach(disk_xml(images, serial, f"vd{serial[0]}", f"<serial>{serial}</serial>"), LIVE)
    guest.wait_until(lambda inventory: inventory.disk("two"))
    guest.domain.attach(disk_xml(images, "two", "vdt", "<serial>two</serial>"), CONFIG)
    before = guest.wait_until(lambda inventory: inventory.disk("one")).disk("two")
    guest.domain.destroy()
    guest.domain.start()
    guest.wait_for_boot()
    after = guest.inventory().disk("two")
    assert before is not None
    assert after is not None
    assert after.address != before.address


def _but_dsdt(tables: dict[str, str]) -> dict[str, str]:
    return {table: digest for table, digest in tables.items() if table != "DSDT"}


def _hardware(inventory: Inventory) -> Inventory:
    return replace(inventory, boot_id="")
