"""Controllers: which one a device sits behind, and which one a document lacks for it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import count

from holdfast.domainxml.address import address_of
from holdfast.domainxml.document import Element, devices, element, value_at
from holdfast.domainxml.number import as_number, number_at
from holdfast.domainxml.places.bus import Bus, bus_of

_NAMED_BY_ADDRESS = ("drive", "virtio-serial")
"""The kinds of address that name a controller; those on PCI and USB name a bus."""

_FILLED = ("scsi", "sata", "ide", "fdc")
"""The controllers of disks: libvirt has all numbers up to the highest that a disk needs (9.0)."""


def controller_of(domain: Element, device: Element) -> Element | None:
    """The SCSI, SATA, IDE, floppy or virtio-serial controller that the address of ``device`` names; None without."""
    named = _named_controller(device)
    controllers = domain.iterfind("devices/controller")
    return next((each for each in controllers if (each.get("type"), each.get("index")) == named), None)


def holding(domain: Element, controller: Element) -> list[Element]:
    """The controllers of higher numbers for whose disks libvirt would fill the gap that ``controller`` would leave."""
    kind, number = controller.get("type"), number_at(controller, "@index")
    if controller.tag != "controller" or kind not in _FILLED:
        return []
    others = domain.iterfind(f"devices/controller[@type='{kind}']")
    return [each for each in others if number_at(each, "@index") > number and devices_behind(domain, each)]


def devices_behind(domain: Element, controller: Element) -> list[Element]:
    """The devices of ``domain`` that sit behind ``controller``."""
    bus = (controller.get("type"), controller.get("index"))
    return [device for device in devices(domain) if bus_of(device) == bus]


def has_controller(domain: Element, device: Element) -> bool:
    """False when the address of ``device`` names such a controller and ``domain`` lacks it."""
    return _named_controller(device) is None or controller_of(domain, device) is not None


def missing_controller(device: Element, documents: Iterable[Element]) -> Element | None:
    """The virtio-scsi controller that a SCSI disk needs where no document has any SCSI controller; None otherwise.

    Without it libvirt 9.0 would bring an lsilogic one on a chain of bridges, which a running guest cannot get.
    """
    if device.tag != "disk" or value_at(device, "target@bus") != "scsi":
        return None
    if any(document.find("devices/controller[@type='scsi']") is not None for document in documents):
        return None
    return element("controller", {"type": "scsi", "model": "virtio-scsi"})


def lacking_controllers(device: Element, domain: Element) -> tuple[str, int]:
    """The kind and the number of the controllers that ``domain`` lacks for the address that ``device`` names.

    libvirt (9.0) adds every one up to the one that the address names, not that one alone.
    """
    kind, named = (address_of(device) is not None and bus_of(device)) or ("", "")
    last = as_number(named)
    if last is None:
        return kind, 0
    of_kind = (each for each in domain.iterfind("devices/controller") if each.get("type") == kind)
    return kind, last + 1 - len({index for each in of_kind if (index := number_at(each, "@index")) <= last})


def numbered(domain: Element) -> Element:
    """A copy of ``domain`` in which every controller has an index: the first that is free, as libvirt gives them."""
    copied = copy.deepcopy(domain)
    for controller in copied.iterfind("devices/controller"):
        if controller.get("index") is None:
            controller.set("index", free_controller_index(controller.get("type", ""), [copied]))
    return copied


def free_controller_index(kind: str, documents: Iterable[Element]) -> str:
    """The lowest index that no controller of the type ``kind`` has in any of ``documents``."""
    taken = {
        controller.get("index")
        for document in documents
        for controller in document.iterfind("devices/controller")
        if controller.get("type") == kind
    }
    return next(index for index in map(str, count()) if index not in taken)


def _named_controller(device: Element) -> Bus | None:
    address = address_of(device)
    return bus_of(device) if address is not None and address.get("type") in _NAMED_BY_ADDRESS else None
