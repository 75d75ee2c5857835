"""The host goes down under a guest: repaired, resumed or cloned, the guest sees the hardware it had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.libvirtapi.connection import Connection
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from tests.guest.conftest import Boot
from tests.guest.test_attach import attach_volume
from tests.libvirt.domains import CONFIG
from tests.libvirt.processes import crash


def hardware(inventory: Inventory) -> Inventory:
    return replace(inventory, boot_id="")


def test_hardware_is_the_same_after_repair_and_host_boot_and_in_a_clone(
    connection: Connection, boot: Boot, images: Path
) -> None:
    guest = boot()
    name = guest.domain.name
    attach_volume(connection, guest, images, "data")
    operations.reboot(connection, name)
    guest.wait_for_boot()
    before = guest.inventory()
    document = guest.domain.xml(CONFIG)

    crash(guest.domain)
    guest.close()
    (images / "data.img").rename(images / "elsewhere.img")
    repaired = operations.repair_domain(connection, name, sources={"vdb": str(images / "elsewhere.img")})
    assert repaired.started
    guest.wait_for_boot()
    assert hardware(guest.inventory()) == hardware(before)
    assert guest.domain.xml(CONFIG) == document.replace("/data.img", "/elsewhere.img")

    crash(guest.domain)
    guest.close()
    assert [each.name for each in operations.resume_host(connection)] == [name]
    guest.wait_for_boot()
    assert hardware(guest.inventory()) == hardware(before)

    operations.destroy(connection, name)
    guest.close()
    created = operations.clone_domain(connection, name, "twin", start=True)
    twin = Guest(connection.find_domain("twin"))
    try:
        twin.wait_for_boot()
        seen = twin.inventory()
    finally:
        twin.close()
    assert seen.pci == before.pci
    assert seen.disks == before.disks
    assert seen.machine == before.machine
    assert [each.path for each in seen.interfaces] == [each.path for each in before.interfaces]
    assert not {each.mac for each in seen.interfaces} & {each.mac for each in before.interfaces}
    assert seen.dmi["product_uuid"] == created.uuid != before.dmi["product_uuid"]
    assert parse(guest.domain.xml(CONFIG)).findtext("name") == name
