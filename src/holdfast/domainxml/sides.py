"""What a guest sees of a document, and what it does not: the language in which each element's file declares that.

Every part of a document belongs to a *side*. The guest side is what the system inside sees, or might; the host side
says how this host provides it; management is what only people and tools read. A declaration (:class:`Sides`) lists
paths below its element for each side, named as in libvirt's schema::

    serial                    the child <serial>, its text or its mere presence
    target@bus,tray           two attributes of the child <target>
    @device=disk              an attribute of the element itself; not given means the same as "disk"
    driver@cache=none|unsafe  not given, "none" and "unsafe" all look the same from where this side stands
    feature[name]@policy      <feature> is repeated, and told apart by its attribute "name"
    cell@memory,unit          sizes in a unit: those listed beside it, and the text (but in an <address> it is a number)
    source/**                 <source> and all below it, except for what is declared of a part of it
    .                         the text of the element itself

What nobody declared is unknown, and counts as seen by the guest. No other module may decide what a guest sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from holdfast.domainxml.device import USER_ALIAS
from holdfast.domainxml.document import Element, local_name, text_of, value_at
from holdfast.domainxml.units import unit_size
from holdfast.text import size_in_words

_TOKEN = re.compile(r"^(?P<path>[^@=]*)(?:@(?P<attributes>[^=]+))?(?:=(?P<same>.+))?$")


class Side(StrEnum):
    """To whom a part of a document belongs.

    ``PLACE`` is guest side too: all that says where a device sits, which changes together when the device moves.
    """

    GUEST = "guest"
    HOST = "host"
    MANAGEMENT = "management"
    PLACE = "place"


@dataclass(frozen=True)
class Rule:
    """What is declared of one attribute, or of an element's text.

    ``same`` are the values that mean the same as leaving it out; ``is_size`` is true for a size in a unit.
    """

    side: Side
    same: frozenset[str] = frozenset()
    is_size: bool = False


@dataclass
class Node:
    """What is declared of one element and of all below it: the paths as a tree, walked along with a document.

    ``text``, ``attributes``, ``children``  the rules of the element's text and attributes, and the nodes below it
    ``subtree``   the side of all that has no rule of its own in the element ("source/**"); None where all of it has one
    ``key``       the attribute that tells elements of this name apart ("feature[name]"); None for one that is not
                  repeated, or where the number decides
    ``has_unit``  true where an attribute ``unit`` says what the sizes are in
    """

    text: Rule | None = None
    attributes: dict[str, Rule] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    subtree: Side | None = None
    key: str | None = None
    has_unit: bool = False

    @property
    def is_divided(self) -> bool:
        """True where something is declared of single parts of the element."""
        return self.text is not None or bool(self.attributes or self.children)

    @property
    def is_host(self) -> bool:
        """True when all of the element is host side, but for what is declared of single parts of a subtree."""
        if self.subtree is not None:
            return self.subtree is Side.HOST
        rules = [*self.attributes.values(), *([] if self.text is None else [self.text])]
        return all(rule.side is Side.HOST for rule in rules) and all(each.is_host for each in self.children.values())

    def keys_of(self, elements: Iterable[Element]) -> list[str]:
        """What tells these elements of one kind apart: their key, or where they have none their number."""
        return [(each.get(self.key) or "") if self.key else str(number) for number, each in enumerate(elements)]


@dataclass
class View:
    """What one element says to each side, path by path; the host side and generated aliases are left out.

    ``unknown`` are the paths that nobody declared; they are among those of the guest. ``usual`` are values that mean
    the same as leaving them out, and are left out of ``said``.
    """

    said: dict[Side, dict[str, str]] = field(
        default_factory=lambda: {Side.GUEST: {}, Side.PLACE: {}, Side.MANAGEMENT: {}}
    )
    unknown: set[str] = field(default_factory=set)
    usual: dict[str, str] = field(default_factory=dict)

    @property
    def guest(self) -> dict[str, str]:
        """What the guest sees, without the place."""
        return self.said[Side.GUEST]

    @property
    def place(self) -> dict[str, str]:
        """Where the device sits."""
        return self.said[Side.PLACE]

    @property
    def management(self) -> dict[str, str]:
        """What only people and tools read."""
        return self.said[Side.MANAGEMENT]

    def add_unknown(self, values: dict[str, str]) -> None:
        """Take up ``values`` that nobody declared: they count as seen."""
        self.guest.update(values)
        self.unknown.update(values)

    def drop(self, *prefixes: str) -> None:
        """Forget what the guest sees at declared paths that begin so: the other document leaves them open."""
        for path in [path for path in self.guest if path.startswith(prefixes) and path not in self.unknown]:
            del self.guest[path]


Note = tuple[str, str | None, str | None]
"""A path and its values in two documents, where one leaves open what the other names: no difference to the guest."""

Reconcile = Callable[[Element, Element, View, View], Iterator[Note]]
"""Takes out of two views what libvirt only fills in when a domain starts, and yields what of it is worth a note.

