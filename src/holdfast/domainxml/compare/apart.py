"""Differences between live and config that no guest sees: which image or network, limits, names.

Only such parts are compared as libvirt's own calls can change in one of the two documents, and as libvirt does not fill
in by itself when a domain starts (9.0).
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.compare.guest_view import compare_documents, device_pairs
from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, text_of, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.graphics import WITH_PASSWORD
from holdfast.domainxml.elements.interface import connected_to
from holdfast.domainxml.elements.memory import balloon_memory
from holdfast.domainxml.sides import all_values
from holdfast.text import HIDDEN, size_in_words

_OF_DOMAIN = ("title", "description", "cputune", "blkiotune", "memtune")
_MADE_UP = ("group_name", "_max_length")
"""Ends of the names of those parts of ``<iotune>`` that libvirt fills in in live by itself."""


def apart(live: Element, config: Element) -> list[Change]:
    """What the host will do differently for the domain from its next start on, without its guest seeing it."""
    return [*_of_domain(live, config), *_of_devices(live, config)]


def all_changes(before: Element, after: Element) -> list[Change]:
    """What differs between two documents of one domain: what its guest sees, and what it does not."""
    changes = compare_documents(before, after)
    known = {change.where for change in changes}
    return [*changes, *(change for change in apart(before, after) if change.where not in known)]


def passwords_apart(live: Element, config: Element) -> list[Change]:
    """Whether graphics will ask for another password from the next start on; the documents must have their secrets."""
    now, then = (
        [each.get("passwd") for each in document.iterfind("devices/graphics") if each.get("type") in WITH_PASSWORD]
        for document in (live, config)
    )
    for old, new in zip(now, then, strict=False):
        if old != new:
            hidden = (None if value is None else HIDDEN for value in (old, new))
            return [Change(ChangeKind.COSMETIC, "graphics", "devices/graphics@passwd", next(hidden), next(hidden))]
    return []


def _of_domain(live: Element, config: Element) -> Iterator[Change]:
    for tag in _OF_DOMAIN:
        yield from _differing(tag, tag, *(_values(each.find(tag)) for each in (live, config)))
    now, then = balloon_memory(live), balloon_memory(config)
    if now < then:  # a guest that has more than was asked for has not followed yet, or has no driver for it
        where = "currentMemory"
        yield Change(ChangeKind.COSMETIC, where, where, size_in_words(now), size_in_words(then))


def _of_devices(live: Element, config: Element) -> Iterator[Change]:
    for pair, sides in device_pairs(live, config):
        now, then = pair.before, pair.after
        if now is None or then is None or pair.other_name is not None:
            continue
        name, where = device_name(now), f"devices/{sides.tag}"
        if sides.tag == "disk":
            yield from _differing(name, where, {"/source": source_of(now)}, {"/source": source_of(then)})
            yield from _differing(name, f"{where}/iotune", *(_values(each.find("iotune")) for each in (now, then)))
        elif sides.tag == "interface" and not (now.get("type") == "hostdev" and then.get("type") == "network"):
            yield from _differing(name, where, {"/source": _network(now)}, {"/source": _network(then)})
            if then.get("type") != "network":  # which may have a bandwidth for all of its interfaces
                both = (_values(each.find("bandwidth")) for each in (now, then))
                yield from _differing(name, f"{where}/bandwidth", *both)


def _differing(name: str, where: str, live: dict[str, str | None], config: dict[str, str | None]) -> Iterator[Change]:
    for path in dict.fromkeys((*live, *config)):
        now, then = live.get(path), config.get(path)
        if now != then and not path.endswith(_MADE_UP):
            yield Change(ChangeKind.COSMETIC, name, f"{where}{path}", now, then)


def _values(part: Element | None) -> dict[str, str | None]:
    if part is None:
        return {}
    return {"": text_of(part)} if not len(part) else dict(all_values(part, ""))


def _network(interface: Element) -> str | None:
    """What an interface is connected to; one on a network is shown in live with what the network has given to it."""
    network = value_at(interface, "source@network")
    return connected_to(interface) if network is None else f"network {network}"
