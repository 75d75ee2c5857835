"""What the guest says agrees with what its documents say."""

from __future__ import annotations

import pytest

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.document import Element, devices, parse
from holdfast_lab.errors import GUEST_COMMAND_FAILED
from tests.guest.conftest import Boot
from tests.libvirt.domains import CONFIG
from tests.raising import raising


@pytest.mark.parametrize(("machine", "firmware"), [("q35", "bios"), ("pc", "bios"), ("q35", "uefi")])
def test_guest_sees_what_its_document_says(boot: Boot, machine: str, firmware: str) -> None:
    guest = boot(machine=machine, firmware=firmware)
    document = parse(guest.domain.xml(CONFIG))
    inventory = guest.inventory()
    kind = document.find("os/type")
    assert kind is not None
    assert inventory.machine == kind.get("machine")
    assert inventory.firmware == firmware
    assert inventory.dmi["product_uuid"] == guest.domain.uuid
    assert inventory.cpus == 1
    assert {"APIC", "DSDT", "FACP"} <= set(inventory.acpi)
    (disk,) = inventory.disks
    assert (disk.name, disk.serial, disk.size) == ("vda", "root", 64 << 20)
    assert disk.address == _place(document, "disk")
    assert disk.queue in (256, 1024)  # by version of QEMU: KNOWN_CHANGES
    (interface,) = inventory.interfaces
    assert interface.mac == _mac(document)
    assert interface.address == _place(document, "interface")
    assert all(inventory.at(str(place)) for device in devices(document) if (place := pci_address(device)))
    assert {device.driver for device in inventory.pci if device.vendor == "1af4"} == {"virtio-pci"}


def test_command_that_fails_in_the_guest_is_told(boot: Boot) -> None:
    guest = boot()
    assert guest.run("echo one; echo two") == "one\ntwo"
    with raising(GUEST_COMMAND_FAILED, said="cannot do it"):
        guest.run("echo cannot do it; false")


def _place(document: Element, tag: str) -> str:
    device = document.find(f"devices/{tag}")
    assert device is not None
    return str(pci_address(device))


def _mac(document: Element) -> str | None:
    mac = document.find("devices/interface/mac")
    return None if mac is None else mac.get("address")
