"""PCI in a document: which buses exist, which places on them are taken, and where a device can still be attached.

A hot-plug place is where one PCI device can be attached while the guest runs: slot 0 behind a free pcie-root-port (or
switch downstream port) of a PCI Express machine, or a free slot of a conventional bus (libvirt's "PCI topology and
hotplug").
"""

from __future__ import annotations

import copy

from holdfast.domainxml.address import PciAddress, read_pci
from holdfast.domainxml.document import Element, child, value_at
from holdfast.domainxml.number import number_at
from holdfast.domainxml.platform import Platform

_ONE_SLOT = {"pcie-root-port", "pcie-switch-downstream-port"}
_CONVENTIONAL = {"pci-root": 2, "pci-bridge": 1}
"""Controller → its first slot for devices: slot 0 is the host bridge or SHPC, slot 1 of i440fx's pci-root its PIIX3."""
_VIRTIO_VARIANTS = ("virtio-transitional", "virtio-non-transitional")


def pci_controllers(domain: Element) -> list[Element]:
    """The PCI controllers of ``domain``; the index of each is the number of the bus that it provides."""
    return domain.findall("devices/controller[@type='pci']")


def taken_places(domain: Element) -> set[PciAddress]:
    """Every PCI address that a device of ``domain`` has."""
    return {place for node in domain.iterfind("devices/*/address") if (place := read_pci(node)) is not None}


def hotplug_places(domain: Element) -> list[PciAddress]:
    """Where a PCI device can be attached while the guest runs, lowest first.

    pcie-root itself, expander buses and ports with ``hotplug='off'`` offer no place. Neither do the conventional buses
    of an x86 guest without ACPI, by which QEMU announces new devices.
    """
    occupied = {(address.bus, address.slot) for address in taken_places(domain)}
    return [PciAddress(0, bus, slot, 0) for bus, slot in _slots(domain) if (bus, slot) not in occupied]


def cold_places(domain: Element) -> list[PciAddress]:
    """Where a PCI device can be at the next cold start, lowest first: hot-plug places, and others of the same buses."""
    occupied = {(address.bus, address.slot) for address in taken_places(domain)}
    return [PciAddress(0, bus, slot, 0) for bus, slot in _slots(domain, cold=True) if (bus, slot) not in occupied]


def slot_count(domain: Element) -> int:
    """How many hot-plug places ``domain`` has in all, free or taken."""
    return len(_slots(domain))


def _slots(domain: Element, cold: bool = False) -> list[tuple[int, int]]:
    slots: list[tuple[int, int]] = []
    has_acpi = domain.find("features/acpi") is not None
    arch, is_x86 = Platform.of(domain).arch, Platform.of(domain).is_x86
    for controller in pci_controllers(domain):
        if not cold and value_at(controller, "target@hotplug") == "off":
            continue
        bus, model = number_at(controller, "@index"), controller.get("model")
        if model in _ONE_SLOT:
            slots.append((bus, 0))
        elif model in _CONVENTIONAL and (has_acpi or cold or not is_x86):
            first = _CONVENTIONAL[model] if is_x86 or not arch else 1
            slots.extend((bus, slot) for slot in range(first, 32))
    return sorted(slots)


def bus_exists(domain: Element, bus: int) -> bool:
    """True when a PCI controller provides the bus of this number."""
    return any(controller.get("index") == str(bus) for controller in pci_controllers(domain))


def same_slot(one: PciAddress, other: PciAddress) -> bool:
    """True when two addresses share a slot, so that only one of the two devices can be attached on its own."""
    return (one.domain, one.bus, one.slot) == (other.domain, other.bus, other.slot)


def as_first_of_slot(device: Element) -> Element:
    """A copy of ``device`` that says that there are more devices in its slot (multifunction='on')."""
    copied = copy.deepcopy(device)
    child(copied, "address").set("multifunction", "on")
    return copied


def is_endpoint(device: Element) -> bool:
    """True for an element that libvirt makes a PCI device of its own on x86."""
    tag = device.tag
    if tag in ("disk", "input"):
        target = device if tag == "input" else device.find("target")
        return target is not None and target.get("bus", "virtio") == "virtio"
    if tag in ("controller", "hostdev"):
        return device.get("type") in (("scsi", "virtio-serial", "usb") if tag == "controller" else ("pci", "mdev"))
    if tag in ("watchdog", "rng", "vsock", "memory"):
        return device.get("model") in ("i6300esb", "virtio", "virtio-mem", "virtio-pmem", *_VIRTIO_VARIANTS)
    return tag in ("interface", "sound", "video", "memballoon", "filesystem", "shmem", "crypto", "pstore")
