"""The host side of a domain, taken from another document of the same domain, while all that its guest sees stays.

Which parts are host side is declared in each element's own file, and so is what looks the same to the guest whatever it
says: the kind of image behind a disk, the kind of cable behind an interface.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.document import NOTHING, Element, child, element, remove_children, same
from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.manager.nova_metadata import without_moment
from holdfast.domainxml.namespace import URI
from holdfast.domainxml.secret_parts import keep_secrets
from holdfast.domainxml.sides import Node, Rule, Side, all_values, children_by_tag

_STAYS = frozenset(
    {
        *("os", "launchSecurity", "vcpus"),  # files and keys that are the domain's own; what libvirt lists by itself
        *("name", "title", "description", "currentMemory", "alias"),
        *("@id", "@match", "@check", "model@fallback", "@adjustment", "target@tray"),
    }
)
"""What is never taken over. How a CPU is matched belongs to the model that the domain was given."""

_FILLED_IN = frozenset(
    {
        *("vcpu@placement", "driver@name", "driver@model", "mac@type", "@managed", "@tty", "target@port"),
        *("resource", "seclabel", "audio", "binary", "encryption@engine", "source/encryption@engine"),
    }
)
"""What libvirt (9.0, 11.3) fills in by itself: it stays where the other document says nothing of it."""

_OF_SOURCE = frozenset({"backingStore", "privateData", "protocol"})
"""What stays likewise, as long as the source stays the same."""


def take_host_side(domain: Element, template: Element) -> None:
    """Let ``domain``, in place, have the host side of ``template``, and its metadata but for Holdfast's own.

    The guest sees no difference. Devices that only one of the documents has stay as they are; but graphics, which are
    no devices of the guest, come and go.
    """
    _take(domain, template, DOMAIN.tree)
    for tag, sides in SECTIONS.items():
        mine, theirs = domain.find(tag), template.find(tag)
        if mine is not None and theirs is not None and tag not in _STAYS:
            _take(mine, theirs, sides.tree)
    for pair in counterparts(domain, template):
        if pair.before is not None and pair.after is not None and is_same_kind(pair.before, pair.after):
            _take_device(pair.before, pair.after)
    _take_graphics(domain, template)
    _take_metadata(domain, template)


def is_same_kind(device: Element, template: Element) -> bool:
    """True when both are the same hardware to the guest, whatever is behind them, such as another kind of cable."""
    sides = DEVICES.get(str(device.tag))
    kinds = device.get("type"), template.get("type")
    if sides is None or kinds[1] is None or kinds[0] == kinds[1]:
        return sides is not None
    rule = sides.tree.attributes.get("type")
    return rule is not None and _is_hidden(rule, kinds[0], kinds[1])


def _take_device(device: Element, template: Element) -> None:
    """Also what is behind the device, but for what the guest sees of that: which card, which part of the same image."""
    sides = DEVICES[str(device.tag)]
    moved = device.tag == "disk" and source_of(device) != source_of(template)
    seen, mine = sides.view(device).guest, copy.deepcopy(device)
    _take(device, template if moved else _with_secrets(device, template), sides.tree)
    if moved:
        child(device, "driver").set("type", stated_format(template))
    elif sides.view(device).guest != seen:
        old, new = children_by_tag(mine), children_by_tag(device)
        for tag, node in sides.tree.children.items():
            if node.is_host and node.is_divided:
                _replace(device, new.get(tag, []), old.get(tag, []))


def _take(mine: Element, theirs: Element, node: Node, path: str = "") -> None:
    """Let ``mine`` and all below it say what ``theirs`` says of all sides but the guest's; ``path`` is where it is."""
    kept = _FILLED_IN if path or _has_other_source(mine, theirs) else _FILLED_IN | _OF_SOURCE
    for name, rule in node.attributes.items():
        where, value = f"{path}@{name}", theirs.get(name)
        if where in _STAYS or (name == "unit" and node.has_unit):
            continue
        if value is not None and _is_hidden(rule, mine.get(name), value):
            mine.set(name, value)
        elif value is None and rule.side is Side.HOST and where not in kept:
            mine.attrib.pop(name, None)
    my_children, their_children = children_by_tag(mine), children_by_tag(theirs)
    for tag, below in node.children.items():
        where = f"{path}/{tag}" if path else tag
        one, other = my_children.get(tag, []), their_children.get(tag, [])
        if where in _STAYS or not (one or other):
            continue
        if below.is_host:
            if (other or where not in kept) and not _say_the_same(one, other, where):
                _replace(mine, one, other)
        elif below.subtree is None:
            _take_each(mine, one, other, below, where)


