"""An ARM guest, emulated, in its own word: it keeps its hardware as any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from holdfast_lab.probe_aarch64 import why_no_arm_guest
from holdfast_lab.probe_image import probe_image
from tests.guest.conftest import Boot
from tests.guest.test_rescue import RESCUE, assert_all_there, hardware, rescue_system
from tests.libvirt.domains import CONFIG, LIVE, image, place, places

LEAVES, STAYS = ("leaves", "52:54:00:00:00:01"), ("stays", "52:54:00:00:00:02")
"""A disk, by its serial, and an interface, by its MAC."""

pytestmark = pytest.mark.skipif(why_no_arm_guest() is not None, reason=str(why_no_arm_guest()))


def whereabouts(inventory: Inventory) -> dict[str, str | None]:
    """Serial or MAC → the place in the guest. A disk that was attached has another name after the next boot."""
    disks = {disk.serial: disk.address for disk in inventory.disks}
    return disks | {interface.mac: interface.address for interface in inventory.interfaces}


def test_aarch64_guest_keeps_its_hardware_over_attach_hard_reboot_and_rescue(
    boot: Boot, connection: Connection, images: Path
) -> None:
    guest = boot(arch="aarch64", machine="virt", firmware="uefi")
    for serial, mac in (LEAVES, STAYS):
        disk = DiskSpec(path=str(image(images, serial)), format="raw", serial=serial)
        operations.attach_disk(connection, "guest", disk)
        operations.attach_interface(connection, "guest", InterfaceSpec(kind="user", mac=mac))
    guest.wait_until(lambda inventory: {*LEAVES, *STAYS} <= set(whereabouts(inventory)))
    operations.detach_device(connection, "guest", "vdb", timeout=PATIENCE)
    operations.detach_device(connection, "guest", LEAVES[1], timeout=PATIENCE)
    attached = hardware(guest)
    assert not {*LEAVES} & set(whereabouts(attached))
    assert places(guest.domain, LIVE) == places(guest.domain, CONFIG)
    assert whereabouts(attached)["stays"] == str(place(guest.domain, "vdc"))

    operations.reboot(connection, "guest", hard=True)
    guest.wait_for_boot()
    before = hardware(guest)
    assert whereabouts(before) == whereabouts(attached)
    assert (before.pci, before.dmi, before.acpi) == (attached.pci, attached.dmi, attached.acpi)

    operations.rescue(connection, "guest", rescue_system(probe_image("aarch64"), images, "virtio"), force=True)
    guest.wait_for_boot()
    assert RESCUE in guest.run("cat /proc/cmdline")
    assert_all_there(before, guest.inventory())
    operations.unrescue(connection, "guest")
    guest.wait_for_boot()
    assert hardware(guest) == before
