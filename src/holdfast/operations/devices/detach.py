"""Detach a device from live and config, with the guest's answer.

libvirt can only ask the guest for a device. So the answer is listened for, both documents are read back, and a device
that the guest has not released is recorded in our metadata: the next start is without it, and repeating the detach
finishes it, whatever happened in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from holdfast.domainxml.compare.fitting import devices_fitting
from holdfast.domainxml.device import alias, describe, find_device, label, lookup, user_alias
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.mirror import copy_of
from holdfast.domainxml.fact import Attaching, Detaching, DiskRecord, Releasing
from holdfast.domainxml.make.attach_request import parse_device
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.places.controllers import controllers_bringing_back
from holdfast.domainxml.secret_parts import Shown, shown
from holdfast.errors import HoldfastError, NoConnection
from holdfast.errors import devices as errors
from holdfast.errors.disks import BEING_COPIED
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import Answer, Step, ask_of_steps
from holdfast.operations.devices.ask_guest import RELEASE_TIMEOUT, detach_and_wait
from holdfast.operations.devices.attach_record import settle_attach
from holdfast.operations.devices.unused_controllers import (
    RemovedControllers,
    forget_missing_controllers,
    remove_unused_controllers,
)
from holdfast.operations.disks.keep_record import forget_disk, left_in_making, refuse_while_moved, remove_half_made
from holdfast.operations.disks.own_images import image_exists
from holdfast.operations.documents import Documents, saved_memory_notes
from holdfast.operations.facts import forget_fact, record_fact
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing


@dataclass(frozen=True, kw_only=True)
class Detached(Result):
    """A detach.

    ``device``       the element that went, without secrets; "" where only what an earlier command had left of it did
    ``label``        what it was called
    ``definitions``  the documents that it went from
    ``removed``      the image that was being made when an attach was interrupted before any document had the disk;
                     None where there was none
    ``went``         the controllers that an attach had brought, and that went with it, in words
    """

    device: Shown | Literal[""]
    label: str
    definitions: tuple[Definition, ...]
    removed: str | None = None
    went: tuple[str, ...] = ()


def detach_device(
    connection: Connection,
    name: str,
    device: str,
    *,
    tag: str | None = None,
    config_only: bool = False,
    timeout: float = RELEASE_TIMEOUT,
    dry_run: bool = False,
) -> Detached:
    """Detach ``device`` from the domain ``name``, in live and config alike where it runs.

    ``device`` is a disk's target, a MAC address, an alias or a PCI address, of an element ``tag`` where that is given;
    or a device element as text, such as was attached or printed: it must fit one device only. ``config_only``
    takes it away at the next start. ``timeout`` is in seconds. The image of a disk stays; only one that was being made
    for it when the attach was interrupted goes. Controllers that an attach brought go with the last device on them.

    Raises IN_RESCUE, NO_DEVICE, FITS_SEVERAL, IN_LIVE_ONLY, WOULD_COME_BACK, and NOT_RELEASED when the guest does not
    release it in time or refuses to: config is without it then, and repeating the detach finishes.
    (virDomainDetachDeviceAlias for live, virDomainDetachDeviceFlags for config)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        before = domain.documents
        meant = None
        if device.lstrip().startswith("<"):
            meant, tag = _meant(device, before), None
            device = user_alias(meant) or label(meant)
        found = {
            definition: match
            for definition, document in before.present.items()
            if (match := lookup(document, device, tag) if meant is None else find_device(document, meant)) is not None
        }
        if config_only:
            found.pop(Definition.LIVE, None)
        making = None if found else _left_in_making(before, device, tag)
        if making is not None:
            removed = making.place if image_exists(connection, making) else None
            if not dry_run:
                remove_half_made(domain, making)
            return _detached(domain, None, making.target, dry_run=dry_run, removed=removed)
        left = _Left.of(before, device, tag, found)
        if not (found or left.is_something):
            raise _not_found(domain, before, device, tag, config_only)
        for definition, match in found.items():
            refuse_while_moved(domain, match, before.present.values())
            if (copy := copy_of(match)) is not None:
                raise BEING_COPIED(name=domain.name, target=label(match), place=copy)
            if holders := controllers_bringing_back(before.present[definition], match):
                raise errors.WOULD_COME_BACK(device=describe(match), holders=[*map(describe, holders)])
        answer = _ask(domain, found.get(Definition.CONFIG)) if dry_run else Answer()
        if dry_run:
            going = found.get(Definition.CONFIG)
            along = remove_unused_controllers(domain, before, going, None, config_only=config_only)
        else:
            along = _carry_out(domain, found, left, timeout, config_only=config_only)
        notes = (*saved_memory_notes(domain, before), *along.notes)
    gone = next(iter(found.values()), None)
    detached = _detached(domain, gone, device, dry_run=dry_run, definitions=tuple(found), notes=notes)
    return answer.noted_in(replace(detached, went=along.removed))