def _take_each(parent: Element, mine: list[Element], theirs: list[Element], node: Node, path: str) -> None:
    """As :func:`_take`, for the children of ``parent`` of one kind, which have something of both sides."""
    unmatched = dict(zip(node.keys_of(theirs), theirs, strict=True))
    for key, each in zip(node.keys_of(mine), mine, strict=True):
        said_nothing = _is_empty(each)
        _take(each, unmatched.pop(key, NOTHING), node, path)
        if node.text is None and not said_nothing and _is_empty(each):
            parent.remove(each)
    for each in unmatched.values() if node.text is None and node.key is None else ():
        new = element(str(each.tag))
        _take(new, each, node, path)
        if not _is_empty(new):
            parent.append(new)


def _is_hidden(rule: Rule, old: str | None, new: str) -> bool:
    """True when only the host can tell one value from the other."""
    if rule.side in (Side.HOST, Side.MANAGEMENT):
        return True
    return len(rule.same) > 1 and new in rule.same and (old is None or old in rule.same)


def _has_other_source(mine: Element, theirs: Element) -> bool:
    """True when something else is behind the device ``theirs`` than behind ``mine``."""
    kinds = [each.get("type") for each in (mine, theirs)]
    return kinds[0] != kinds[1] or not _say_the_same(_sources(mine), _sources(theirs), "source")


def _say_the_same(mine: Iterable[Element], theirs: Iterable[Element], path: str) -> bool:
    """True when both say the same in any order, apart from what libvirt filled in."""
    one, other = ([all_values(each, path) for each in elements] for elements in (mine, theirs))
    return len(one) == len(other) and all(
        {key: value for key, value in old.items() if key in new or not _is_filled_in(key, value)} == new
        for old, new in zip(one, other, strict=True)
    )


def _is_filled_in(path: str, value: str) -> bool:
    return path in _FILLED_IN or (path.endswith("@unit") and value == "KiB")


def _replace(parent: Element, old: list[Element], new: list[Element]) -> None:
    place = parent.index(old[0]) if old else len(parent)
    for each in old:
        parent.remove(each)
    for number, each in enumerate(new):
        parent.insert(place + number, copy.deepcopy(each))


def _sources(device: Element) -> list[Element]:
    return children_by_tag(device).get("source", [])


def _is_empty(each: Element) -> bool:
    return not each.attrib and not len(each) and not (each.text or "").strip()


def _take_graphics(domain: Element, template: Element) -> None:
    """Take over graphics, by their type. Without a video card none is added: libvirt (9.0) would add that, too."""
    mine, theirs = ({each.get("type"): each for each in doc.iterfind("devices/graphics")} for doc in (domain, template))
    parent = child(domain, "devices")
    for kind in mine.keys() - theirs.keys():
        parent.remove(mine[kind])
    for kind, each in theirs.items():
        if kind in mine:
            new = _with_secrets(mine[kind], each)
            if not _say_the_same([_plain(mine[kind])], [_plain(new)], ""):
                parent.replace(mine[kind], new)
        elif domain.find("devices/video") is not None:
            parent.append(copy.deepcopy(each))


def _with_secrets(mine: Element, theirs: Element) -> Element:
    """A copy of ``theirs``, with the secrets that somebody gave the domain and the other document says nothing of."""
    new = copy.deepcopy(theirs)
    keep_secrets(mine, new)
    return new


def _plain(graphics: Element) -> Element:
    """A copy without what states the address a second time, and what libvirt fills in for a port that it chooses."""
    plain = copy.deepcopy(graphics)
    listen = plain.find("listen[@type='address']")
    if listen is not None and plain.get("listen") in (None, listen.get("address")):
        plain.attrib.update({"listen": address} if (address := listen.get("address")) else {})
        plain.remove(listen)
    remove_children(plain, "audio")
    if plain.get("port") == "-1":
        del plain.attrib["port"]
    return plain


def _take_metadata(domain: Element, template: Element) -> None:
    for theirs in template.iterfind("metadata/*"):
        parent = child(domain, "metadata")
        namespace = _namespace(theirs)
        if namespace == f"{{{URI}":
            continue
        mine = [each for each in parent if isinstance(each.tag, str) and _namespace(each) == namespace]
        if len(mine) != 1 or not same(without_moment(mine[0]), without_moment(theirs)):
            _replace(parent, mine, [theirs])


def _namespace(each: Element) -> str:
    return str(each.tag).partition("}")[0]
