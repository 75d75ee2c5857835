"""Rolling back, in the guest's own word: after detaches and attaches it finds its old hardware at its old places."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from holdfast_lab.regenerate import fresh_document
from tests.guest.conftest import Boot, both_machines
from tests.libvirt.domains import CONFIG, LIVE, image, places

MACS = ["52:54:00:aa:00:01", "52:54:00:aa:00:02"]


@pytest.fixture
def history(connection: Connection) -> Iterator[None]:
    """A history of this libvirt, which is empty in the beginning and gone in the end."""
    folder = Path(str(connection.history_folder))
    folder.mkdir(parents=True)
    yield
    shutil.rmtree(folder)


@both_machines
def test_guest_finds_its_old_hardware_at_its_old_places(
    connection: Connection, boot: Boot, images: Path, history: None, machine: str
) -> None:
    disks = tuple(DiskSpec(path=str(image(images, each)), format="raw", serial=each) for each in ("one", "two"))
    guest = boot(machine=machine, disks=disks)
    name = guest.domain.name
    before = guest.wait_until(lambda inventory: inventory.disk("one") and inventory.disk("two"))

    operations.detach_device(connection, name, "vdb", timeout=PATIENCE)
    for mac in MACS:
        operations.attach_interface(connection, name, InterfaceSpec(kind="user", mac=mac))
    changed = guest.wait_until(lambda inventory: all(map(inventory.interface, MACS)))
    assert changed.disk("one") is None

    operations.shutdown(connection, name, timeout=PATIENCE)
    operations.rollback_domain(connection, name, "last-start", accept=True)
    operations.start(connection, name)
    guest.wait_for_boot()
    assert hardware(guest.wait_until(lambda inventory: inventory.disk("one"))) == hardware(before)
    assert places(guest.domain, LIVE) == places(guest.domain, CONFIG)


def hardware(inventory: Inventory) -> Inventory:
    """All but which boot it is."""
    return replace(inventory, boot_id="")


def test_control_a_list_of_the_same_devices_without_addresses_moves_them(
    connection: Connection, boot: Boot, images: Path
) -> None:
    """What managers do that keep a list of devices: the same devices, defined anew, are elsewhere."""
    disks = tuple(DiskSpec(path=str(image(images, each)), format="raw", serial=each) for each in ("one", "two"))
    guest = boot(disks=disks)
    name = guest.domain.name
    then = guest.domain.xml(CONFIG)
    before = guest.wait_until(lambda inventory: inventory.disk("one") and inventory.disk("two"))
    operations.shutdown(connection, name, timeout=PATIENCE)
    order = ["root", "two", "one"]  # a disk that was detached and attached again is the last one of a list
    connection.define(fresh_document(then, order))
    operations.start(connection, name)
    guest.wait_for_boot()
    after = guest.wait_until(lambda inventory: inventory.disk("one") and inventory.disk("two"))
    assert {disk.serial: disk.address for disk in after.disks} != {disk.serial: disk.address for disk in before.disks}
