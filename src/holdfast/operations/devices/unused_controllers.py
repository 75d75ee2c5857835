"""Removing the controllers that libvirt added for an attach, once the last device behind them is detached."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.domainxml.address import describe_address, pci_address
from holdfast.domainxml.describe.summary import device_in_words
from holdfast.domainxml.device import find_device, identity, label
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.fact import AddedController
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.number import number_at
from holdfast.domainxml.places import pci
from holdfast.domainxml.places.controllers import devices_behind
from holdfast.errors import HoldfastError, PartlyDone
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.devices.slot_marks import take_marks_back
from holdfast.operations.documents import Documents
from holdfast.operations.facts import forget_fact
from holdfast.operations.session import OpenDomain

_RELEASABLE = ("scsi",)
"""The types of controllers that a running guest can release (libvirt 9.0): all others stay until it is off."""

Release = Callable[[dict[Definition, Element]], None]
"""Detaches one device from these documents, and waits for the guest."""


@dataclass(frozen=True)
class RemovedControllers:
    """Which controllers were removed, or would be, in words; and in ``notes`` which stay, and why."""

    removed: tuple[str, ...]
    notes: tuple[str, ...]


def remove_unused_controllers(
    domain: OpenDomain, before: Documents, device: Element | None, release: Release | None, *, config_only: bool
) -> RemovedControllers:
    """Detach the controllers of ``domain`` that were added for an attach, and that are unused once ``device`` is gone.

    ``before`` are the documents before the detach, ``device`` is what it takes out of their config: None where an
    earlier detach did. ``release`` detaches one controller; with None nothing is done, and the result says what would
    be. A controller that live has, too, is removed only if a running guest can release it, so that live and config
    agree. One that the guest does not release is a note and no error: the device that was asked for is gone.
    """
    removed, notes = [], []
    still_there = device if release is None else None
    for controller in [] if before.config is None else _unused_without(before.config, device):
        live = None if config_only else domain.documents.live
        running = None if live is None else find_device(live, controller)
        if live is not None and running is not None and not _can_be_released(live, running, still_there):
            notes.append(f"the controller {label(controller)}, which came with it, stays while the guest runs")
            break
        found = {Definition.LIVE: running, Definition.CONFIG: controller}
        try:
            if release is not None:
                release({definition: each for definition, each in found.items() if each is not None})
        except PartlyDone as error:
            notes.append(error.message)
        removed.append(device_in_words(controller))
        notes += [] if release is None or running is not None else _take_mark_back(domain, before.config, controller)
    return RemovedControllers(tuple(removed), tuple(notes))


def _unused_without(config: Element, device: Element | None) -> list[Element]:
    """The controllers that only ``device`` uses, in the order in which they can go; with None, all that are unused."""
    after = copy.deepcopy(config)
    unused_before = set() if device is None else {label(each) for each in _unused(config)}
    _remove(after, device)
    found: list[Element] = []
    while freed := [each for each in _unused(after) if label(each) not in unused_before]:
        found += [copy.deepcopy(each) for each in freed]
        for controller in freed:
            _remove(after, controller)
    return found


def forget_added_controller(domain: OpenDomain, device: Element, definition: Definition) -> None:
    """Remove the fact that ``device`` was added for an attach, if it is such a controller (virDomainSetMetadata)."""
    document = domain.documents.get(definition) if device.tag == "controller" else None
    for fact in () if document is None else facts(document, AddedController):
        if fact.controller == label(device):
            forget_fact(domain, fact, definition)


def forget_missing_controllers(domain: OpenDomain) -> None:
    """Remove the facts about controllers that config no longer has, as an interrupted detach leaves them."""
    config = domain.documents.config
    there = set() if config is None else set(map(label, config.iterfind("devices/controller")))
    for fact in [] if config is None else facts(config, AddedController):
        if fact.controller not in there:
            forget_fact(domain, fact, Definition.CONFIG)


def _take_mark_back(domain: OpenDomain, before: Element | None, controller: Element) -> list[str]:
    """Remove the mark that a device got when ``controller`` was added to its slot; or say why it stays."""
    config, fact = domain.documents.config, None if before is None else _fact_of(before, controller)
    place = pci_address(controller)
    if config is None or fact is None or not fact.marked or place is None:
        return []
    left = [each for each in devices(config) if (at := pci_address(each)) is not None and pci.same_slot(at, place)]
    if [label(each) for each in left] != [fact.marked]:
        return []
    try:
        take_marks_back(domain, left)
    except HoldfastError as error:
        return [f"{fact.marked} is still marked as the first of several in its slot: {error.message}"]
    return []


def _can_be_released(live: Element, controller: Element, going: Element | None) -> bool:
    """True where a running guest can release ``controller``: nothing in ``live`` is behind it but what is ``going``."""
    staying = [each for each in devices_behind(live, controller) if going is None or identity(each) != identity(going)]
    return controller.get("type") in _RELEASABLE and not staying


def _unused(document: Element) -> list[Element]:
    """The controllers that were added for an attach, and that no device is behind.

    Of each type only the last: libvirt fills a gap between their numbers, with a model of its own choice (9.0).
    """
    controllers = document.findall("devices/controller")
    numbers = [(each.get("type"), number_at(each, "@index")) for each in controllers]
    last = {kind: max(number for other, number in numbers if other == kind) for kind, _ in numbers}
    return [
        each
        for each, (kind, number) in zip(controllers, numbers, strict=True)
        if _fact_of(document, each) is not None and not devices_behind(document, each) and number == last[kind]
    ]


def _fact_of(document: Element, controller: Element) -> AddedController | None:
    """The fact in ``document`` that ``controller`` was added for an attach; None where there is none."""
    known = label(controller), describe_address(controller) or ""
    return next((each for each in facts(document, AddedController) if (each.controller, each.address) == known), None)


def _remove(document: Element, device: Element | None) -> None:
    found = None if device is None else find_device(document, device)
    parent = None if found is None else found.getparent()
    if found is not None and parent is not None:
        parent.remove(found)
