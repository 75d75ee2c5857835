"""What waits for the next cold start of a domain, worked out here for whatever shows, plans or refuses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from holdfast.domainxml.address import address_of, describe_address, same_place
from holdfast.domainxml.compare.apart import apart, passwords_apart
from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare_documents, device_pairs
from holdfast.domainxml.compare.match import Pair
from holdfast.domainxml.device import alias, find_device, label, short_name
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.graphics import WITH_PASSWORD
from holdfast.domainxml.elements.mirror import copy_of
from holdfast.domainxml.fact import Releasing
from holdfast.domainxml.make.rescue import without_rescue
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.records.disk_record import is_of, left_in_making
from holdfast.errors import Failed
from holdfast.errors.libvirt import DENIED
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.documents import Documents, read


def waiting(documents: Documents) -> list[Change]:
    """What the guest of ``documents.live`` will see differ after its next cold start; nothing while it is shut off.

    What only the rescue has is left out.
    """
    if documents.live is None or documents.config is None:
        return []
    changes = visible(compare_documents(documents.live, documents.config))
    return changes if documents.rescue is None else without_rescue(changes, documents.rescue)


def waiting_host_changes(documents: Documents) -> list[Change]:
    """What the host will do differently after the next cold start, unseen by the guest; nothing in a rescue."""
    live, config = documents.live, documents.config
    return [] if live is None or config is None or documents.rescue is not None else apart(live, config)


def waiting_password_changes(domain: Domain, documents: Documents) -> list[Change]:
    """Whether graphics of ``domain``, which has these documents, ask for another password after the next cold start.

    Nothing over a read-only connection, which gets no passwords. (virDomainGetXMLDesc, for those that can ask for one)
    """
    live = documents.live if documents.rescue is None and documents.config is not None else None
    if live is None or not any(each.get("type") in WITH_PASSWORD for each in live.iterfind("devices/graphics")):
        return []
    try:
        with_secrets = read(domain, secure=True)
    except Failed as error:
        if error.code != DENIED.code:
            raise
        return []
    now, then = with_secrets.live, with_secrets.config
    return [] if now is None or then is None else passwords_apart(now, then)


def disks_being_copied(documents: Documents) -> Iterator[str]:
    """The disks that QEMU is copying, in sentences; without those that config records as being moved."""
    live, config = documents.live, documents.config
    for disk in [] if live is None else live.iterfind("devices/disk"):
        place, known = copy_of(disk), [] if config is None else left_in_making(config)
        if place is not None and not any(is_of(record, disk) for record in known):
            yield f"the disk {label(disk)} is being copied to {place}, or was interrupted"


def waiting_since(before: Documents, after: Documents) -> tuple[str, ...]:
    """What waits ``after`` an operation and did not ``before`` it, in sentences."""
    waits = waiting(after)
    known = waiting(before) if waits else []
    return tuple(str(change) for change in waits if change not in known)


def unreleased(documents: Documents) -> list[Element]:
    """The devices of live that were detached, and that the guest has not released yet."""
    if documents.live is None:
        return []
    recorded = documents.live if documents.config is None else documents.config
    aliases = {entry.alias for entry in facts(recorded, Releasing)}
    return [device for device in devices(documents.live) if alias(device) in aliases] if aliases else []


def is_asked_for(documents: Documents) -> Callable[[Change], bool]:
    """A function: True for a waiting change that was asked for, of a device that the guest has not released yet."""
    names = {short_name(device) for device in unreleased(documents)}
    return lambda change: change.kind is ChangeKind.REMOVED and change.what in names


def device_notes(documents: Documents) -> dict[Element, str]:
    """What the next start, the guest or a copy still has to do with each device of live, and each that only config has.

    Devices that are the same in both documents are left out.
    """
    live, config = documents.live, documents.config
    if live is None or config is None:
        return {}
    notes: dict[Element, str] = {}
    leaving = unreleased(documents)
    for pair in _pairs(live, config):
        if pair.before is None or pair.other_name is not None:
            assert pair.after is not None  # a pair has at least one
            notes[pair.after] = "in config only: comes with the next start"
        if pair.before is not None and (note := _note(documents, pair.before, pair, leaving)):
            notes[pair.before] = note
    return notes


def _pairs(live: Element, config: Element) -> Iterator[Pair]:
    """Every device, paired with the same one in the other document, including kinds that no guest sees."""
    paired: set[Element] = set()
    for pair, _ in device_pairs(live, config):
        paired |= {device for device in (pair.before, pair.after) if device is not None}
        yield pair
    for device in devices(live):
        if device not in paired:
            yield Pair(device, find_device(config, device))
    for device in devices(config):
        if device not in paired and find_device(live, device) is None:
            yield Pair(None, device)


def _note(documents: Documents, device: Element, pair: Pair, leaving: list[Element]) -> str | None:
    """What will happen to ``device``, which is in live and is ``pair.before``."""
    if pair.after is None:
        if device in leaving:
            return "detached; the guest has not released it"
        of_rescue = documents.is_of_rescue(device)
        return "of the rescue: gone with it" if of_rescue else "in live only: gone at the next start"
    if pair.other_name is not None:
        return "another one at the next start"
    place, next_place = address_of(device), address_of(pair.after)
    if place is not None and next_place is not None and not same_place(place, next_place):
        return f"moves to {describe_address(pair.after)} at the next start"
    if device.tag == "disk" and source_of(device) != source_of(pair.after):
        return f"has {source_of(pair.after) or 'nothing'} at the next start"
    copy = copy_of(device)
    return None if copy is None else f"is being copied to {copy}"
