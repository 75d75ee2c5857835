"""What differs on the host side between two documents of one domain, for people: sentences without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.device import short_name
from holdfast.domainxml.document import NOTHING, Element, canonical, same
from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.interface import connected_to
from holdfast.domainxml.sides import Node, Side, Sides, all_values


def host_changes(before: Element, after: Element) -> Iterator[str]:
    """What differs on the host side between two documents of one domain, in words: "disk vda: source (/b, was /a)"."""
    yield from _differing(DOMAIN, before, after)
    for tag, sides in SECTIONS.items():
        old, new = ((NOTHING if (found := document.find(tag)) is None else found) for document in (before, after))
        yield from (f"{tag}: {part}" for part in _differing(sides, old, new))
    for pair in counterparts(before, after):
        if pair.before is not None and pair.after is not None and pair.before.tag in DEVICES:
            parts = ", ".join(_differing(DEVICES[str(pair.before.tag)], pair.before, pair.after))
            if parts:
                yield f"{short_name(pair.after)}: {parts}{_new_source(pair.before, pair.after)}"
    for path in ("devices/graphics", "metadata"):
        old_texts, new_texts = ([canonical(each) for each in document.iterfind(path)] for document in (before, after))
        if old_texts != new_texts:
            yield path.rpartition("/")[2]


def _differing(sides: Sides, before: Element, after: Element) -> list[str]:
    """The parts of an element's host side that differ, each in a word or two: "source", "driver io"."""
    if same(before, after):
        return []
    old, new = ({path: value for path, value in _values(each) if _is_of_host(sides, path)} for each in (before, after))
    paths = [path for path in (old | new) if old.get(path) != new.get(path)]
    return list(dict.fromkeys(_part(sides.tree, re.split(r"[/#]", path)[0]) for path in paths))


def _part(node: Node, path: str) -> str:
    """One step of a path in words; without the attribute where all of the child is host side."""
    tag, _, attribute = path.partition("@")
    below = node.children.get(tag)
    return tag if below is not None and below.is_host else f"{tag} {attribute}".strip()


def _values(each: Element) -> Iterator[tuple[str, str]]:
    return ((path.lstrip("/"), value) for path, value in all_values(each, "").items())


def _is_of_host(sides: Sides, path: str) -> bool:
    return not path.endswith("@unit") and sides.side_of(re.sub(r"#\d+", "", path)) is Side.HOST


def _new_source(before: Element, after: Element) -> str:
    old, new = ((connected_to if each.tag == "interface" else source_of)(each) for each in (before, after))
    return "" if old == new else f" ({new}, was {old})"
