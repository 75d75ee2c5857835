"""Controllers: which one a device sits behind, and which one a document lacks for it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from itertools import chain, count

from holdfast.domainxml.address import address_of
from holdfast.domainxml.document import Element, devices, element, value_at
from holdfast.domainxml.elements.disk import number_of_target
from holdfast.domainxml.number import as_number, number_at
from holdfast.domainxml.places import pci
from holdfast.domainxml.places.bus import Bus, bus_of

_NAMED_BY_ADDRESS = ("drive", "virtio-serial")
"""The kinds of address that name a controller; those on PCI and USB name a bus."""

_FILLED = ("scsi", "sata", "ide", "fdc")
"""The controllers of disks: libvirt has all numbers up to the highest that a disk needs (9.0)."""

_WITHOUT_CONTROLLER = ("lease", "panic", "tpm")

MOST_CONTROLLERS = 4
"""So many come for one device: a target for which there would be more is a slip."""

_SCSI_UNITS = 7
"""libvirt (9.0) puts no more devices on a SCSI controller by itself, whatever its model has room for."""


def controller_of(domain: Element, device: Element) -> Element | None:
    """The SCSI, SATA, IDE, floppy or virtio-serial controller that the address of ``device`` names; None without."""
    named = _named_controller(device)
    controllers = domain.iterfind("devices/controller")
    return next((each for each in controllers if (each.get("type"), each.get("index")) == named), None)


def controllers_bringing_back(domain: Element, controller: Element) -> list[Element]:
    """The controllers with disks and higher numbers: because of them libvirt would add ``controller`` again."""
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


def missing_controllers(device: Element, documents: Iterable[Element]) -> list[Element]:
    """The SCSI controllers that ``device`` needs and that none of ``documents`` has, lowest first.

    They are of the model of the last one there is, or virtio-scsi. libvirt 9.0 would bring lsilogic ones, on a chain
    of bridges on q35, which a running guest cannot get; and every one up to the one that it puts the device on.
    """
    documents = list(documents)
    there: dict[int, str] = {}
    for controller in chain.from_iterable(each.iterfind("devices/controller[@type='scsi']") for each in documents):
        there[number_at(controller, "@index")] = controller.get("model", "")
    model = (there[max(there)] if there else "") or "virtio-scsi"
    lacking = (index for index in range(_scsi_controllers(device, documents)) if index not in there)
    return [element("controller", {"type": "scsi", "index": str(index), "model": model}) for index in lacking]


def _scsi_controllers(device: Element, documents: list[Element]) -> int:
    """How many SCSI controllers there must be for ``device``; 0 where it needs none."""
    is_disk = device.tag == "disk" and value_at(device, "target@bus") == "scsi"
    if not is_disk and not (device.tag == "hostdev" and device.get("type") == "scsi"):
        return 0
    address = address_of(device)
    if address is not None:
        return number_at(address, "@controller") + 1
    if is_disk:
        return scsi_controller_of(value_at(device, "target@dev") or "") + 1
    taken = Counter(bus for document in documents[-1:] for each in devices(document) if (bus := bus_of(each)))
    return next(index for index in count() if taken["scsi", str(index)] < _SCSI_UNITS) + 1


def scsi_controller_of(target: str) -> int:
    """The number of the SCSI controller on which libvirt (9.0) puts a disk of this target: sdh is the first on 1."""
    return number_of_target(target) // _SCSI_UNITS


def count_missing_controllers(device: Element, domain: Element) -> tuple[str, int]:
    """The kind and the number of the controllers that ``domain`` lacks for the address that ``device`` names.

    libvirt (9.0) adds every one up to the one that the address names, not that one alone.
    """
    kind, named = (address_of(device) is not None and bus_of(device)) or ("", "")
    last = as_number(named)
    if last is None:
        return kind, 0
    of_kind = (each for each in domain.iterfind("devices/controller") if each.get("type") == kind)
    return kind, last + 1 - len({index for each in of_kind if (index := number_at(each, "@index")) <= last})


def may_add_controllers(domain: Element, device: Element) -> bool:
    """False where ``domain`` is known to have all controllers for ``device``, so that libvirt adds none for it."""
    if address_of(device) is not None:
        return count_missing_controllers(device, domain)[1] > 0
    if device.tag in _WITHOUT_CONTROLLER:
        return False
    model = value_at(device, "model@type") or device.get("model") or ""
    is_virtio = device.tag == "disk" or model.startswith("virtio")  # others may want a bridge to conventional PCI
    return not (is_virtio and pci.is_endpoint(device) and pci.hotplug_places(domain))


def with_indexes(domain: Element) -> Element:
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