@dataclass(frozen=True)
class _Left:
    """What is recorded of a device by commands that were interrupted, or were overtaken.

    ``released``   that its guest was asked for it, and has released it since
    ``detaching``  that it was being detached, and controllers with it
    ``attaching``  that it was being attached
    ``disk``       what is recorded of a disk that no document has any more
    """

    released: Releasing | None
    detaching: Detaching | None
    attaching: Attaching | None
    disk: DiskRecord | None

    @classmethod
    def of(cls, before: Documents, device: str, tag: str | None, found: dict[Definition, Element]) -> _Left:
        """What is left of the ``device`` that was ``found`` in these documents, if anywhere."""
        documents, aliases = before.present.values(), {device, *map(alias, found.values())}
        begun = (each for document in documents for each in facts(document, Attaching))
        gone = (each for document in documents for each in facts(document, Detaching))
        disks = (each for document in documents if not found for each in facts(document, DiskRecord))
        return cls(
            _released(before, device, tag),
            next(
                (each for each in gone if device.lower() in (each.label, each.alias) and tag in (None, each.device)),
                None,
            ),
            next((each for each in begun if each.alias in aliases and tag in (None, each.device)), None),
            next((each for each in disks if device in (each.target, each.alias) and tag in (None, "disk")), None),
        )

    @property
    def is_something(self) -> bool:
        """False where nothing is left."""
        return any((self.released, self.detaching, self.attaching, self.disk))

    def settle(self, domain: OpenDomain) -> None:
        """Forget all that is no longer so, and know which controllers came with it (virDomainSetMetadata)."""
        settle_attach(domain, self.attaching)
        if self.released is not None:
            forget_fact(domain, self.released)
            if self.released.device == "disk":
                forget_disk(domain, self.released.as_device(), [Definition.LIVE])
        if self.disk is not None:
            forget_fact(domain, self.disk)


def _carry_out(
    domain: OpenDomain, found: dict[Definition, Element], left: _Left, timeout: float, *, config_only: bool
) -> RemovedControllers:
    """Detach the device that was ``found``, and what goes with it; where that takes several steps, this is recorded."""
    left.settle(domain)
    before, device, entry = domain.documents, found.get(Definition.CONFIG), left.detaching
    if device is not None and remove_unused_controllers(domain, before, device, None, config_only=config_only).removed:
        entry = Detaching(str(device.tag), label(device), alias(device) or "")
        record_fact(domain, entry, Definition.CONFIG)
    try:
        if found:
            detach_and_wait(domain, found, timeout)
        release = partial(detach_and_wait, domain, timeout=timeout)
        along = remove_unused_controllers(domain, before, device, release, config_only=config_only)
    except NoConnection:
        raise
    except HoldfastError:
        _forget_detaching(domain, entry)
        raise
    _forget_detaching(domain, entry)
    if left.detaching is not None:
        forget_missing_controllers(domain)
    return along


def _forget_detaching(domain: OpenDomain, entry: Detaching | None) -> None:
    if entry is not None:
        forget_fact(domain, entry, Definition.CONFIG)


def _ask(domain: OpenDomain, device: Element | None) -> Answer:
    """Whether libvirt would take ``device`` out of config. Raises LibvirtRefused."""
    config = domain.documents.config
    if config is None or device is None:
        return Answer()
    return ask_of_steps(domain.connection, Step("have", config), Step("detach", device))


def _detached(
    domain: OpenDomain,
    gone: Element | None,
    asked: str,
    *,
    dry_run: bool,
    definitions: tuple[Definition, ...] = (),
    notes: tuple[str, ...] = (),
    removed: str | None = None,
) -> Detached:
    return Detached(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        notes=notes,
        device="" if gone is None else shown(gone),
        label=asked if gone is None else label(gone),
        definitions=definitions,
        removed=removed,
    )


def _meant(text: str, before: Documents) -> Element:
    """The one device that the element ``text`` fits; that element where it fits none. Raises FITS_SEVERAL."""
    wanted = parse_device(text)
    fits: list[Element] = []
    for document in before.present.values():
        known = [find_device(document, each) for each in fits]
        fits += [device for device in devices_fitting(document, wanted) if device not in known]
    if len(fits) > 1:
        raise errors.FITS_SEVERAL(names=[*map(describe, fits)])
    return fits[0] if fits else wanted


def _released(before: Documents, device: str, tag: str | None) -> Releasing | None:
    """The record of a detach that the guest did not answer, when the device is gone from live by now."""
    if before.config is None:
        return None
    for entry in facts(before.config, Releasing):
        matches = device.lower() in (entry.label, entry.alias) and tag in (None, entry.device)
        if matches and (before.live is None or lookup(before.live, entry.alias, entry.device) is None):
            return entry
    return None


def _left_in_making(before: Documents, device: str, tag: str | None) -> DiskRecord | None:
    """The record of an image that was being made for the disk ``device``, when its attach was interrupted."""
    records = [record for document in before.present.values() for record in left_in_making(document)]
    return next(
        (record for record in records if device in (record.target, record.alias) and tag in (None, "disk")), None
    )


def _not_found(domain: OpenDomain, before: Documents, device: str, tag: str | None, config_only: bool) -> HoldfastError:
    documents = [document for definition, document in before.present.items() if definition is Definition.CONFIG]
    if config_only and before.live is not None and lookup(before.live, device, tag) is not None:
        return errors.IN_LIVE_ONLY(device=device, name=domain.name)
    names = sorted({label(item) for document in documents for item in document.iterfind(f"devices/{tag or '*'}")})
    condition = errors.NO_DEVICE_OF_KIND if tag and names else errors.NO_DEVICE
    return condition(name=domain.name, kind=tag or "device", device=device, names=names)
