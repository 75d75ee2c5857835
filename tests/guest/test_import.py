"""A guest that was exported, deleted, and imported with another network and folder: in its own word nothing changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from holdfast_lab.regenerate import fresh_document
from tests.guest.conftest import Boot
from tests.libvirt.domains import CONFIG, LIVE, image, places


def hardware(inventory: Inventory) -> tuple[object, ...]:
    """All but which boot it is, and the names that the guest gives in the order in which it finds devices."""
    rest = replace(inventory, boot_id="", disks=(), interfaces=())
    disks = {disk.serial: (disk.address, disk.size) for disk in inventory.disks}
    return rest, disks, {interface.mac: interface.address for interface in inventory.interfaces}


def test_guest_finds_its_hardware_where_it_was(connection: Connection, boot: Boot, images: Path) -> None:
    for name in ("lan", "office"):
        connection._handle.networkCreateXML(f"<network><name>{name}</name></network>")
    try:
        disks = tuple(DiskSpec(path=str(image(images, each)), format="raw", serial=each) for each in ("one", "two"))
        guest = boot(disks=disks)
        name = guest.domain.name
        operations.attach_interface(connection, name, InterfaceSpec(kind="network", source="lan"))
        operations.detach_device(connection, name, "vdb", timeout=PATIENCE)
        before = guest.wait_until(lambda inventory: inventory.disk("two") and len(inventory.interfaces) == 2)
        operations.shutdown(connection, name, timeout=PATIENCE)
        document, at = guest.domain.xml(CONFIG), places(guest.domain, CONFIG)

        archive, elsewhere = str(images / "guest.tar"), images / "elsewhere"
        elsewhere.mkdir()
        operations.export_domain(connection, name, archive, all_disks=True)
        operations.delete_domain(connection, name, storage=True)
        maps = operations.HostMaps(networks={"lan": "office"})
        operations.import_domain(connection, archive, maps=maps, folder=str(elsewhere), start=True)
        guest.wait_for_boot()
        after = guest.wait_until(lambda inventory: inventory.disk("two") and len(inventory.interfaces) == 2)
        assert hardware(after) == hardware(before)
        assert places(guest.domain, LIVE) == at

        operations.shutdown(connection, name, timeout=PATIENCE)
        control = connection.define(fresh_document(document, ["root", "two"]))
        assert places(control, CONFIG) != at, "the control: the same list of devices, made anew, puts them elsewhere"
    finally:
        for each in ("lan", "office"):
            connection._handle.networkLookupByName(each).destroy()