It is called with the two device elements and their views; for what is no device, with the two whole documents.
"""

_EVERY_DEVICE = {
    Side.GUEST: "acpi@index,nodeset address@multifunction=off address/zpci@uid,fid",
    Side.MANAGEMENT: "alias@name",
    Side.PLACE: """
        address@type,domain,bus,slot,function,controller,target,unit,port,base,iobase,irq,reg,cssid,ssid,devno
    """,
}


@dataclass(frozen=True)
class Sides:
    """The declaration of one libvirt element: which paths below it belong to which side.

    ``tag``         the element's name
    ``guest``       paths that the guest sees
    ``host``        paths that say how the host provides it
    ``management``  paths that only people and tools read
    ``place``       paths that say where a device sits, besides its <address>
    ``identity``    what makes a device the same in another document, best first: paths ("serial"), paths joined by "+",
                    "alias" (a user's), "address", "content" (all that the guest sees of it), "only" (one of its kind),
                    or a key of ``names``
    ``names``       what the host has behind a device, in one word, by entries of ``identity``
    ``unseen``      "@model=itco": an element that says so is no hardware of its own; "*": none with this tag ever is
    ``device``      true for an element below <devices>, false for one below <domain>
    ``reconcile``   what libvirt fills in at a start, see :data:`Reconcile`
    """

    tag: str
    guest: str = ""
    host: str = ""
    management: str = ""
    place: str = ""
    identity: str = "only"
    names: Mapping[str, Callable[[Element], str | None]] = field(default_factory=dict)
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
        _hand_down(root)
        return root

    @cached_property
    def identities(self) -> list[str]:
        """The entries of ``identity``, best first; the address of a device always counts, too."""
        entries = self.identity.split()
        if self.device and "address" not in entries:
            entries.insert(len(entries) - (entries[-1] == "only"), "address")
        return entries

    def is_seen(self, element: Element) -> bool:
        """False when ``element`` is no hardware of its own to the guest."""
        if self.unseen is None:
            return True
        path, _, unseen = self.unseen.partition("=")
        return self.unseen != "*" and value_at(element, path) != unseen

    def side_of(self, path: str) -> Side | None:
        """The side of ``path`` ("target@bus", without keys and numbers); None when nobody declared it."""
        where, _, attribute = path.partition("@")
        node = self.tree
        for step in filter(None, where.split("/")):
            if step not in node.children:
                return node.subtree
            node = node.children[step]
        if attribute == node.key and attribute:
            return Side.GUEST
        rule = node.attributes.get(attribute) if attribute else node.text
        return rule.side if rule is not None else node.subtree

    def view(self, element: Element, skip: frozenset[str] = frozenset()) -> View:
        """What ``element`` says to the guest and to management; children whose tag is in ``skip`` are left out."""
        view = View()
        _walk(element, self.tree, "", view, skip)
        if not view.management.get("alias@name", USER_ALIAS).startswith(USER_ALIAS):
            del view.management["alias@name"]  # generated, in live only
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
        if step == ".":
            continue
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


def _hand_down(node: Node) -> None:
    """Let the declared parts of a subtree belong to its side, too, as far as nothing else is declared of them."""
    for below in node.children.values():
        below.subtree = below.subtree or node.subtree
        _hand_down(below)


def children_by_tag(parent: Element) -> dict[str, list[Element]]:
    """The child elements by name, whatever their namespace."""
    children: dict[str, list[Element]] = {}
    for each in parent:
        if isinstance(each.tag, str):
            children.setdefault(local_name(each.tag), []).append(each)
    return children


def children_by_step(element: Element, node: Node | None) -> Iterator[tuple[str, Element, Node | None]]:
    """Each child with its step in a path ("serial", "feature[svm]", "boot#2") and what is declared of it, if anything.

    ``node`` is what is declared of ``element``; with None the steps have numbers only.
    """
    numbers: dict[str, int] = {}
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name = local_name(child.tag)
        below = None if node is None else node.children.get(name)
        if below is not None and below.key is not None:
            yield f"{name}[{child.get(below.key)}]", child, below
            continue
        numbers[name] = number = numbers.get(name, 0) + 1
        yield name if number == 1 else f"{name}#{number}", child, below


def all_values(element: Element, path: str) -> dict[str, str]:
    """All that ``element`` says, path by path, whatever it means; ``path`` is where the element is."""
    values = {f"{path}@{name}": value for name, value in element.items()}
    below = [all_values(child, f"{path}/{step}") for step, child, _ in children_by_step(element, None)]
    if (text := text_of(element)) or not (values or below):
        values[path] = text
    for each in below:
        values |= each
    return values


def _walk(element: Element, node: Node, path: str, view: View, skip: frozenset[str] = frozenset()) -> None:
    """Put into ``view`` what ``element`` and all below it say, as ``node`` declares; ``path`` is where that is."""
    scale = unit_size(element.get("unit")) if node.has_unit else None
    for name, value in element.items():
        if name in node.attributes or name != node.key:
            _say(view, node, node.attributes.get(name), f"{path}@{name}", value, scale)
    if node.text is not None:
        _say(view, node, node.text, path, text_of(element), scale)
    elif (text := "".join(own_texts(element))) and not text.isspace():
        _say(view, node, None, path, text.strip())
    if len(element):
        _walk_children(element, node, path, view, skip)


def _say(view: View, node: Node, rule: Rule | None, path: str, value: str, scale: int | None = None) -> None:
    """Put ``value`` into ``view``; with ``rule`` None it belongs to the side of ``node`` as a whole, if it has one."""
    side = rule.side if rule is not None else node.subtree
    if side is None:
        view.add_unknown({path: value})
        return
    values = view.said.get(side)
    if values is None:
        return
    is_usual = rule is not None and value in rule.same
    shown = _scaled(value, scale) if scale and rule is not None and (rule.is_size or rule is node.text) else value
    (view.usual if is_usual else values)[path] = shown


def _walk_children(element: Element, node: Node, path: str, view: View, skip: frozenset[str]) -> None:
    for step, child, below in children_by_step(element, node):
        if child.tag in skip:
            continue
        where = f"{path}/{step}" if path else step
        if below is None:
            if node.subtree is None:
                view.add_unknown(all_values(child, where))
            elif node.subtree in view.said:
                view.said[node.subtree].update(all_values(child, where))
        elif below.subtree is not None and not below.is_divided:
            if below.subtree in view.said:
                view.said[below.subtree].update(all_values(child, where))
        else:
            size = len(view.guest)
            _walk(child, below, where, view)
            if below.key is not None and len(view.guest) == size:
                view.guest[where] = ""  # that it is there says something


def own_texts(element: Element) -> Iterator[str]:
    """The pieces of text in ``element`` itself, between its children and around them."""
    yield element.text or ""
    if len(element):
        for child in element:
            yield child.tail or ""


def _scaled(value: str, scale: int) -> str:
    """A size, given in units of ``scale`` bytes, in words; ``value`` itself where that is no number."""
    if not value.isascii() or not value.isdigit():
        return value
    return size_in_words(int(value[:30]) * scale)
