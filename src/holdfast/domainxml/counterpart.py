"""Which device of a document that a manager generated is which of a domain's own.

The two have no author in common: such a document has no addresses, names its disks anew each time, and knows nothing of
the serials and aliases that the domain was given since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements import DEVICES
from holdfast.domainxml.match import Pair, pairs
from holdfast.domainxml.sides import Sides

_IDENTITY = {
    "disk": f"serial {DEVICES['disk'].identity.replace('serial ', '')}",
    "interface": "mac@address",
    "filesystem": "target@dir",
    "memory": "source/path uuid alias",
}
"""By the serial of a disk a manager knows its volume; by the path that is behind it, a module of persistent memory."""

_KIND = {"input": ("type", "bus"), "controller": ("type",)}
"""Where a generated document gives a device no name at all, what it is tells that it is another one."""

_SIDES = {tag: replace(sides, identity=_IDENTITY.get(tag, sides.identity)) for tag, sides in DEVICES.items()}


def counterparts(domain: Element, generated: Element) -> Iterator[Pair]:
    """Every device that a guest can see of both documents, ``before`` in ``domain`` and ``after`` in ``generated``.

    Two of which one is in the place or has the name of the other, but not its serial, are two devices.
    """
    mine, theirs = (_by_tag(document.iterfind("devices/*")) for document in (domain, generated))
    for tag in dict.fromkeys((*mine, *theirs)):
        sides = _SIDES.get(tag) or Sides(tag)
        seen = [[device for device in group.get(tag, ()) if sides.is_seen(device)] for group in (mine, theirs)]
        for pair in pairs(sides, *seen):
            yield from (Pair(pair.before, None), Pair(None, pair.after)) if _are_two(pair) else (pair,)


def _are_two(pair: Pair) -> bool:
    if pair.before is None or pair.after is None:
        return False
    kind = _KIND.get(str(pair.before.tag), ())
    return pair.other_name is not None or any(pair.before.get(name) != pair.after.get(name) for name in kind)


def _by_tag(devices: Iterable[Element]) -> dict[str, list[Element]]:
    groups: dict[str, list[Element]] = {}
    for device in devices:
        if isinstance(device.tag, str):
            groups.setdefault(device.tag, []).append(device)
    return groups
