"""Which device of a document that a manager generated is which of a domain's own.

The two have no author in common: such a document has no addresses, names its disks anew each time, and knows nothing of
the serials and aliases that the domain was given since.
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
"""By the serial of a disk a manager knows its volume; by the path that is behind it, a module of persistent memory."""

_KIND = {"input": ("type", "bus"), "controller": ("type",)}
"""What tells two apart that have no name at all in a generated document."""

_SIDES = {tag: replace(sides, identity=_IDENTITY.get(tag, sides.identity)) for tag, sides in DEVICES.items()}


def counterparts(domain: Element, generated: Element) -> Iterator[Pair]:
    """Every device that a guest can see of both documents, ``before`` in ``domain`` and ``after`` in ``generated``."""
    found = (document.iterfind("devices/*") for document in (domain, generated))
    for pair, _ in pairs_by_kind(_SIDES, *found):
        yield from (Pair(pair.before, None), Pair(None, pair.after)) if _are_two(pair) else (pair,)


def _are_two(pair: Pair) -> bool:
    """True for what merely is in the same place, or has the same name now, in one document and the other."""
    one, other = pair.before, pair.after
    if one is None or other is None:
        return False
    if one.tag == "disk" and _is_one_image(one, other):
        return False
    if one.tag == "disk" and not _is_known(one, other):
        return pair.other_name is not None or not _may_be_one_image(one, other)
    return pair.other_name is not None or any(one.get(key) != other.get(key) for key in _KIND.get(str(one.tag), ()))


def _is_known(disk: Element, other: Element) -> bool:
    return any((name := value_at(disk, path)) and name == value_at(other, path) for path in ("serial", "alias@name"))


def _is_one_image(disk: Element, other: Element) -> bool:
    """True for one file or one image on the network: a disk that was moved to another volume keeps its old serial.

    A block device is no proof: after a boot its name may be another one's.
    """
    is_lasting = {disk.get("type"), other.get("type")} <= {"file", "network"}
    return is_lasting and (source := source_of(disk)) is not None and source == source_of(other)


def _may_be_one_image(disk: Element, other: Element) -> bool:
    """True when one drive is empty, or the images have one name, in whatever folder or pool."""
    names = [source.rpartition("/")[2] for source in map(source_of, (disk, other)) if source is not None]
    return len(names) < 2 or names[0] == names[1]
