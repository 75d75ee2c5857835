"""The language in which each element's own file declares what of it belongs to whom: :class:`Sides`.

*guest*: what the system inside sees, or might. *host*: how this host provides it. *management*: what only people and
tools read. A declaration is a list of paths below its element, as libvirt's schema has them::

    serial                    the child <serial>, its text or its mere presence
    target@bus,tray           two attributes of the child <target>
    @device=disk              an attribute of the element itself; not given means the same as "disk"
    driver@cache=none|unsafe  not given, "none" and "unsafe" all look the same from where this side stands
    feature[name]@policy      <feature> is repeated, and told apart by its attribute "name"
    cell@memory,unit          sizes in a unit: those listed beside it, and the text (but in an <address> it is a number)
    source/**                 <source> and all below it

What is not declared is unknown, and unknown counts as guest. No other module may decide what a guest sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from holdfast.domainxml.device import USER_ALIAS
from holdfast.domainxml.document import Element, local_name, text_of, value_at
from holdfast.domainxml.units import unit_size
from holdfast.text import size_in_words

_TOKEN = re.compile(r"^(?P<path>[^@=]*)(?:@(?P<attributes>[^=]+))?(?:=(?P<same>.+))?$")


class Side(StrEnum):
    """To whom a part of a document belongs. ``PLACE`` is guest side too, but told as one: where a device sits."""

    GUEST = "guest"
    HOST = "host"
    MANAGEMENT = "management"
    PLACE = "place"


@dataclass(frozen=True)
class Rule:
    """The side of one attribute or text, the values that mean the same as not giving it, and whether it has a unit."""

    side: Side
    same: frozenset[str] = frozenset()
    is_size: bool = False


@dataclass
class Node:
    """The rules of one element and of what is below it: the declared paths as a tree, walked with the document."""

    text: Rule | None = None
    attributes: dict[str, Rule] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    subtree: Side | None = None
    key: str | None = None
    has_unit: bool = False

    @property
    def is_host(self) -> bool:
        """True when the element is the host's as a whole."""
        if self.subtree is not None:
            return self.subtree is Side.HOST
        rules = [*self.attributes.values(), *([] if self.text is None else [self.text])]
        return all(rule.side is Side.HOST for rule in rules) and all(each.is_host for each in self.children.values())


@dataclass
class View:
    """What one element says, path by path, to each side. The host's part is left out, and aliases that libvirt made."""

    said: dict[Side, dict[str, str]] = field(
        default_factory=lambda: {Side.GUEST: {}, Side.PLACE: {}, Side.MANAGEMENT: {}}
    )
    unknown: set[str] = field(default_factory=set)

    @property
    def guest(self) -> dict[str, str]:
        """What the guest sees, but for the place."""
        return self.said[Side.GUEST]

    @property
    def place(self) -> dict[str, str]:
        """Where a device sits."""
        return self.said[Side.PLACE]

    @property
    def management(self) -> dict[str, str]:
        """What people and tools read."""
        return self.said[Side.MANAGEMENT]

    def add_unknown(self, values: dict[str, str]) -> None:
        """Take up what nobody declared: it counts as seen."""
        self.guest.update(values)
        self.unknown.update(values)

    def drop(self, *prefixes: str) -> None:
        """Take out of the guest's part all known paths that begin so: the other document leaves them open."""
        for path in [path for path in self.guest if path.startswith(prefixes) and path not in self.unknown]:
            del self.guest[path]


Note = tuple[str, str | None, str | None]
"""A path and its two values that differ in words only: one document leaves open what the other names."""

Reconcile = Callable[[Element, Element, View, View], Iterator[Note]]
"""Takes out of two views what libvirt fills in when a domain starts, and yields what is worth a note.

It is given the two device elements, or for what is no device the two whole documents, and their views.
"""

_EVERY_DEVICE = {
    Side.GUEST: "acpi@index address@multifunction=off address/zpci@uid,fid",
    Side.MANAGEMENT: "alias@name",
    Side.PLACE: """
        address@type,domain,bus,slot,function,controller,target,unit,port,base,iobase,irq,reg,cssid,ssid,devno
    """,
}


