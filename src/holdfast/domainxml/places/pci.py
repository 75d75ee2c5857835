"""The PCI topology of a document: which buses exist, which places are taken, and where a device can still be attached.

A place is where one PCI device goes while the guest runs: slot 0 behind a free pcie-root-port (or switch downstream
port) of a PCI Express machine, or a free slot of a conventional bus. Rests on libvirt's "PCI topology and hotplug".
"""

from __future__ import annotations

from holdfast.domainxml.address import PciAddress, pci_address, read_pci
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.platform import Platform

_ONE_SLOT = {"pcie-root-port", "pcie-switch-downstream-port"}
_CONVENTIONAL = {"pci-root": 2, "pci-bridge": 1}
"""First slot that is free for devices: slot 0 is the host bridge or SHPC, slot 1 of pci-root the PIIX3 of i440fx."""
_VIRTIO_VARIANTS = ("virtio-transitional", "virtio-non-transitional")


def pci_controllers(domain: Element) -> list[Element]:
    """All ``<controller type='pci'>`` elements; the index of each is the number of the bus that it provides."""
    return domain.findall("devices/controller[@type='pci']")


def taken(domain: Element) -> set[PciAddress]:
    """Every PCI address that a device of the document has."""
    return {place for node in domain.iterfind("devices/*/address") if (place := read_pci(node)) is not None}


def hotplug_places(domain: Element) -> list[PciAddress]:
    """Where a PCI device can be attached while the guest runs, lowest first.

    pcie-root itself, expander buses and ports with ``hotplug='off'`` offer none, and neither do the conventional buses
    of an x86 guest without ACPI, which QEMU gives it new devices by.
    """
    occupied = {(address.bus, address.slot) for address in taken(domain)}
    return [PciAddress(0, bus, slot, 0) for bus, slot in _slots(domain) if (bus, slot) not in occupied]


def cold_places(domain: Element) -> list[PciAddress]:
    """Where a PCI device can be at a cold start, lowest first: those of :func:`hotplug_places`, and where only a
    running guest could not be given one.
    """
    occupied = {(address.bus, address.slot) for address in taken(domain)}
    return [PciAddress(0, bus, slot, 0) for bus, slot in _slots(domain, cold=True) if (bus, slot) not in occupied]


def slot_count(domain: Element) -> int:
    """How many hot-plug places the document has in all, free or taken."""
    return len(_slots(domain))


def _slots(domain: Element, cold: bool = False) -> list[tuple[int, int]]:
    slots: list[tuple[int, int]] = []
    has_acpi = domain.find("features/acpi") is not None
    is_x86 = Platform.of(domain).is_x86
    for controller in pci_controllers(domain):
        if not cold and value_at(controller, "target@hotplug") == "off":
            continue
        bus, model = int(controller.get("index", "0")), controller.get("model")
        if model in _ONE_SLOT:
            slots.append((bus, 0))
        elif model in _CONVENTIONAL and (has_acpi or cold or not is_x86):
            slots.extend((bus, slot) for slot in range(_CONVENTIONAL[model], 32))
    return sorted(slots)


def guest_buses(domain: Element) -> dict[int, int]:
    """libvirt's number of each PCI bus → the number that the guest gives it; those that nobody can tell are left out.

    libvirt's is the index of a controller. Firmware counts depth first, bridge after bridge in the order of their
    addresses, and below an expander from its own number on (SeaBIOS and OVMF of QEMU 7.2; x86 only).
    """
    bridges: dict[int, list[tuple[PciAddress, Element]]] = {}
    for controller in pci_controllers(domain):
        if (address := pci_address(controller)) is not None:
            bridges.setdefault(address.bus, []).append((address, controller))
    numbers = {0: 0} if Platform.of(domain).is_x86 else {}

    def count(bus: int, last: int) -> int:
        for _, controller in sorted(bridges.get(bus, ()), key=lambda bridge: bridge[0]):
            index, target = int(controller.get("index", "0")), controller.find("target")
            if index in numbers or controller.get("model") == "pci-expander-bus":
                continue
            if controller.get("model") == "pcie-expander-bus" and target is not None:
                numbers[index] = int(target.get("busNr", "0"))
                count(index, numbers[index])
            else:
                numbers[index] = last + 1
                last = count(index, last + 1)
        return last

    if numbers:
        count(0, 0)
    return numbers


def bus_exists(domain: Element, bus: int) -> bool:
    """True when a PCI controller provides the bus of this number."""
    return any(controller.get("index") == str(bus) for controller in pci_controllers(domain))


def same_slot(one: PciAddress, other: PciAddress) -> bool:
    """True when two addresses share bus and slot, so that only one of them can be attached on its own."""
    return (one.domain, one.bus, one.slot) == (other.domain, other.bus, other.slot)


def is_endpoint(device: Element) -> bool:
    """True for a device element that becomes a PCI device of its own, by libvirt's rules for x86."""
    tag = device.tag
    if tag in ("disk", "input"):
        target = device if tag == "input" else device.find("target")
        return target is not None and target.get("bus", "virtio") == "virtio"
    if tag in ("controller", "hostdev"):
        return device.get("type") in (("scsi", "virtio-serial", "usb") if tag == "controller" else ("pci", "mdev"))
    if tag in ("watchdog", "rng", "vsock", "memory"):
        return device.get("model") in ("i6300esb", "virtio", "virtio-mem", "virtio-pmem", *_VIRTIO_VARIANTS)
    return tag in ("interface", "sound", "video", "memballoon", "filesystem", "shmem", "crypto", "pstore")
