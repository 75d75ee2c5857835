"""Detach a device from live and config, with the guest's answer.

libvirt can only ask the guest for a device. So the answer is listened for, both documents are read back, and a device
that the guest has not released is recorded in our metadata: the next start is without it, and repeating the detach
finishes it, whatever happened in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from holdfast.domainxml.device import alias, describe, label, lookup, matching, user_alias
from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.make.attach_request import parse_device
from holdfast.domainxml.metadata import DiskRecord, Releasing, facts
from holdfast.domainxml.places.controllers import holding
from holdfast.domainxml.secret_parts import Shown, shown
from holdfast.errors import DetachPending, HoldfastError, LibvirtRefused
from holdfast.errors import devices as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.devices.go_along import forget_brought, let_go_along
from holdfast.operations.disks.keep_record import forget_disk, left_in_making, refuse_while_moved, remove_left
from holdfast.operations.documents import Documents, saved_memory
from holdfast.operations.facts import forget, record
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing

RELEASE_TIMEOUT = 20.0
"""Seconds to wait for the guest unless told otherwise; a busy Linux guest answers in well under one."""


@dataclass(frozen=True, kw_only=True)
class Detached(Result):
    """A detach.

    ``device``       the element that went, without secrets; "" where only what an earlier command had left of it did
    ``label``        what it was called
    ``definitions``  the documents that it went from
    ``removed``      the image that was being made when an attach broke off before any document had the disk
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
    or a device element as text, such as was attached: it must fit one device only (else Refused, 3). ``config_only``
    takes it away at the next start. ``timeout`` is in seconds. The image of a disk stays; only one that was being made
    for it when the attach broke off goes. Controllers that an attach brought go with the last device on them.

    Raises IN_RESCUE, NO_DEVICE, FITS_SEVERAL, IN_LIVE_ONLY, WOULD_COME_BACK, and NOT_RELEASED when the guest does not
    release it in time or refuses to: config is without it then, and repeating the detach finishes.
    (virDomainDetachDeviceAlias for live, virDomainDetachDeviceFlags for config)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        before = domain.documents
        if device.lstrip().startswith("<"):
            device, tag = _name_of(device, before), None
        found = {
            definition: match
            for definition, document in before.present.items()
            if (match := lookup(document, device, tag)) is not None
        }
        if config_only:
            found.pop(Definition.LIVE, None)
        released = _released(before, device, tag)
        left = None if found else _left(before, device, tag)
        if left is not None:
            if not dry_run:
                remove_left(domain, left)
            return _detached(domain, None, left.target, dry_run=dry_run, removed=left.place)
        if not found and released is None:
            raise _not_found(domain, before, device, tag, config_only)
        for definition, match in found.items():
            refuse_while_moved(domain, match, before.present.values())
            if holders := holding(before.present[definition], match):
                raise errors.WOULD_COME_BACK(device=describe(match), holders=[*map(describe, holders)])
        if not dry_run and released is not None:
            forget(domain, released)
            if released.device == "disk":
                forget_disk(domain, released.as_device(), [Definition.LIVE])
        if not dry_run and found:
            _detach(domain, found, timeout)
        release = None if dry_run else partial(_detach, domain, timeout=timeout)
        along = let_go_along(domain, before, found.get(Definition.CONFIG), release, config_only=config_only)
        notes = (*saved_memory(domain, before), *along.notes)
    gone = next(iter(found.values()), None)
    detached = _detached(domain, gone, device, dry_run=dry_run, definitions=tuple(found), notes=notes)
    return replace(detached, went=along.went)


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


def _name_of(text: str, before: Documents) -> str:
    """The alias or label of the one device that the element ``text`` fits; the label in ``text`` where it fits none."""
    wanted = parse_device(text)
    names: dict[str, None] = {}
    for document in before.present.values():
        for device in matching(document, wanted):
            names[user_alias(device) or label(device)] = None
    if len(names) > 1:
        raise errors.FITS_SEVERAL(names=list(names))
    return next(iter(names), user_alias(wanted) or label(wanted))


def _released(before: Documents, device: str, tag: str | None) -> Releasing | None:
    """The record of a detach that the guest did not answer, when the device is gone from live by now."""
    if before.config is None:
        return None
    for entry in facts(before.config, Releasing):
        matches = device.lower() in (entry.label, entry.alias) and tag in (None, entry.device)
        if matches and (before.live is None or lookup(before.live, entry.alias, entry.device) is None):
            return entry
    return None


def _left(before: Documents, device: str, tag: str | None) -> DiskRecord | None:
    """The record of an image that was being made for the disk ``device``, when its attach broke off."""
    left = [record for document in before.present.values() for record in left_in_making(document)]
    return next((record for record in left if device in (record.target, record.alias) and tag in (None, "disk")), None)


def _not_found(domain: OpenDomain, before: Documents, device: str, tag: str | None, config_only: bool) -> HoldfastError:
    documents = [document for definition, document in before.present.items() if definition is Definition.CONFIG]
    if config_only and before.live is not None and lookup(before.live, device, tag) is not None:
        return errors.IN_LIVE_ONLY(device=device, name=domain.name)
    names = sorted({label(item) for document in documents for item in document.iterfind(f"devices/{tag or '*'}")})
    condition = errors.NO_DEVICE_OF_KIND if tag and names else errors.NO_DEVICE
    return condition(name=domain.name, kind=tag or "device", device=device, names=names)


def _detach(domain: OpenDomain, found: dict[Definition, Element], timeout: float) -> None:
    """Ask the guest, take the device out of config, and wait for the answer.

    Live comes first: where libvirt refuses it, nothing has changed. Config follows at once, because the wish is the
    user's and does not depend on the guest. The record comes before the wait, which anything may interrupt.
    """
    live, config = found.get(Definition.LIVE), found.get(Definition.CONFIG)
    if live is None:
        if config is not None:
            _detach_from_config(domain, config)
        return
    entry = Releasing(str(live.tag), label(live), alias(live) or "")
    with domain.device_removal(entry.alias) as removal:
        try:
            domain.ask_release(entry.alias)
        except LibvirtRefused as error:
            # The guest may have answered an earlier request in this very moment, or not yet.
            if not isinstance(error, DetachPending) and not _is_gone(domain, live):
                raise
        if config is not None:
            _detach_from_config(domain, config)
        if not _is_gone(domain, live):
            record(domain, entry)
            removal.wait(timeout)
    if _is_gone(domain, live):
        forget(domain, entry)
        _forget_records(domain, live, Definition.LIVE)
        return
    answer = "refused to release" if removal.outcome == "refused" else "has not released"
    if not domain.is_persistent():
        raise errors.NOT_RELEASED_TRANSIENT(answer=answer, device=describe(live))
    condition = errors.NOT_RELEASED_PAUSED if domain.state() == "paused" else errors.NOT_RELEASED
    raise condition(answer=answer, device=describe(live))


def _detach_from_config(domain: OpenDomain, device: Element) -> None:
    """With its record, if it has one; that in live stays until live is without the disk, too."""
    domain.detach(serialize(device), Definition.CONFIG)
    _forget_records(domain, device, Definition.CONFIG)


def _forget_records(domain: OpenDomain, device: Element, definition: Definition) -> None:
    forget_disk(domain, device, [definition])
    forget_brought(domain, device, definition)


def _is_gone(domain: OpenDomain, device: Element) -> bool:
    """True when live no longer has ``device``: the event may have come before anyone waited for it."""
    return domain.look_again().find_live(device) is None
