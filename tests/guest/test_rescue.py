"""A guest in rescue, in the rescue system's own word: it finds the guest's hardware where the guest has it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast_lab.daemon import Host
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from holdfast_lab.probe_image import ProbeImage
from tests.guest.conftest import Boot
from tests.libvirt.domains import CONFIG, image

GUEST, RESCUE = "quiet rdinit=/init", "rdinit=/init quiet"
"""What is on the kernel's command line: of the guest's own system, and of the rescue system."""


def rescue_system(probe: ProbeImage, folder: Path, bus: str) -> DiskSpec:
    """The probe guest on an image that says which one it is."""
    path = folder / "rescue.img"
    path.write_bytes(probe.disk.read_bytes().replace(GUEST.encode(), RESCUE.encode()))
    return DiskSpec(path=str(path), format="raw", bus=bus)


def hardware(guest: Guest) -> Inventory:
    """What the system in the guest sees, without what is new at each boot."""
    inventory = guest.inventory()
    # These hold addresses in memory, which differ between the first boot of a UEFI and its later ones.
    acpi = {table: digest for table, digest in inventory.acpi.items() if table not in ("FACP", "TPM2")}
    return replace(inventory, boot_id="", acpi=acpi)


def assert_all_there(before: Inventory, rescued: Inventory) -> None:
    """The rescue system has everything the guest had, under the same names and at the same places."""
    assert set(before.pci) <= set(rescued.pci)
    assert set(before.disks) < set(rescued.disks)
    assert before.interfaces == rescued.interfaces
    assert (before.dmi, before.cpu_flags, before.firmware) == (rescued.dmi, rescued.cpu_flags, rescued.firmware)
    assert len(rescued.disks) == len(before.disks) + 1


def test_bios_guest_is_rescued_from_usb_and_comes_back(
    boot: Boot, connection: Connection, images: Path, probe: ProbeImage
) -> None:
    disks = [  # none on USB: Linux numbers such disks by when it finds them
        DiskSpec(path=str(image(images, serial)), format="raw", serial=serial, bus=bus)
        for serial, bus in (("one", "virtio"), ("two", "ide"))
    ]
    guest = boot(machine="pc", disks=tuple(disks))
    before = guest.wait_until(lambda inventory: len(inventory.disks) == len(disks) + 1)
    document = guest.domain.xml(CONFIG, secure=True)
    assert GUEST in guest.run("cat /proc/cmdline")

    operations.rescue(connection, "guest", rescue_system(probe, images, "usb"), force=True)
    guest.wait_for_boot()
    assert RESCUE in guest.run("cat /proc/cmdline")
    assert_all_there(before, guest.wait_until(lambda inventory: len(inventory.disks) == len(before.disks) + 1))

    assert operations.unrescue(connection, "guest").after == "running"
    guest.wait_for_boot()
    guest.wait_until(lambda inventory: replace(inventory, boot_id=before.boot_id) == before)
    assert GUEST in guest.run("cat /proc/cmdline")
    assert guest.domain.xml(CONFIG, secure=True) == document


def test_uefi_guest_with_a_tpm_keeps_its_variables(
    boot: Boot, connection: Connection, images: Path, probe: ProbeImage, host: Host
) -> None:
    """It has no free port either, so that the rescue brings one."""
    guest = boot(firmware="uefi", tpm=True, root_ports=0)
    before = hardware(guest)
    operations.destroy(connection, "guest")
    document = guest.domain.xml(CONFIG, secure=True)
    nvram = host.folder / "lib" / Path(parse(document).findtext("os/nvram") or "").relative_to("/var/lib/libvirt")
    variables = hashlib.sha256(nvram.read_bytes()).digest()

    operations.rescue(connection, "guest", rescue_system(probe, images, "virtio"))
    guest.wait_for_boot()
    assert RESCUE in guest.run("cat /proc/cmdline")
    rescued = guest.inventory()
    assert_all_there(before, rescued)
    assert [port.class_code for port in rescued.pci if port not in before.pci] == ["060400", "010000"]
    assert rescued.disk("rescue") is not None
    copy = nvram.with_name(f"{nvram.name}.rescue")
    assert hashlib.sha256(copy.read_bytes()).digest() != variables, "the firmware writes down what it boots"
    change = operations.shutdown(connection, "guest", timeout=PATIENCE)
    assert (change.after, change.left_rescue) == ("shut off", True)
    assert hashlib.sha256(nvram.read_bytes()).digest() == variables
    assert guest.domain.xml(CONFIG, secure=True) == document

    operations.start(connection, "guest")
    guest.wait_for_boot()
    assert hardware(guest) == before
    assert GUEST in guest.run("cat /proc/cmdline")
