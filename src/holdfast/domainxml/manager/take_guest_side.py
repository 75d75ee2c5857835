"""The guest side of a domain, taken from a document that came from elsewhere, into the one that is made here.

The opposite of :mod:`.take_host_side`, for a document that is input and not truth. Only what is declared as seen by the
guest is taken, and of that nothing that names a thing of a host, or decides how much of it the domain gets.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from holdfast.domainxml.device import USER_ALIAS
from holdfast.domainxml.document import NOTHING, Element, element, remove_children
from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.sides import Node, Rule, Side, Sides, children_by_tag

_TAKEN = {
    "domain": ("genid", "pm/"),
    "os": ("type@machine", "boot@", "bootmenu@", "bios@"),
    "cpu": ("@", "model", "vendor", "topology@", "feature@", "cache@", "maxphysaddr@"),
    "clock": ("",),
    "sysinfo": ("bios/", "system/", "baseBoard/", "chassis/", "oemStrings/"),
}
"""What is taken of a domain's sections: paths that begin so. Memory, vCPUs and NUMA cells are the manager's to give."""

_LEFT = {
    "features": ("capabilities",),
    "disk": ("@device", "@type", "@sgio", "driver@type", "driver@cache", "readonly", "target@dev"),
    "interface": ("@type", "mac", "rom@file", "mtu", "guest", "backend", "ip", "route"),
    "hostdev": ("@", "source", "readonly", "rom@file", "ip", "route"),
    "filesystem": ("@", "readonly", "space_", "idmap", "target", "driver@type"),
    "memory": (
        "@",
        "target/size",
        "target/requested",
        "target/block",
        "target/node",
        "target/label",
        "target/readonly",
    ),
    "input": ("source",),
    "tpm": ("backend@type", "backend/profile", "backend/device"),
    "video": ("model/acceleration",),
}
"""What is left of all that the guest sees: what reaches into the host (a file, a device, how an image is read)."""

_Taken = Callable[[str], bool]
"""True for a path that may be taken."""


def take_sections(domain: Element, coming: Element) -> None:
    """Let ``domain``, in place, have the machine type, CPU, features, clock and identity of ``coming``.

    Neither its sizes nor its firmware; a machine type must be of the same kind.
    """
    _take(domain, coming, DOMAIN.tree, _taken_of("domain"))
    for tag, sides in SECTIONS.items():
        mine, theirs = domain.find(tag), coming.find(tag)
        if mine is None and theirs is not None:
            mine = element(tag)
            domain.append(mine)
        if mine is not None:
            _take(mine, NOTHING if theirs is None else theirs, sides.tree, _taken_of(tag))
            if _is_empty(mine):
                domain.remove(mine)


def take_device(mine: Element, theirs: Element) -> None:
    """Let the device ``mine``, in place, be to the guest what ``theirs`` is: its place, model, serial and the like."""
    tag = str(mine.tag)
    _take(mine, theirs, (DEVICES.get(tag) or Sides(tag)).tree, _taken_of(tag))
    name = theirs.find("alias")
    if name is not None and (name.get("name") or "").startswith(USER_ALIAS):
        remove_children(mine, "alias")
        mine.append(element("alias", {"name": name.get("name") or ""}))


def guest_side_of(device: Element) -> Element:
    """A device of which the document made here has none: what the guest sees of ``device``, and nothing else."""
    new = element(str(device.tag))
    take_device(new, device)
    return new


def taken_paths() -> Iterator[str]:
    """Every path that is taken: "disk serial", "cpu feature@policy"."""
    for tag, sides in (("domain", DOMAIN), *SECTIONS.items(), *DEVICES.items()):
        yield from (f"{tag} {path}" for path in _paths(sides.tree, _taken_of(tag), ""))


def _paths(node: Node, taken: _Taken, path: str) -> Iterator[str]:
    yield from (
        f"{path}@{name}" for name, rule in node.attributes.items() if _is_seen(rule) and taken(f"{path}@{name}")
    )
    if _is_seen(node.text) and taken(path):
        yield path
    for tag, below in node.children.items():
        where = f"{path}/{tag}" if path else tag
        if below.subtree is None:
            yield from _paths(below, taken, where)
        elif below.subtree in (Side.GUEST, Side.PLACE) and taken(where):
            yield f"{where}/**"


def _taken_of(tag: str) -> _Taken:
    taken, left = _TAKEN.get(tag, ("",)), _LEFT.get(tag, ())
    return lambda path: path.startswith(taken) and not any(_is_within(path, each) for each in left)


def _is_within(path: str, left: str) -> bool:
    """True for a path that is ``left``, or that begins with it: "@" are all attributes of the element itself."""
    rest = path.removeprefix(left)
    return path.startswith(left) and (rest[:1] in ("", "@", "/") or left[-1] in "@_")


def _take(mine: Element, theirs: Element, node: Node, taken: _Taken, path: str = "") -> None:
    sized = False
    for name, rule in node.attributes.items():
        if _is_seen(rule) and taken(f"{path}@{name}") and not _look_alike(rule, mine.get(name), theirs.get(name)):
            _set(mine, name, theirs.get(name))
            sized = sized or rule.is_size
    if _is_seen(node.text) and taken(path):
        mine.text = theirs.text
        sized = sized or node.has_unit
    if sized and node.has_unit:
        _set(mine, "unit", theirs.get("unit"))
    my_children, their_children = children_by_tag(mine), children_by_tag(theirs)
    for tag, below in node.children.items():
        where = f"{path}/{tag}" if path else tag
        one, other = my_children.get(tag, []), their_children.get(tag, [])
        if (one or other) and not below.is_host:
            _take_each(mine, one, other, below, taken, where)


def _take_each(
    parent: Element, mine: list[Element], theirs: list[Element], node: Node, taken: _Taken, path: str
) -> None:
    """As :func:`_take`, for the children of one kind: those of ``theirs``, and of ``mine`` what is not the guest's."""
    if node.subtree is not None:
        if node.subtree in (Side.GUEST, Side.PLACE) and taken(path):
            for each in mine:
                parent.remove(each)
            parent.extend(copy.deepcopy(each) for each in theirs)
        return
    is_named = taken(f"{path}@{node.key}") if node.key else _is_seen(node.text) and taken(path)
    unmatched = dict(zip(node.keys_of(theirs), theirs, strict=True))
    for key, each in zip(node.keys_of(mine), mine, strict=True):
        other = unmatched.pop(key, None)
        was_empty = _is_empty(each, node.key)
        _take(each, NOTHING if other is None else other, node, taken, path)
        if other is None and (is_named or not was_empty) and _is_empty(each, node.key):
            parent.remove(each)
    for key, each in unmatched.items():
        new = element(str(each.tag), {node.key: key} if node.key else {})
        _take(new, each, node, taken, path)
        if is_named or not _is_empty(new, node.key):
            parent.append(new)


def _is_seen(rule: Rule | None) -> bool:
    return rule is not None and rule.side in (Side.GUEST, Side.PLACE)


def _look_alike(rule: Rule, one: str | None, other: str | None) -> bool:
    return all(value is None or value in rule.same for value in (one, other))


def _set(node: Element, name: str, value: str | None) -> None:
    if value is None:
        node.attrib.pop(name, None)
    else:
        node.set(name, value)


def _is_empty(each: Element, key: str | None = None) -> bool:
    return not ({*each.attrib} - {key}) and not len(each) and not (each.text or "").strip()
