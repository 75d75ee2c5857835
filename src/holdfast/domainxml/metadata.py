"""Holdfast's element in a domain's ``<metadata>``: the facts that libvirt has no field for.

Each class here is a kind of fact, and each fact is one element inside ours. There are functions for our element as
libvirt hands it out by itself (``ours``: text without a prefix, None where there is none), and others for it inside a
whole document.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

from lxml import etree

from holdfast.domainxml.document import Element, child, element, parse, remove_children, serialize
from holdfast.domainxml.fact import (
    TAGS,
    AddedController,
    AnyFact,
    Attaching,
    Below,
    Detaching,
    DiskRecord,
    KeptNvram,
    Pivoting,
    Releasing,
    RunAgain,
    SeenState,
    Snapshotting,
)
from holdfast.domainxml.namespace import PREFIX as PREFIX
from holdfast.domainxml.namespace import URI as URI

OURS = f"{{{URI}}}domain"
"""The tag of our element in a document."""


Fact = TypeVar("Fact", bound=AnyFact)


def tag_of(kind: type[object]) -> str:
    """The tag that facts of this kind have in a document, with the namespace."""
    return f"{{{URI}}}{TAGS[kind]}"


def facts(domain: Element, kind: type[Fact]) -> list[Fact]:
    """All facts of this kind that the document ``domain`` records."""
    items = domain.iterfind(f"metadata/{OURS}/{tag_of(kind)}")
    return [_read(kind, item) for item in items]


def fact(domain: Element, kind: type[Fact]) -> Fact | None:
    """The first fact of this kind that the document ``domain`` records; None when it records none."""
    return next(iter(facts(domain, kind)), None)


def ours_in(domain: Element) -> str | None:
    """Our element in the document ``domain``, as libvirt hands it out by itself (virDomainGetMetadata)."""
    found = domain.find(f"metadata/{OURS}")
    if found is None:
        return None
    ours = copy.deepcopy(found)
    for each in ours.iter(f"{{{URI}}}*"):
        each.tag = etree.QName(each).localname
    etree.cleanup_namespaces(ours)
    return _text(ours)


def with_ours(domain: Element, ours: str | None) -> Element:
    """A copy of ``domain`` as it is once libvirt was given ``ours`` as our element (virDomainSetMetadata)."""
    after = copy.deepcopy(domain)
    metadata = child(after, "metadata")
    remove_children(metadata, OURS)
    if ours is not None:
        given = _parse(ours)
        root = etree.SubElement(metadata, OURS, nsmap={**given.nsmap, PREFIX: URI})
        for each in given.iter("{}*"):
            if ":" not in str(each.tag):
                each.tag = f"{{{URI}}}{each.tag!s}"
        root.attrib.update(given.attrib)
        root.extend(list(given))
    return after


def facts_in(ours: str, kind: type[Fact]) -> list[Fact]:
    """All facts of one kind in our element, as libvirt gives it by itself."""
    return [_read(kind, item) for item in _parse(ours).iterfind(TAGS[kind])]


def with_fact(ours: str | None, new: Fact) -> str:
    """Our element with the fact ``new``, in place of an older one about the same thing.

    The result is ``ours`` itself where it says so already: then nothing needs to be written.
    """
    root, tag = _root(ours), TAGS[type(new)]
    older = [item for item in root.findall(tag) if same_subject(_read(type(new), item), new)]
    if ours is not None and [_read(type(new), item) for item in older] == [new]:
        return ours
    place = root.index(older[0]) if older else len(root)
    for item in older:
        root.remove(item)
    root.insert(place, element(tag, _attributes(new)))
    return _text(root)


def with_all(ours: str | None, kind: type[Fact], new: Sequence[Fact]) -> str | None:
    """Our element with the facts ``new`` and no others of their ``kind``; ``ours`` itself where it says so already."""
    root = _root(ours)
    older = root.findall(TAGS[kind])
    if {_read(kind, item) for item in older} == set(new):
        return ours
    for item in older:
        root.remove(item)
    root.extend([element(TAGS[kind], _attributes(each)) for each in new])
    return _text(root) if len(root) or root.attrib else None


def set_facts(domain: Element, *new: AnyFact) -> None:
    """Let the document ``domain``, which is yet to be defined, record the facts ``new``, and no others."""
    remove_children(child(domain, "metadata"), OURS)
    add_facts(domain, *new)


def add_facts(domain: Element, *new: AnyFact) -> None:
    """Let the document ``domain``, which libvirt is yet to be given, record the facts ``new``, too."""
    metadata = child(domain, "metadata")
    root = metadata.find(OURS)
    if root is None:
        root = etree.SubElement(metadata, OURS, nsmap={PREFIX: URI})
    for each in new:
        etree.SubElement(root, f"{{{URI}}}{TAGS[type(each)]}", _attributes(each))


def drop_facts(domain: Element, kind: type[AnyFact]) -> None:
    """Take the facts of this kind out of the document ``domain``, which libvirt is yet to be given."""
    for root in domain.iterfind(f"metadata/{OURS}"):
        remove_children(root, tag_of(kind))


def without_fact(ours: str | None, old: Fact) -> str | None:
    """Our element without the fact ``old``; None when nothing else was in it, ``ours`` itself when ``old`` was not."""
    return without_facts(ours, type(old), lambda fact: fact == old)


def without_facts(ours: str | None, kind: type[Fact], gone: Callable[[Fact], bool]) -> str | None:
    """Our element without those facts of this kind that ``gone`` is true for; else as :func:`without_fact`."""
    root = _root(ours)
    found = [item for item in root.findall(TAGS[kind]) if gone(_read(kind, item))]
    if not found:
        return ours
    for item in found:
        root.remove(item)
    return _text(root) if len(root) or root.attrib else None


def same_subject(one: AnyFact, other: AnyFact) -> bool:
    """True when two facts of one kind are about the same thing: one disk, one device, or the domain as a whole."""
    if isinstance(one, DiskRecord) and isinstance(other, DiskRecord):
        return one.alias == other.alias if one.alias and other.alias else one.target == other.target
    if isinstance(one, SeenState) and isinstance(other, SeenState):
        return one.kind == other.kind
    if isinstance(one, Pivoting) and isinstance(other, Pivoting):
        return one.target == other.target
    if isinstance(one, Attaching) and isinstance(other, Attaching):
        return one.alias == other.alias
    several = Releasing | AddedController | Detaching | Snapshotting | Below | KeptNvram
    return one == other if isinstance(one, several) else True


def _text(root: Element) -> str:
    """``root`` as text, indented as libvirt (9.0) does from the next start on, so that no byte of it changes then."""
    etree.indent(root, level=2)
    return serialize(root)


def _attributes(one: AnyFact) -> dict[str, str]:
    return {name: value for name, value in asdict(one).items() if value or not isinstance(one, DiskRecord | RunAgain)}


def _read(kind: type[Fact], item: Element) -> Fact:
    return kind(*[item.get(name, "") for name in kind.__match_args__])


def _parse(ours: str) -> Element:
    """Our element from its text; what others wrote into it need not have names that XML would allow."""
    return parse(f"<metadata>{ours}</metadata>")[0]


def _root(ours: str | None) -> Element:
    root = element("domain")
    if ours:
        given = _parse(ours)
        root.attrib.update(given.attrib)
        root.extend(list(given))
        etree.cleanup_namespaces(root)
    return root
