"""What came to a document together with an attached device, worked out from the document before and after."""

from __future__ import annotations

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.describe.summary import device_in_words
from holdfast.domainxml.device import describe, find_device, label
from holdfast.domainxml.document import Element, devices, same
from holdfast.domainxml.number import number_at
from holdfast.domainxml.places import pci


def added_controllers(before: Element | None, after: Element | None, request: Element) -> list[Element]:
    """The controllers that came to ``after`` with ``request``, in the order in which they can go: buses last."""
    if before is None or after is None:
        return []
    known = {label(controller) for controller in [request, *before.iterfind("devices/controller")]}
    added = [controller for controller in after.iterfind("devices/controller") if label(controller) not in known]
    return sorted(added, key=lambda controller: (controller.get("type") == "pci", -number_at(controller, "@index")))


def added_consoles(before: Element | None, after: Element | None, request: Element) -> list[Element]:
    """The console that came to ``after`` because ``request`` is its first serial port: both are one device.

    It goes with the serial port (libvirt 9.0).
    """
    if before is None or after is None or request.tag != "serial" or before.find("devices/console") is not None:
        return []
    return after.findall("devices/console")


def marked_as_first(before: Element | None, after: Element | None, brought: list[Element]) -> list[Element]:
    """The devices of ``after`` that say now that there are others in their slot, because one was ``brought`` there.

    libvirt (9.0) writes multifunction='on' into the first of a slot, whoever made that.
    """
    if before is None or after is None:
        return []
    slots = [place for controller in brought if (place := pci_address(controller)) is not None]
    return [
        device
        for device in devices(after)
        if (place := pci_address(device)) is not None
        and any(pci.same_slot(place, slot) for slot in slots)
        and (then := find_device(before, device)) is not None
        and same(pci.as_first_of_slot(then), device)
        and not same(then, device)
    ]


def side_effects_in_words(brought: list[Element], marked: list[Element]) -> tuple[str, ...]:
    """What came along, in words: the controllers that were ``brought``, and the devices that are ``marked`` for it."""
    return (*map(device_in_words, reversed(brought)), *(f"{describe(port)} as the first of several" for port in marked))
