"""Documents that differ from one of the corpus in one thing: an attribute, a text or an element."""

from __future__ import annotations

import copy
import os
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

REMOVED, DOUBLED = "removed", "doubled"

WHOLE = bool(os.environ.get("HOLDFAST_WHOLE_CORPUS"))

Values = dict[str, list[str]]
"""Path → the values that the documents of a corpus have there."""


@dataclass(frozen=True)
class Mutation:
    """``path`` is below <domain> ("devices/disk/target@bus"); ``value`` None takes an attribute out.

    ``number`` counts the elements of ``original``; ``name`` is "@" and an attribute, "" for text, REMOVED or DOUBLED.
    """

    path: str
    original: str
    number: int
    name: str
    value: str | None

    def __str__(self) -> str:
        return f"{self.path} {self.value or (self.name if self.name in (REMOVED, DOUBLED) else 'not given')}"

    @property
    def document(self) -> str:
        """The mutated document."""
        root = etree.fromstring(self.original)
        node = list(root.iter(etree.Element))[self.number]
        parent = node.getparent()
        if self.name == REMOVED and parent is not None:
            parent.remove(node)
        elif self.name == DOUBLED and parent is not None:
            parent.append(copy.deepcopy(node))
        elif not self.name:
            node.text = self.value
        elif self.value is None:
            del node.attrib[self.name[1:]]
        else:
            node.set(self.name[1:], self.value)
        return etree.tostring(root, encoding="unicode")


def values_of(documents: Iterable[str]) -> Values:
    """What stands where in these documents, each value once."""
    values: dict[str, dict[str, None]] = {}
    for document in documents:
        for node in etree.fromstring(document).iter(etree.Element):
            for name, value in _parts(node):
                values.setdefault(path_of(node) + name, {})[value] = None
    return {path: list(found) for path, found in values.items()}


def mutations(document: str, values: Values, choose: random.Random, most: int) -> Iterator[Mutation]:
    """Every attribute and text set to at most ``most`` others and taken out, every element taken out and doubled."""
    root = etree.fromstring(document)
    for number, node in enumerate(root.iter(etree.Element)):
        if node is root or re.match("metadata|name$|uuid$", path_of(node)):
            continue
        for name, value in _parts(node):
            others = [other for other in values.get(path_of(node) + name, ()) if other != value]
            for other in [_similar(value), *choose.sample(others, min(most, len(others)))]:
                yield Mutation(path_of(node) + name, document, number, name, other)
            if name:
                yield Mutation(path_of(node) + name, document, number, name, None)
        for deed in (REMOVED, DOUBLED):
            yield Mutation(path_of(node), document, number, deed, None)


def chosen(all_mutations: list[Mutation], most: int) -> list[Mutation]:
    """A sample with every path in it, in the order of the documents; with HOLDFAST_WHOLE_CORPUS all of them."""
    if WHOLE:
        return all_mutations
    choose = random.Random(3)
    shuffled = choose.sample(range(len(all_mutations)), len(all_mutations))
    first = {all_mutations[number].path: number for number in reversed(shuffled)}
    taken = set(first.values())
    taken.update(number for number in shuffled[: max(0, most - len(taken))])
    return [all_mutations[number] for number in sorted(taken)]


def _parts(node: etree._Element) -> Iterator[tuple[str, str]]:
    for name, value in node.attrib.items():
        yield f"@{name}", str(value)
    if (node.text or "").strip():
        yield "", (node.text or "").strip()


def path_of(node: etree._Element) -> str:
    return "/".join([str(each.tag) for each in (node, *node.iterancestors())][-2::-1])


def _similar(text: str) -> str:
    """Another value of the same form: the next number, the last letter changed."""
    if re.fullmatch(r"0x[0-9a-f]+", text):
        return f"{int(text, 16) + 1:#0{len(text)}x}"
    if text.isascii() and text.isdigit():
        return str(int(text) + 1)
    other = {"yes": "no", "no": "yes", "on": "off", "off": "on"}
    return other.get(text) or text[:-1] + ("1" if text[-1:] != "1" else "2")
