"""What a new domain has that nobody asked for: what Holdfast gives it, and what libvirt adds."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare_as_written, compare_documents, device_pairs, place
from holdfast.domainxml.describe.summary import device_in_words
from holdfast.domainxml.device import short_name
from holdfast.domainxml.document import Element
from holdfast.domainxml.make.seal import makes_concrete
from holdfast.errors import LibvirtRefused
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.asked_of_libvirt import ask_libvirt

_RANDOM = "one chosen at random"


@dataclass(frozen=True)
class UnaskedParts:
    """What a new domain has besides what was asked for.

    ``changes``  what the guest sees differ from the document that was handed in: serials and ports that Holdfast adds,
                 and what libvirt does not accept as written
    ``brought``  the devices that libvirt adds, with their places
    """

    changes: tuple[Change, ...] = ()
    brought: tuple[str, ...] = ()

    def without(self, random: Container[str | None]) -> UnaskedParts:
        """The same without ``random`` values, which will be different when it is really done."""
        changes = (replace(each, after=_RANDOM) if each.after in random else each for each in self.changes)
        return replace(self, changes=tuple(changes))


def unasked_parts(connection: Connection, asked: Element, given: Element | None, made: Element) -> UnaskedParts:
    """What libvirt's document ``made`` has beyond what was asked for; ``asked`` is what Holdfast gave to libvirt.

    ``given`` is the document that was handed in, completed with identifiers; None where a specification was. If libvirt
    cannot be asked what it would make of ``given`` alone, all new devices count as added by libvirt.
    """
    differs = _seen(asked if given is None else given, made)
    ours: list[Change] = []
    if given is not None:
        completed = _completed(connection, given)
        ours = [*_from_nowhere(given, made), *([] if completed is None else _seen(completed, made))]
        ours += [change for change in differs if change not in ours and _is_other(change, completed is None)]
    written = visible(compare_as_written(asked if given is None else given, made))
    added = [change for change in written if change.kind is ChangeKind.ADDED and change not in ours]
    return UnaskedParts(tuple(ours), tuple(_added_in_words(added, asked if given is None else given, made)))


def _added_in_words(added: list[Change], before: Element, made: Element) -> Iterator[str]:
    """The devices of ``made`` that are ``added`` to ``before``."""
    if not added:
        return
    devices: dict[tuple[str, str | None], deque[Element]] = {}
    for pair, sides in device_pairs(before, made):
        if pair.before is None and pair.after is not None:
            devices.setdefault((short_name(pair.after), place(pair.after, sides)), deque()).append(pair.after)
    for change in added:
        found = devices.get((change.what, change.after))
        yield device_in_words(found.popleft()) if found else change.what


def _seen(before: Element, after: Element) -> list[Change]:
    """What the guest sees differ, except what is made concrete: it would have had that, or a later choice."""
    return [change for change in visible(compare_documents(before, after)) if not makes_concrete(change)]


def _from_nowhere(given: Element, made: Element) -> Iterator[Change]:
    """The devices for which ``given`` states the place 0000:00:00, by which libvirt means any."""
    for pair, sides in device_pairs(given, made):
        if pair.before is None or pair.after is None or pair.before.find("address[@type='pci'][@slot]") is None:
            continue
        if describe_address(pair.before) is None and (found := place(pair.after, sides)):
            where = f"devices/{sides.tag}/address"
            yield Change(ChangeKind.MOVED, short_name(pair.before), where, "pci 0000:00:00.0", found)


def _completed(connection: Connection, given: Element) -> Element | None:
    """What libvirt alone would make of ``given``; None where it cannot be asked, or would not take it."""
    try:
        return ask_libvirt(connection, given).document
    except LibvirtRefused:
        return None


def _is_other(change: Change, is_ours: bool) -> bool:
    """True where ``change`` alters what the document stated; with ``is_ours`` also where we added something."""
    if change.kind is ChangeKind.MOVED:
        return change.before is not None
    return change.kind is ChangeKind.CHANGED and (is_ours or change.before is not None)