@dataclass(frozen=True)
class Sides:
    """The declaration of one libvirt element.

    ``tag``         the element below <domain>, or below <devices> when ``device`` is true
    ``guest``       paths the guest sees
    ``host``        paths that say how the host provides it
    ``management``  paths for people and tools
    ``place``       guest paths that tell where a device sits, besides its <address>: they change together, by moving
    ``identity``    what makes a device the same in another document, best first: paths ("serial"), paths joined by "+",
                    "alias" (the user's), "address", "content" (all that the guest sees of it), "only" (of its kind)
    ``unseen``      "@model=itco": an element that says so is no hardware of its own; "*": none of its kind ever is
    ``reconcile``   see :data:`Reconcile`
    """

    tag: str
    guest: str = ""
    host: str = ""
    management: str = ""
    place: str = ""
    identity: str = "only"
    unseen: str | None = None
    device: bool = True
    reconcile: Reconcile | None = None

    @cached_property
    def tree(self) -> Node:
        """The declared paths as a tree. Raises ValueError for a path that is declared twice."""
        root = Node()
        declared = {Side.GUEST: self.guest, Side.HOST: self.host, Side.MANAGEMENT: self.management}
        for side, paths in (*declared.items(), (Side.PLACE, self.place)):
            common = _EVERY_DEVICE.get(side, "") if self.device else ""
            for token in f"{paths} {common}".split():
                _declare(root, token, side)
        return root

    @cached_property
    def identities(self) -> list[str]:
        """The entries of ``identity``, best first; a device's address always counts too."""
        entries = self.identity.split()
        if self.device and "address" not in entries:
            entries.insert(len(entries) - (entries[-1] == "only"), "address")
        return entries

    def is_seen(self, element: Element) -> bool:
        """False when this element is no hardware of its own in the guest."""
        if self.unseen is None:
            return True
        path, _, wanted = self.unseen.partition("=")
        return self.unseen != "*" and value_at(element, path) != wanted

    def side_of(self, path: str) -> Side | None:
        """The side of one path ("target@bus", keys left out); None when nobody declared it."""
        where, _, attribute = path.partition("@")
        node = self.tree
        for step in filter(None, where.split("/")):
            below = node.subtree or (node.children[step].subtree if step in node.children else None)
            if below is not None:
                return below
            if step not in node.children:
                return None
            node = node.children[step]
        if node.subtree is not None:
            return node.subtree
        if attribute == node.key and attribute:
            return Side.GUEST
        rule = node.attributes.get(attribute) if attribute else node.text
        return rule.side if rule is not None else None

    def view(self, element: Element, skip: frozenset[str] = frozenset()) -> View:
        """What this element says to the guest and to management; children named in ``skip`` are left out."""
        view = View()
        _walk(element, self.tree, "", view, skip)
        if not view.management.get("alias@name", USER_ALIAS).startswith(USER_ALIAS):
            del view.management["alias@name"]  # libvirt's own, in live only
        return view


def _declare(root: Node, token: str, side: Side) -> None:
    match = _TOKEN.match(token)
    if match is None:
        raise ValueError(f"not a path: {token!r}")
    node, name = root, ""
    for step in filter(None, match["path"].split("/")):
        if step == "**":
            node.subtree = side
            return
        name, _, key = step.partition("[")
        node = node.children.setdefault(name, Node())
        node.key = key.rstrip("]") or node.key
    attributes = (match["attributes"] or "").split(",")
    has_unit = "unit" in attributes and name != "address"
    node.has_unit = node.has_unit or has_unit
    rule = Rule(side, frozenset((match["same"] or "").split("|")) - {""}, has_unit)
    if match["attributes"] is None:
        if node.text is not None:
            raise ValueError(f"declared twice: {token!r}")
        node.text = rule
    for attribute in filter(None, attributes):
        if attribute in node.attributes:
            raise ValueError(f"declared twice: {token!r}")
        node.attributes[attribute] = Rule(Side.HOST) if has_unit and attribute == "unit" else rule


def _walk(element: Element, node: Node, path: str, view: View, skip: frozenset[str] = frozenset()) -> None:
    """Record what ``element`` says, and all below it, as ``node`` declares; ``path`` is where that is."""
    said = view.said
    scale = unit_size(element.get("unit")) if node.has_unit else None
    for name, value in element.items():
        rule = node.attributes.get(name)
        if rule is None:
            if name != node.key:
                view.add_unknown({f"{path}@{name}": value})
        elif (values := said.get(rule.side)) is not None and value not in rule.same:
            values[f"{path}@{name}"] = _scaled(value, scale) if scale and rule.is_size else value
    if node.text is None:
        if (text := element.text) and not text.isspace():
            view.add_unknown({path: text.strip()})
    elif (values := said.get(node.text.side)) is not None and (value := text_of(element)) not in node.text.same:
        values[path] = _scaled(value, scale) if scale else value
    if len(element):
        _walk_children(element, node, path, view, skip)


def _walk_children(element: Element, node: Node, path: str, view: View, skip: frozenset[str]) -> None:
    seen: dict[str, int] = {}
    for child in element:
        tag = child.tag
        if tag in skip or not isinstance(tag, str):
            continue
        name = local_name(tag)
        below = node.children.get(name)
        where = f"{path}/{name}" if path else name
        if below is not None and below.key is not None:
            size, where = len(view.guest), f"{where}[{child.get(below.key)}]"
            _walk(child, below, where, view)
            if len(view.guest) == size:
                view.guest[where] = ""
            continue
        seen[name] = number = seen.get(name, 0) + 1
        if number > 1:
            where = f"{where}#{number}"
        if below is None:
            view.add_unknown(everything(child, where))
        elif below.subtree is None:
            _walk(child, below, where, view)
        elif below.subtree in view.said:
            view.said[below.subtree].update(everything(child, where))


def everything(element: Element, path: str) -> dict[str, str]:
    """All that an element says, without knowing what it means."""
    values = {f"{path}@{name}": value for name, value in element.items()}
    children, text = [child for child in element if isinstance(child.tag, str)], text_of(element)
    if text or not (values or children):
        values[path] = text
    seen: dict[str, int] = {}
    for child in children:
        name = local_name(str(child.tag))
        seen[name] = number = seen.get(name, 0) + 1
        values |= everything(child, f"{path}/{name}" if number == 1 else f"{path}/{name}#{number}")
    return values


def _scaled(value: str, scale: int) -> str:
    """A size in the largest unit that needs no fraction."""
    if not value.isascii() or not value.isdigit():
        return value
    return size_in_words(int(value[:30]) * scale)
