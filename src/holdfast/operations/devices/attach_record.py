"""What is recorded about an attach: before its first step how things stand, in the end what came of it.

So an attach that was interrupted is finished by repeating it: the device is found again though nothing named it, and
the controllers that came for it are known, whatever was done of it. Where one step is all, nothing is recorded before.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

from holdfast.domainxml import metadata
from holdfast.domainxml.address import PciAddress, describe_address, pci_address
from holdfast.domainxml.device import alias, label, user_alias
from holdfast.domainxml.document import Element, devices, element, value_at
from holdfast.domainxml.fact import AddedController, Attaching, DiskRecord
from holdfast.domainxml.make.attach_request import names_one_device
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.places import pci
from holdfast.domainxml.places.controllers import may_add_controllers
from holdfast.domainxml.records.disk_record import recorded_disk, usual_record
from holdfast.domainxml.secret_parts import fingerprint
from holdfast.operations.devices.attach_plan import PlannedAttach
from holdfast.operations.documents import Documents
from holdfast.operations.facts import rewrite
from holdfast.operations.session import OpenDomain


def begun_attach(documents: Documents, device: Element) -> Attaching | None:
    """The record of an attach of ``device`` that is not finished: of what was asked for with just these words, or of
    the device with this alias.
    """
    asked, name = fingerprint(device), user_alias(device)
    for document in documents.present.values():
        for entry in facts(document, Attaching):
            if entry.asked == asked or entry.alias == name:
                return entry
    return None


def with_alias_of(device: Element, entry: Attaching | None) -> Element:
    """``device`` as it was asked for, with the alias that the attach has chosen which ``entry`` records."""
    if entry is None or user_alias(device) is not None:
        return device
    named = copy.deepcopy(device)
    named.append(element("alias", {"name": entry.alias}))
    return named


def begin_attach(
    domain: OpenDomain, planned: PlannedAttach, device: Element, new: DiskRecord | None = None
) -> Attaching | None:
    """Record that the attach of ``device`` begins, as it is ``planned``; None where it is one step.

    ``new`` is what is to be recorded of its disk. (virDomainSetMetadata)
    """
    definition, document = list(domain.documents.present.items())[-1]
    known = begun_attach(domain.documents, device)
    brings = planned.controllers or (len(planned.targets) == 1 and may_add_controllers(document, planned.request))
    is_cut = len(planned.targets) > 1 and not names_one_device(device)
    records = new is not None and (metadata.ours_in(document) is not None or new != usual_record(planned.request))
    if known is None and not (brings or is_cut or records):
        return None
    entry = Attaching(
        device=str(planned.request.tag),
        alias=alias(planned.request) or "",
        asked=fingerprint(device),
        controllers=", ".join(map(label, document.iterfind("devices/controller"))),
        first=", ".join(label(each) for each in devices(document) if _is_marked(each)),
    )
    if known is not None:
        entry = replace(entry, asked=known.asked, controllers=known.controllers, first=known.first)

    def begun(ours: str | None) -> str | None:
        return metadata.with_fact(ours if known in (None, entry) else metadata.without_fact(ours, known), entry)

    rewrite(domain, begun, definition)
    return entry


def settle_attach(
    domain: OpenDomain,
    entry: Attaching | None,
    new: DiskRecord | None = None,
    *,
    is_stated: bool = False,
    is_over: bool = True,
) -> None:
    """Record in each document the controllers that were added for an attach, and ``new``, the record of its disk.

    Where the attach ``is_over``, the fact that it began is removed. The record of a disk is written only if Holdfast
    keeps facts about the domain, or ``is_stated``: the user said something about the disk.
    (virDomainSetMetadata)
    """
    present = domain.documents.present
    all_added = [] if entry is None else list(_added(list(present.values())[-1], entry))
    for definition, document in present.items():
        labels = set(map(label, document.iterfind("devices/controller")))
        added = [each for each in all_added if each.controller in labels]
        is_there = new is not None and recorded_disk(document, new) is not None

        def settled(
            ours: str | None, is_there: bool = is_there, added: Sequence[AddedController] = added
        ) -> str | None:
            ours = ours if entry is None or not is_over else metadata.without_fact(ours, entry)
            is_kept = ours is not None or is_stated
            for each in added:
                ours = metadata.with_fact(ours, each)
            return ours if new is None or not (is_there and is_kept) else metadata.with_fact(ours, new)

        rewrite(domain, settled, definition)


def _added(document: Element, entry: Attaching) -> Iterator[AddedController]:
    """The controllers of ``document`` that came since the attach began, and which device each made the first."""
    before, first = entry.controllers.split(", "), entry.first.split(", ")
    controllers = document.findall("devices/controller")
    came = [each for each in controllers if label(each) not in before and user_alias(each) != entry.alias]
    marked = [each for each in devices(document) if _is_marked(each) and each not in came and label(each) not in first]
    for controller in came:
        place = pci_address(controller)
        beside = [each for each in marked if place is not None and _is_in_slot(each, place)]
        yield AddedController(label(controller), describe_address(controller) or "", label(beside[0]) if beside else "")


def _is_in_slot(device: Element, place: PciAddress) -> bool:
    return (at := pci_address(device)) is not None and pci.same_slot(at, place)


def _is_marked(device: Element) -> bool:
    return value_at(device, "address@multifunction") == "on"
