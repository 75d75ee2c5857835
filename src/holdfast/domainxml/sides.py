"""The language in which each element's own file declares what of it belongs to whom: :class:`Sides`.

*guest*: what the system inside sees, or might. *host*: how this host provides it. *management*: what only people and
tools read. A declaration is a list of paths below its element, as libvirt's schema has them::

    serial                    the child <serial>, its text or its mere presence
    target@bus,tray           two attributes of the child <target>
    @device=disk              an attribute of the element itself; not given means the same as "disk"
    driver@cache=none|unsafe  not given, "none" and "unsafe" all look the same from where this side stands
    feature[name]@policy      <feature> is repeated, and told apart by its attribute "name"
    size@unit                 the scale of what the element says in numbers (in an <address> it is a number itself)
    source/**                 <source> and all below it

What is not declared is unknown, and unknown counts as guest. No other module may decide what a guest sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from holdfast.domainxml.document import Element

_TOKEN = re.compile(r"^(?P<path>[^@=]*)(?:@(?P<attributes>[^=]+))?(?:=(?P<same>.+))?$")
SIZES = {"B": 1, "bytes": 1, "KB": 1000, "k": 1024, "KiB": 1024, "MB": 1000**2, "M": 1024**2, "MiB": 1024**2}
SIZES |= {"GB": 1000**3, "G": 1024**3, "GiB": 1024**3, "TB": 1000**4, "T": 1024**4, "TiB": 1024**4}
"""Bytes in each unit that libvirt knows (virScaleInteger)."""

_SIZED = ("memory", "size", "value")
"""The attributes that an element's ``unit`` is about. In an ``<address>`` it is no unit but a number."""


class Side(Enum):
    """To whom a part of a document belongs. ``PLACE`` is guest side too, but told as one: where a device sits."""

    GUEST = "guest"
    HOST = "host"
    MANAGEMENT = "management"
    PLACE = "place"


@dataclass(frozen=True)
class Rule:
    """The side of one attribute or text, and the values that mean the same as not giving it."""

    side: Side
    same: frozenset[str] = frozenset()

    @cached_property
    def is_silent(self) -> bool:
        """True when no view has it."""
        return self.side in (Side.HOST, Side.PLACE)


@dataclass
class Node:
    """The rules of one element and of what is below it: the declared paths as a tree, walked with the document."""

    text: Rule | None = None
    attributes: dict[str, Rule] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    subtree: Side | None = None
    key: str | None = None
    is_size: bool = False


@dataclass
class View:
    """What one element says, path by path: for the guest, and for management. The host's part is left out."""

    guest: dict[str, str] = field(default_factory=dict)
    management: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

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
        return view


def value_at(element: Element, path: str) -> str | None:
    """The value at a path of one element ("serial", "target@bus", "@type"); None where it is not given."""
    where, _, attribute = path.partition("@")
    found = element.find(where) if where else element
    if found is None:
        return None
    return found.get(attribute) if attribute else (found.text or "").strip()


def local_name(tag: str) -> str:
    """An element's name without its namespace; libvirt's own extensions have the namespace's last word before it."""
    if tag[0] != "{":
        return tag
    uri, _, name = tag[1:].partition("}")
    match = re.fullmatch(r"http://libvirt\.org/schemas/domain/(\w+)/1\.0", uri)
    return f"{match[1]}:{name}" if match else tag


def _declare(root: Node, token: str, side: Side) -> None:
    match = _TOKEN.match(token)
    if match is None:
        raise ValueError(f"not a path: {token!r}")
    rule = Rule(side, frozenset((match["same"] or "").split("|")) - {""})
    node, name = root, ""
    for step in filter(None, match["path"].split("/")):
        if step == "**":
            node.subtree = side
            return
        name, _, key = step.partition("[")
        node = node.children.setdefault(name, Node())
        node.key = key.rstrip("]") or node.key
    if match["attributes"] is None:
        if node.text is not None:
            raise ValueError(f"declared twice: {token!r}")
        node.text = rule
    for attribute in filter(None, (match["attributes"] or "").split(",")):
        if attribute in node.attributes:
            raise ValueError(f"declared twice: {token!r}")
        is_scale = attribute == "unit" and name != "address"
        node.attributes[attribute] = Rule(Side.HOST) if is_scale else rule
        node.is_size = node.is_size or is_scale


def _walk(element: Element, node: Node, path: str, view: View, skip: frozenset[str] = frozenset()) -> None:
    scale = SIZES.get(element.get("unit", "KiB")) if node.is_size else None
    for name, value in element.items():
        rule = node.attributes.get(name)
        if rule is None:
            if name != node.key:
                view.guest[f"{path}@{name}"] = value
                view.unknown.add(f"{path}@{name}")
        elif not rule.is_silent and value not in rule.same:
            _record(rule, f"{path}@{name}", value, scale if name in _SIZED else None, view)
    if node.text is not None and not node.text.is_silent:
        _record(node.text, path, (element.text or "").strip(), scale, view)
    seen: dict[str, int] = {}
    for child in element:
        tag = child.tag
        if tag in skip or not isinstance(tag, str):
            continue
        name = local_name(tag)
        below = node.children.get(name)
        where = f"{path}/{name}" if path else name
        if below is None:
            _unknown(child, _numbered(where, seen), view)
        elif below.subtree is Side.HOST:
            continue
        elif below.subtree is not None:
            values = view.guest if below.subtree is Side.GUEST else view.management
            _everything(child, _numbered(where, seen), values)
        elif below.key is not None:
            size, where = len(view.guest), f"{where}[{child.get(below.key)}]"
            _walk(child, below, where, view)
            if len(view.guest) == size:
                view.guest[where] = ""
        else:
            _walk(child, below, _numbered(where, seen), view)


def _record(rule: Rule, path: str, value: str, scale: int | None, view: View) -> None:
    if scale is not None:
        value = _scaled(value, scale)
    if value not in rule.same:
        (view.guest if rule.side is Side.GUEST else view.management)[path] = value


def _unknown(element: Element, path: str, view: View) -> None:
    values: dict[str, str] = {}
    _everything(element, path, values)
    view.guest.update(values)
    view.unknown.update(values)


def _everything(element: Element, path: str, values: dict[str, str]) -> None:
    """Record all that an element says, without knowing what it means."""
    for name, value in element.attrib.items():
        values[f"{path}@{name}"] = str(value)
    children = [child for child in element if isinstance(child.tag, str)]
    text = (element.text or "").strip()
    if text or not (children or element.attrib):
        values[path] = text
    seen: dict[str, int] = {}
    for child in children:
        _everything(child, _numbered(f"{path}/{local_name(str(child.tag))}", seen), values)


def _numbered(where: str, seen: dict[str, int]) -> str:
    seen[where] = seen.get(where, 0) + 1
    return where if seen[where] == 1 else f"{where}#{seen[where]}"


def _scaled(value: str, scale: int) -> str:
    """A size in the largest unit that needs no fraction."""
    if not value.isascii() or not value.isdigit():
        return value
    return size_in_words(int(value[:30]) * scale)


def size_in_words(size: int) -> str:
    """A size of so many bytes in the largest unit that needs no fraction: "2 GiB", "1025 KiB"."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size % 1024 or size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} TiB"
