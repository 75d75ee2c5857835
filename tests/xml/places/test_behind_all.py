"""A last disk gets a place behind everything, or what it needs for one, and nothing that is there makes room for it."""

from __future__ import annotations

import pytest
from tests.raising import raising

from holdfast.domainxml.device import describe
from holdfast.domainxml.document import Element, devices, parse, same, serialize
from holdfast.domainxml.elements.disk import file_source, new_disk
from holdfast.domainxml.places.behind_all import add_behind_all
from holdfast.errors import elements as errors

ROOT = "<controller type='pci' index='0' model='pcie-root'/>"


def pci(bus: int, slot: int, function: int = 0) -> str:
    """An address."""
    return f"<address type='pci' domain='0' bus='{bus}' slot='{slot}' function='{function}'/>"


def drive(controller: int, bus: int, unit: int) -> str:
    """An address behind a controller of disks."""
    return f"<address type='drive' controller='{controller}' bus='{bus}' target='0' unit='{unit}'/>"


def port(index: int, slot: int, function: int = 0, model: str = "pcie-root-port") -> str:
    """A root port on pcie-root."""
    return f"<controller type='pci' index='{index}' model='{model}'>{pci(0, slot, function)}</controller>"


def disk(bus: str, address: str) -> str:
    """A disk of the domain itself."""
    return f"<disk type='file' device='disk'><target dev='vda' bus='{bus}'/>{address}</disk>"


def domain(*parts: str) -> Element:
    """A document with these devices."""
    os = "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>"
    return parse(f"<domain type='qemu'><name>a</name>{os}<devices>{''.join(parts)}</devices></domain>")


def placed(document: Element, bus: str) -> list[str]:
    """Where a disk on ``bus`` comes, and what comes with it; the rest of ``document`` must stay as it is."""
    before = list(devices(parse(serialize(document))))
    added = add_behind_all(document, new_disk(file_source("/x"), target="vdz", bus=bus))
    assert all(same(one, other) for one, other in zip(before, devices(document), strict=False))
    return [describe(each) for each in added]


PORTS = "".join(port(index, 2, index - 1) for index in range(1, 5))

CASES = {
    "port behind those taken": (
        (ROOT, PORTS, disk("virtio", pci(1, 0)), disk("virtio", pci(3, 0))),
        "virtio",
        ["disk vdz pci 0000:04:00.0"],
    ),
    "last of the ports where the last is taken": (
        (ROOT, PORTS, disk("virtio", pci(4, 0))),
        "virtio",
        ["disk vdz pci 0000:03:00.0"],
    ),
    "new port behind the last": (
        (ROOT, port(1, 2, 0), port(2, 4, 0), disk("virtio", pci(1, 0)), disk("virtio", pci(2, 0))),
        "virtio",
        ["disk vdz pci 0000:03:00.0", "controller pci 3 pci 0000:00:05.0"],
    ),
    "new port beside a device on the root": (
        (ROOT, port(1, 2, 0), disk("virtio", pci(1, 0)), f"<sound model='ich9'>{pci(0, 3)}</sound>"),
        "virtio",
        ["disk vdz pci 0000:02:00.0", "controller pci 2 pci 0000:00:04.0"],
    ),
    "port that cannot be hot-plugged": (
        (ROOT, port(1, 2).replace("<address", "<target hotplug='off'/><address")),
        "virtio",
        ["disk vdz pci 0000:01:00.0"],
    ),
    "slot behind those taken on i440fx, without ACPI too": (
        ("<controller type='pci' index='0' model='pci-root'/>", disk("virtio", pci(0, 2)), disk("virtio", pci(0, 5))),
        "virtio",
        ["disk vdz pci 0000:00:06.0"],
    ),
    "without PCI libvirt chooses": ((), "virtio", ["disk vdz"]),
    "USB port behind those taken, hubs included": (
        (
            "<controller type='usb' index='0' model='qemu-xhci' ports='15'/>",
            "<input type='tablet' bus='usb'><address type='usb' bus='0' port='3.2'/></input>",
        ),
        "usb",
        ["disk vdz usb 0.4"],
    ),
    "full USB controllers get another": (
        (
            ROOT,
            port(1, 2),
            "<controller type='usb' index='0' model='piix3-uhci'/>",
            *(f"<input type='tablet' bus='usb'><address type='usb' bus='0' port='{n}'/></input>" for n in (1, 2)),
        ),
        "usb",
        ["disk vdz usb 1.1", "controller usb 1 pci 0000:01:00.0"],
    ),
    "companions of a USB controller have no ports of their own": (
        (
            "<controller type='usb' index='0' model='ich9-ehci1'/>",
            "<controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/></controller>",
        ),
        "usb",
        ["disk vdz usb 0.1"],
    ),
    "second SATA controller where the first is full": (
        (
            "<controller type='sata' index='0'/><controller type='sata' index='1'/>",
            *(disk("sata", drive(0, 0, unit)) for unit in range(6)),
        ),
        "sata",
        ["disk vdz drive 1:0:0:0"],
    ),
    "SCSI unit behind those taken, hostdevs included": (
        (
            "<controller type='scsi' index='0' model='virtio-scsi'/>",
            disk("scsi", drive(0, 0, 0)),
            f"<hostdev mode='subsystem' type='scsi'>{drive(0, 0, 9)}</hostdev>",
        ),
        "scsi",
        ["disk vdz drive 0:0:0:10"],
    ),
    "slave of IDE": (
        ("<controller type='ide' index='0'/>", disk("ide", drive(0, 0, 0))),
        "ide",
        ["disk vdz drive 0:0:0:1"],
    ),
}


@pytest.mark.parametrize(("parts", "bus", "expected"), CASES.values(), ids=CASES)
def test_last_place(parts: tuple[str, ...], bus: str, expected: list[str]) -> None:
    assert placed(domain(*parts), bus) == expected


def test_bridge_in_the_last_slot_leaves_no_place_for_a_port_behind_it() -> None:
    document = domain(ROOT, port(1, 0x1E, model="dmi-to-pci-bridge"))
    with raising(errors.PCI_FULL):
        add_behind_all(document, new_disk(file_source("/x"), target="vdz"))


def test_full_conventional_bus_has_no_place() -> None:
    root = "<controller type='pci' index='0' model='pci-root'/>"
    document = domain(root, *(disk("virtio", pci(0, slot)) for slot in range(2, 32)))
    with raising(errors.PCI_FULL):
        add_behind_all(document, new_disk(file_source("/x"), target="vdz"))


def test_ide_is_full_or_not_there() -> None:
    seats = [disk("ide", drive(0, bus, unit)) for bus in range(2) for unit in range(2)]
    with raising(errors.IDE_FULL):
        placed(domain("<controller type='ide' index='0'/>", *seats), "ide")
    with raising(errors.NO_IDE):
        placed(domain(ROOT), "ide")


def test_other_buses_have_no_last_place() -> None:
    with raising(errors.NOT_LAST_ON_BUS, bus="fdc"):
        add_behind_all(domain(), new_disk(file_source("/x"), bus="fdc", device="floppy"))
