"""Which device of a domain's own document is which in a document that a manager generated for the domain.

A generated document has no addresses, names its disks anew each time, and lacks the serials and aliases that the domain
got later. So devices are identified by other things here than between two documents from libvirt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from holdfast.domainxml.compare.match import Pair, pairs_by_kind
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.domainxml.elements.disk import source_of

_IDENTITY = {
    "disk": f"serial {DEVICES['disk'].identity.replace('serial ', '')}",
    "interface": "mac@address",
    "filesystem": "target@dir",
    "memory": "source/path uuid alias",
}
"""What identifies a device first: a manager knows a disk's volume by the serial, persistent memory by its path."""

_KIND = {"input": ("type", "bus"), "controller": ("type",)}
"""What tells devices apart that have no name at all in a generated document."""

_SIDES = {tag: replace(sides, identity=_IDENTITY.get(tag, sides.identity)) for tag, sides in DEVICES.items()}


def counterparts(domain: Element, generated: Element) -> Iterator[Pair]:
    """Every device of both documents that a guest can see, matched.

    ``before`` of each pair is in ``domain``, ``after`` in ``generated``.
    """
    found = (document.iterfind("devices/*") for document in (domain, generated))
    for pair, _ in pairs_by_kind(_SIDES, *found):
        yield from (Pair(pair.before, None), Pair(None, pair.after)) if _are_two(pair) else (pair,)


def _are_two(pair: Pair) -> bool:
    """True for two devices that merely have the same place, or the same name by now, in the two documents."""
    one, other = pair.before, pair.after
    if one is None or other is None:
        return False
    if one.tag == "disk" and _is_one_image(one, other):
        return False
    if one.tag == "disk" and not _has_same_name(one, other):
        return pair.other_name is not None or not _may_be_one_image(one, other)
    return pair.other_name is not None or any(one.get(key) != other.get(key) for key in _KIND.get(str(one.tag), ()))


def _has_same_name(disk: Element, other: Element) -> bool:
    return any((name := value_at(disk, path)) and name == value_at(other, path) for path in ("serial", "alias@name"))


def _is_one_image(disk: Element, other: Element) -> bool:
    """True when both disks have the same file or the same image on the network.

    That proves more than a serial, which a disk keeps when it is moved to another volume. A block device proves
    nothing: after a boot of the host its name may be another one's.
    """
    is_lasting = {disk.get("type"), other.get("type")} <= {"file", "network"}
    return is_lasting and (source := source_of(disk)) is not None and source == source_of(other)


def _may_be_one_image(disk: Element, other: Element) -> bool:
    """True when one of the drives is empty, or both images have the same name, in whatever folder or pool."""
    names = [source.rpartition("/")[2] for source in map(source_of, (disk, other)) if source is not None]
    return len(names) < 2 or names[0] == names[1]
