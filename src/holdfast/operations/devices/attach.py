"""Attach any device so that live and config end with it at the same address.

libvirt gives addresses to its two documents independently of each other. So the device is attached to config first,
the address that libvirt chose there is read back, and live is asked for exactly that one. Only where that place does
not exist or is taken in live do we choose: the lowest place free in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from holdfast.domainxml.address import address_of, describe_address, pci_address, same_place, with_address
from holdfast.domainxml.describe.summary import device_in_words
from holdfast.domainxml.device import describe, find_device, label, short_name
from holdfast.domainxml.document import Element, devices, parse, same, serialize
from holdfast.domainxml.elements.disk import shortened_serials
from holdfast.domainxml.fact import Attaching, DiskRecord
from holdfast.domainxml.make.attach_request import parse_device, with_identifiers, without_random_identifiers
from holdfast.domainxml.places import pci
from holdfast.domainxml.places.controllers import devices_behind, has_controller
from holdfast.domainxml.secret_parts import Shown, shown
from holdfast.errors import HoldfastError
from holdfast.errors import devices as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import Answer, Step, ask_of_steps
from holdfast.operations.devices.ask_guest import RELEASE_TIMEOUT, detach_and_wait
from holdfast.operations.devices.attach_plan import PlannedAttach, free_places, plan_attach, refuse_without_place
from holdfast.operations.devices.attach_record import begin_attach, begun_attach, settle_attach, with_alias_of
from holdfast.operations.devices.attach_side_effects import (
    added_consoles,
    added_controllers,
    marked_as_first,
    side_effects_in_words,
)
from holdfast.operations.devices.slot_marks import take_marks_back
from holdfast.operations.devices.unused_controllers import remove_unused_controllers
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.disks.keep_record import disk_record, usual_record
from holdfast.operations.disks.known_files import record_below
from holdfast.operations.documents import Documents, saved_memory_notes
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing


@dataclass(frozen=True, kw_only=True)
class Attached(Result):
    """An attach.

    ``device``       the element as libvirt describes it now, without secrets; in a dry run as it would be, but for what
                     is random (alias, MAC address, serial), and where libvirt was not asked, for what it adds
    ``label``        what the device is called: "vdb", a MAC address, an alias; else its kind
    ``address``      its place in words; None where it has none, or libvirt is yet to choose it
    ``definitions``  the documents that have it
    ``brought``      what came to config with it, in words: controllers, and that a port is the first of several now;
                     where libvirt was not asked in a dry run, without what libvirt chooses
    """

    device: Shown
    label: str
    address: str | None
    definitions: tuple[Definition, ...]
    brought: tuple[str, ...] = ()


def attach_device(
    connection: Connection,
    name: str,
    device: str,
    *,
    config_only: bool = False,
    trust_format: bool = False,
    dry_run: bool = False,
) -> Attached:
    """Attach the element ``device`` to the domain ``name``, in live and config alike where it runs.

    What is missing in the element and would be made up twice is given once: alias, MAC address, disk target, serial.
    ``config_only`` waits for the next start. ``trust_format`` takes an image's stated format against its header.
    Repeating an attach that was interrupted with the same ``device`` finishes it, with the controllers that had come
    for it.

    Raises IN_RESCUE, TAKEN when a target, MAC, alias or address is, FAR_ADDRESS, FAR_TARGET, NO_FREE_PLACE, NO_NETWORK,
    WOULD_NOT_START where this host cannot start a domain with such a device, what :func:`check_source` does for an
    image, LIVE_REFUSES, and LibvirtRefused; config is then as it was.
    (virDomainAttachDeviceFlags)
    """
    request = parse_device(device)
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        return attach_element(domain, request, config_only=config_only, trust_format=trust_format, dry_run=dry_run)


def attach_element(
    domain: OpenDomain,
    device: Element,
    *,
    config_only: bool = False,
    trust_format: bool = False,
    dry_run: bool = False,
    described: Callable[[Element], DiskRecord] = usual_record,
) -> Attached:
    """:func:`attach_device` under the lock that the caller holds. ``described`` is what is recorded of a disk."""
    domain.conceal(device)
    entry = begun_attach(domain.documents, device)
    device = with_alias_of(device, entry)
    there = None if entry is None else _in_all(domain.documents, device, domain.targets(config_only))
    if there is not None:
        if not dry_run:
            _settle(domain, entry, there, _record_of(domain, there, described, is_there=True), trust_format)
        return already_attached(domain, there, dry_run=dry_run)
    planned = plan_attach(domain, device, config_only=config_only, trust_format=trust_format)
    if dry_run:
        return expected_attach(domain, planned)
    new = _record_of(domain, planned.request, described, is_there=planned.resumes)
    entry = begin_attach(domain, planned, device, new)
    attached = carry_out_attach(domain, planned, entry)
    _settle(domain, entry, planned.request, new, trust_format)
    return attached


def _in_all(documents: Documents, device: Element, targets: tuple[Definition, ...]) -> Element | None:
    """``device`` as the last of the documents ``targets`` has it; None where one of them does not."""
    found = [documents.find(definition, device) for definition in targets]
    return None if None in found else found[-1]


def _record_of(
    domain: OpenDomain, device: Element, described: Callable[[Element], DiskRecord], *, is_there: bool
) -> DiskRecord | None:
    """What is to be recorded of a disk: what is recorded where config has it already, else as ``described``."""
    config = domain.documents.config
    known = disk_record(config, device) if is_there and device.tag == "disk" and config is not None else None
    return known or (described(device) if device.tag == "disk" else None)


def _settle(
    domain: OpenDomain, entry: Attaching | None, device: Element, new: DiskRecord | None, trust_format: bool
) -> None:
    if trust_format and device.tag == "disk":
        record_below(domain, [device])
    settle_attach(domain, entry, new, is_stated=new is not None and new != usual_record(device))


def expected_attach(domain: OpenDomain, planned: PlannedAttach) -> Attached:
    """What :func:`carry_out_attach` will return. Raises what it would raise, as far as libvirt can be asked."""
    answer, request = _ask(domain, planned, planned.request), planned.request
    if answer.document is not None and not _is_possible(domain.documents, planned, answer, request):
        request = _elsewhere(domain.documents, request)
        answer = _ask(domain, planned, request)
    promised = _attached(domain, *_promised(planned, answer, request))
    return answer.noted_in(replace(promised, dry_run=True, notes=_notes(domain, domain.documents, planned)))


def _ask(domain: OpenDomain, planned: PlannedAttach, request: Element) -> Answer:
    config = domain.documents.config
    if config is None or Definition.CONFIG not in planned.targets:
        return Answer()
    attached = (Step("attach", device) for device in (*map(with_identifiers, planned.controllers), request))
    return ask_of_steps(domain.connection, Step("have", config), *attached)


def _is_possible(before: Documents, planned: PlannedAttach, answer: Answer, request: Element) -> bool:
    """True when live, where it is to have the device too, has the place that libvirt has given to it in config."""
    if Definition.LIVE not in planned.targets or planned.controllers or planned.waiting:
        return True
    config, after = answer.documents
    return _placed(config, after, request, before.live) is not None


def _promised(
    planned: PlannedAttach, answer: Answer, request: Element
) -> tuple[Element, tuple[Definition, ...], tuple[str, ...]]:
    """The device as it would be, the documents that would have it, and what would come along, in words."""
    if answer.document is None:
        return planned.promised, planned.targets, planned.brings
    words: list[str] = []
    for before, after, step in zip(
        answer.documents, answer.documents[1:], (*planned.controllers, request), strict=False
    ):
        if step is not request and (controller := find_device(after, step)) is not None:
            words.append(device_in_words(controller))
        brought = added_controllers(before, after, step)
        words += side_effects_in_words(
            [*added_consoles(before, after, step), *brought], marked_as_first(before, after, brought)
        )
    after = answer.documents[-1]
    device = find_device(after, request)
    if device is None:
        raise errors.GONE_FROM_CONFIG(device=describe(request))
    return without_random_identifiers(device, planned.promised), planned.targets, tuple(words)


def carry_out_attach(domain: OpenDomain, planned: PlannedAttach, entry: Attaching | None) -> Attached:
    """Attach a device as planned; ``entry``, which records that this begins, is left to be settled.

    Raises what :func:`attach_device` does of what libvirt and QEMU refuse; both documents are then as they were.
    (virDomainAttachDeviceFlags)
    """
    before, came, words = domain.documents, list[Element](), list[str]()
    try:
        for controller in planned.waiting:
            _attach_one(domain, controller, planned.targets)
            came.append(controller)
        for controller in map(with_identifiers, planned.controllers):
            attached = _attach_one(domain, controller, planned.targets)
            came.append(controller)
            words += [device_in_words(parse(attached.device)), *attached.brought]
        attached = _attach_one(domain, planned.request, planned.targets)
    except HoldfastError as error:
        try:
            settle_attach(domain, entry, is_over=False)  # so that what came with a controller goes with it
            if came:
                _take_back(domain, before, came, error)
        finally:
            settle_attach(domain, entry)
        raise
    return replace(attached, brought=(*words, *attached.brought), notes=_notes(domain, before, planned))


def already_attached(domain: OpenDomain, device: Element, *, dry_run: bool) -> Attached:
    """What is said about a device that an interrupted attach has already added to all documents."""
    definitions = tuple(each for each in domain.documents.present if domain.documents.find(each, device) is not None)
    notes = ("an interrupted command had attached it already; this is now recorded",)
    return replace(_attached(domain, device, definitions), dry_run=dry_run, notes=notes)


def _attach_one(domain: OpenDomain, device: Element, targets: tuple[Definition, ...]) -> Attached:
    """Attach ``device`` to those of the documents ``targets`` that do not have it."""
    lacking = tuple(each for each in targets if domain.documents.find(each, device) is None)
    return _attach(domain, domain.documents, device, lacking)


def _take_back(domain: OpenDomain, before: Documents, came: list[Element], error: HoldfastError) -> None:
    """Detach the controllers that ``came`` for a device that did not come, and prove that all is as ``before``.

    Raises CONTROLLER_STAYS where the guest does not release one.
    """
    release = partial(detach_and_wait, domain, timeout=0 if domain.state() == "paused" else RELEASE_TIMEOUT)
    for controller in reversed(came):
        now = domain.documents
        lacked = [each for each in now.present if before.find(each, controller) is None]
        found = {each: there for each in lacked if (there := now.find(each, controller)) is not None}
        if any(devices_behind(now.present[each], there) for each, there in found.items()):
            return  # the device came, and something else went wrong
        try:
            release(found)
            if Definition.CONFIG in found:
                remove_unused_controllers(domain, now, found[Definition.CONFIG], release, config_only=False)
        except HoldfastError as stays:
            find_live, find_config = domain.documents.find_live, domain.documents.find_config
            left = [short_name(each) for each in came if find_live(each) is not None or find_config(each) is not None]
            raise errors.CONTROLLER_STAYS(
                name=domain.name, controllers=left, last=label(controller), why=stays.message, cause=error
            ) from error
    after = domain.documents
    changes = {change for definition in before.present for change in after.changed_since(before, definition)}
    if changes:
        raise errors.NOT_TAKEN_BACK(device=describe(came[0]), changes=sorted(changes)) from error


def _notes(domain: OpenDomain, before: Documents, planned: PlannedAttach) -> tuple[str, ...]:
    disks = [planned.request] if planned.request.tag == "disk" else []
    return (*saved_memory_notes(domain, before), *folder_risks(domain.connection, disks), *shortened_serials(disks))


def _attach(domain: OpenDomain, before: Documents, request: Element, targets: tuple[Definition, ...]) -> Attached:
    if len(targets) == 1:
        domain.attach(serialize(request), targets[0])
        return _confirm(domain, before, request)
    placed = _attach_to_config(domain, before, request)
    try:
        domain.attach(serialize(placed), Definition.LIVE)
    except HoldfastError as error:
        _undo_config(domain, before, placed)
        raise errors.LIVE_REFUSES(device=describe(placed), cause=error) from error
    return _confirm(domain, before, placed)


def _attach_to_config(domain: OpenDomain, before: Documents, request: Element) -> Element:
    """Attach to config at a place that live has too; return the request with that address."""
    placed = _try_config(domain, before, request)
    if placed is None:
        placed = _try_config(domain, before, _elsewhere(before, request))
    if placed is None:
        raise errors.NO_SUCH_PLACE_IN_LIVE(device=describe(request))
    return placed


def _elsewhere(before: Documents, request: Element) -> Element:
    """``request`` with a place that both documents have, where live does not have the one that libvirt has chosen.

    Raises ADDRESS_NOT_IN_LIVE, NO_SUCH_PLACE_IN_LIVE, NO_FREE_PLACE.
    """
    if address_of(request) is not None:
        raise errors.ADDRESS_NOT_IN_LIVE(device=describe(request))
    if not pci.is_endpoint(request):
        raise errors.NO_SUCH_PLACE_IN_LIVE(device=describe(request))
    refuse_without_place(before)
    return with_address(request, free_places(before)[0].to_element())


def _try_config(domain: OpenDomain, before: Documents, request: Element) -> Element | None:
    """Attach to config, return the request with the address found there; None, undone, where live has no such place."""
    domain.attach(serialize(request), Definition.CONFIG)
    after = domain.documents.config
    if after is None:
        raise errors.GONE_FROM_CONFIG(device=describe(request))
    placed = _placed(before.config, after, request, before.live)
    if placed is None:
        _undo_config(domain, before, request)
    return placed


def _placed(before: Element | None, after: Element, request: Element, live: Element | None) -> Element | None:
    """``request`` with the address that it has in config ``after``; None where ``live`` has no such place."""
    device = find_device(after, request)
    if device is None:
        raise errors.GONE_FROM_CONFIG(device=describe(request))
    if added_controllers(before, after, request) or not _fits(device, live):
        return None
    address = address_of(device)
    return request if address is None else with_address(request, address)


def _fits(device: Element, live: Element | None) -> bool:
    """True when the address of ``device`` exists and is free in ``live``."""
    address, place = address_of(device), pci_address(device)
    if live is None or address is None:
        return True
    if place is not None:
        return pci.bus_exists(live, place.bus) and not any(
            pci.same_slot(place, other) for other in pci.taken_places(live)
        )
    if not has_controller(live, device):
        return False
    return not any(same(address, other) for other in map(address_of, devices(live)) if other is not None)


def _undo_config(domain: OpenDomain, before: Documents, request: Element) -> None:
    """Take ``request`` and what it brought out of config again, and prove that config is as it was."""
    now = domain.documents
    device, brought = now.find_config(request), added_controllers(before.config, now.config, request)
    marked = marked_as_first(before.config, now.config, brought)
    for extra in ([] if device is None else [device]) + brought:
        domain.detach(serialize(extra), Definition.CONFIG)
    if marked:
        take_marks_back(domain, marked)
    changed = domain.documents.changed_since(before, Definition.CONFIG)
    if changed:
        raise errors.NOT_TAKEN_BACK(device=describe(request), changes=changed)


def _confirm(domain: OpenDomain, before: Documents, request: Element) -> Attached:
    """Read both documents again: the device stands at one address in all, and nothing else has changed."""
    after = domain.documents
    found = {
        definition: device for definition in after.present if (device := after.find(definition, request)) is not None
    }
    if not found:
        raise errors.GONE_AGAIN(device=describe(request))
    addresses = [address for device in found.values() if (address := address_of(device)) is not None]
    if not all(same_place(addresses[0], other) for other in addresses[1:]):
        places = [f"{describe_address(device)} in {definition}" for definition, device in found.items()]
        raise errors.TWO_ADDRESSES(device=describe(request), places=places)
    brought = added_controllers(before.config, after.config, request)
    marked = marked_as_first(before.config, after.config, brought)
    brought = [*added_consoles(before.config, after.config, request), *brought]
    for definition in found:
        expected = {describe(device) for device in [found[definition], *brought, *marked]}
        others = [change for change in after.changed_since(before, definition) if change not in expected]
        if others:
            raise errors.CHANGED_ELSEWHERE(device=describe(request), definition=definition, changes=others)
    device = found.get(Definition.CONFIG, found.get(Definition.LIVE, request))
    return _attached(domain, device, tuple(found), side_effects_in_words(brought, marked))


def _attached(
    domain: OpenDomain, device: Element, definitions: tuple[Definition, ...], brought: tuple[str, ...] = ()
) -> Attached:
    return Attached(
        name=domain.name,
        uuid=domain.uuid,
        device=shown(device),
        label=label(device),
        address=describe_address(device),
        definitions=definitions,
        brought=brought,
    )
