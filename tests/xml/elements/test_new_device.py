"""New ``<disk>`` and ``<interface>`` elements."""

from __future__ import annotations

import pytest
from tests.raising import raising

from holdfast.domainxml.document import element, parse, same
from holdfast.domainxml.elements.disk import (
    EMPTY,
    block_source,
    default_bus,
    file_source,
    network_source,
    new_disk,
    next_target,
    refuse_same_serials,
    seen_serial,
    shortened_serials,
    source_of,
    volume_source,
)
from holdfast.domainxml.elements.interface import new_interface
from holdfast.errors import Condition, UsageError
from holdfast.errors import elements as errors


def test_new_disk_says_what_was_asked_for() -> None:
    disk = new_disk(
        file_source("/x.qcow2"),
        target="vdb",
        format="qcow2",
        serial="S1",
        alias="ua-data",
        cache="none",
        discard="unmap",
        shareable=True,
        boot_order=2,
    )
    expected = parse(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/>"
        "<source file='/x.qcow2'/><target dev='vdb' bus='virtio'/><shareable/><serial>S1</serial><boot order='2'/>"
        "<alias name='ua-data'/></disk>"
    )
    assert same(disk, expected)


def test_cdrom_is_readonly_and_may_be_empty() -> None:
    disk = new_disk(EMPTY, target="sda", bus="sata", device="cdrom")
    assert disk.find("readonly") is not None
    assert disk.find("source") is None


def test_source_is_named_in_one_word() -> None:
    network = parse("<source protocol='rbd' name='p/i'><host name='h'/></source>")
    sources = [file_source("/x"), block_source("/dev/x"), volume_source("p", "v"), network_source(network), EMPTY]
    disks = [new_disk(source, target="vda") for source in sources]
    assert [source_of(disk) for disk in disks] == ["/x", "/dev/x", "p/v", "rbd:p/i", None]
    assert disks[3].find("source/host") is not None and network.find("host") is not None


def test_serial_that_QEMU_would_not_take_is_refused() -> None:
    with raising(errors.LONG_SERIAL, length=37, most=36):
        new_disk(EMPTY, target="sda", bus="scsi", serial="x" * 37)


UUIDS = "0f6a1c52-3a4b-4c5d-9e8f-001122334455", "0f6a1c52-3a4b-4c5d-9e8f-0011223344aa"


def test_of_a_long_serial_it_is_said_what_the_guest_sees() -> None:
    disk = new_disk(EMPTY, target="vda", serial=UUIDS[0])
    assert list(shortened_serials([disk])) == [
        "of the serial of disk vda the guest sees the first 20 characters: 0f6a1c52-3a4b-4c5d-9"
    ]
    assert list(shortened_serials([new_disk(EMPTY, target="sda", bus="scsi", serial=UUIDS[0])])) == []


@pytest.mark.parametrize(
    ("buses", "serials", "are_alike"),
    [
        (("virtio", "virtio"), UUIDS, True),
        (("sata", "sata"), UUIDS, True),
        (("scsi", "scsi"), UUIDS, False),
        (("virtio", "sata"), UUIDS, False),
        (("virtio", "virtio"), ("A", "B"), False),
        (("scsi", "scsi"), ("A", "A"), True),
    ],
)
def test_disks_that_would_show_the_guest_the_same_serial_are_refused(
    buses: tuple[str, str], serials: tuple[str, str], are_alike: bool
) -> None:
    names = [f"{'vd' if bus == 'virtio' else 'sd'}{letter}" for bus, letter in zip(buses, "ab", strict=True)]
    disks = [new_disk(EMPTY, target=t, bus=b, serial=s) for t, b, s in zip(names, buses, serials, strict=True)]
    domain = element("domain", None, element("devices", None, *disks))
    if are_alike:
        with raising(errors.SAME_SERIAL, one=names[0], other=names[1], serial=seen_serial(disks[0])):
            refuse_same_serials(domain)
    else:
        refuse_same_serials(domain)
    refuse_same_serials(domain, before=domain)


@pytest.mark.parametrize(
    ("device", "bus", "condition"),
    [
        ("floppy", "virtio", errors.FLOPPY_BUS),
        ("floppy", "scsi", errors.FLOPPY_BUS),
        ("disk", "fdc", errors.FLOPPY_BUS),
        ("cdrom", "virtio", errors.CD_ON_VIRTIO),
        ("lun", "scsi", errors.NO_LUN),
    ],
)
def test_device_that_cannot_be_on_its_bus_is_refused(device: str, bus: str, condition: Condition[UsageError]) -> None:
    with raising(condition):
        new_disk(file_source("/x"), bus=bus, device=device)


def test_bus_follows_the_device() -> None:
    assert [default_bus(device, "pc-q35-7.2") for device in ("disk", "cdrom", "floppy")] == ["virtio", "sata", "fdc"]
    assert default_bus("cdrom", "pc-i440fx-7.2") == "ide"


def test_next_target_is_free_in_all_documents() -> None:
    one, two = (
        parse(f"<domain><devices><disk><target dev='{name}'/></disk></devices></domain>") for name in ("vda", "vdb")
    )
    assert next_target("virtio", [one, two]) == "vdc"
    assert next_target("sata", [one, two]) == "sda"
    many = "".join(f"<disk><target dev='vd{chr(97 + i)}'/></disk>" for i in range(26))
    assert next_target("virtio", [parse(f"<domain><devices>{many}</devices></domain>")]) == "vdaa"
    with raising(errors.UNKNOWN_WORD, what="disk bus", word="floppy"):
        next_target("floppy", [])


def test_new_interface_says_what_was_asked_for() -> None:
    interface = new_interface("bridge", "br0", mac="52-54-00-AA-bb-01", model="e1000e", alias="ua-net0")
    expected = parse(
        "<interface type='bridge'><mac address='52:54:00:aa:bb:01'/><source bridge='br0'/><model type='e1000e'/>"
        "<alias name='ua-net0'/></interface>"
    )
    assert same(interface, expected)


def test_new_interface_has_no_mac_where_none_is_given() -> None:
    assert new_interface("user").find("mac") is None


@pytest.mark.parametrize(
    ("kind", "source", "mac", "condition"),
    [
        ("network", None, None, errors.NEEDS_SOURCE),
        ("user", "x", None, errors.USER_HAS_NO_SOURCE),
        ("tap", "x", None, errors.UNKNOWN_WORD),
        ("user", None, "52:54:00", errors.BAD_MAC),
        ("user", None, "53:54:00:00:00:01", errors.MULTICAST_MAC),
        ("user", None, "00:00:00:00:00:00", errors.NULL_MAC),
    ],
)
def test_interface_that_makes_no_sense_is_refused(
    kind: str, source: str | None, mac: str | None, condition: Condition[UsageError]
) -> None:
    with raising(condition):
        new_interface(kind, source, mac=mac)
