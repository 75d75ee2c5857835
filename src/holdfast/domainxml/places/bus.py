"""Which bus a device sits on: the PCI, SCSI, SATA, USB … bus that a controller provides."""

from __future__ import annotations

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.document import Element
from holdfast.domainxml.sides import value_at

_DISK_CONTROLLERS = ("scsi", "ide", "sata", "fdc")

Bus = tuple[str, str]
"""A kind of bus and its number, as controllers and addresses name them: ("pci", "5"), ("usb", "0")."""


def bus_of(device: Element) -> Bus | None:
    """The bus that a device sits on; None for what sits on none that a controller provides."""
    address = device.find("address")
    kind = address.get("type") if address is not None else None
    if address is None or kind is None:
        return None
    if kind == "pci":
        place = pci_address(device)
        return ("pci", str(place.bus)) if place is not None else None
    if kind == "drive":
        bus = value_at(device, "target@bus")
        return (bus if bus in _DISK_CONTROLLERS else "scsi", address.get("controller", "0"))
    if kind in ("virtio-serial", "ccid"):
        return kind, address.get("controller", "0")
    return ("usb", address.get("bus", "0")) if kind == "usb" else None
