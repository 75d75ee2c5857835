"""Which bus a device sits on, of those that a controller provides: PCI, SCSI, SATA, IDE, USB …"""

from __future__ import annotations

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.document import Element, value_at

_DISK_BUSES = ("scsi", "ide", "sata", "fdc")

Bus = tuple[str, str]
"""The type of the controller that provides a bus, and its index: ("pci", "5"), ("usb", "0")."""


def bus_of(device: Element) -> Bus | None:
    """The bus that the address of ``device`` is on; None without an address, and for an address on no such bus.

    A virtio console has none after an attach to config (libvirt 9.0), and sits on the first virtio-serial controller.
    """
    address = device.find("address")
    if address is None and device.tag == "console" and value_at(device, "target@type") == "virtio":
        return "virtio-serial", "0"
    kind = None if address is None else address.get("type")
    if address is None or kind is None:
        return None
    if kind == "pci":
        place = pci_address(device)
        return None if place is None else ("pci", str(place.bus))
    if kind == "drive":
        bus = value_at(device, "target@bus")
        return bus if bus in _DISK_BUSES else "scsi", address.get("controller", "0")
    if kind in ("virtio-serial", "ccid"):
        return kind, address.get("controller", "0")
    return ("usb", address.get("bus", "0")) if kind == "usb" else None
