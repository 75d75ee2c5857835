"""Documents that differ from one of the corpus in ways that :mod:`.mutations` has not: two things at once, parts of
other documents, parts that were moved or swapped; and the same of documents as people write them, which libvirt
completes.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lxml import etree

from tests.libvirt.compare.mutations import Mutation, Values, mutations, path_of

_NAMES = ("name", "uuid", "metadata")


@dataclass(frozen=True)
class Fresh:
    """``document`` was made from ``original`` by a change of ``kind`` at ``paths``, which are below <domain>."""

    kind: str
    original: str
    document: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}: {' and '.join(self.paths)}"


def fresh_mutations(originals: Sequence[str], values: Values, choose: random.Random, count: int) -> Iterator[Fresh]:
    """``count`` documents, each of another of the ``originals``, of all kinds in turn."""
    parts = _parts_of(originals)
    singles = {text: list(mutations(text, values, choose, most=2)) for text in originals}
    kinds: list[Callable[[str], Fresh | None]] = [
        lambda text: _two_at_once(text, singles[text], values, choose),
        lambda text: _from_elsewhere(text, parts, choose),
        lambda text: _swapped(text, choose),
        lambda text: _moved(text, choose),
    ]
    made = 0
    for number in range(20 * count):
        text = choose.choice(originals)
        found = kinds[number % len(kinds)](text)
        if found is not None and found.document != text:
            made += 1
            yield found
        if made == count:
            return


def _two_at_once(text: str, singles: list[Mutation], values: Values, choose: random.Random) -> Fresh | None:
    one = choose.choice(singles)
    others = list(mutations(one.document, values, choose, most=1))
    if not others:
        return None
    other = choose.choice(others)
    return Fresh("two at once", text, other.document, (one.path, other.path))


def _from_elsewhere(text: str, parts: dict[str, list[etree._Element]], choose: random.Random) -> Fresh | None:
    """An element of another document in place of one, or beside it."""
    root = etree.fromstring(text)
    node = _any(root, choose)
    if node is None or not (there := parts.get(path_of(node))):
        return None
    new, parent = copy.deepcopy(choose.choice(there)), node.getparent()
    assert parent is not None
    if choose.random() < 0.7:
        parent.replace(node, new)
    else:
        parent.append(new)
    return Fresh("of another document", text, _text(root), (path_of(new),))


def _swapped(text: str, choose: random.Random) -> Fresh | None:
    """Two elements of one tag have their contents, one child or one attribute the other way round."""
    root = etree.fromstring(text)
    node = _any(root, choose)
    if node is None:
        return None
    others = [each for each in root.iter(str(node.tag)) if each is not node and path_of(each) == path_of(node)]
    if not others:
        return None
    other = choose.choice(others)
    path = path_of(node)
    one, two = dict(node.attrib), dict(other.attrib)
    names = [name for name in one.keys() & two.keys() if one[name] != two[name]]
    if names and choose.random() < 0.7:
        name = choose.choice(sorted(names))
        node.set(name, two[name])
        other.set(name, one[name])
        return Fresh("swapped", text, _text(root), (f"{path}@{name}",))
    node.text, other.text = other.text, node.text
    node[:], other[:] = list(other), list(node)
    for each, given in ((node, two), (other, one)):
        each.attrib.clear()
        each.attrib.update(given)
    return Fresh("swapped", text, _text(root), (path,))


def _moved(text: str, choose: random.Random) -> Fresh | None:
    """An element stands elsewhere: in another order, or in another element of the same kind."""
    root = etree.fromstring(text)
    node = _any(root, choose)
    if node is None:
        return None
    parent, path = node.getparent(), path_of(node)
    assert parent is not None
    homes = [each for each in root.iter(str(parent.tag)) if path_of(each) == path_of(parent)]
    home = choose.choice(homes)
    parent.remove(node)
    home.insert(choose.randrange(len(home) + 1), node)
    return Fresh("moved", text, _text(root), (path,))


def _any(root: etree._Element, choose: random.Random) -> etree._Element | None:
    nodes = [each for each in root.iter(etree.Element) if each is not root]
    node = choose.choice(nodes)
    return None if path_of(node).startswith(_NAMES) else node


def _parts_of(documents: Sequence[str]) -> dict[str, list[etree._Element]]:
    found: dict[str, list[etree._Element]] = {}
    for document in documents:
        for node in etree.fromstring(document).iter(etree.Element):
            found.setdefault(path_of(node), []).append(node)
    return found


def _text(root: etree._Element) -> str:
    return etree.tostring(root, encoding="unicode")
