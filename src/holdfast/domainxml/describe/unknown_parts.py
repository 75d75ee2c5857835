"""The elements and attributes of a document that Holdfast does not know, as a newer libvirt may write them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from holdfast.domainxml.document import Element, local_name
from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.sides import Node, Side, own_texts


def unknown_parts(domain: Element) -> list[str]:
    """Every path below <domain> that no file declares, in libvirt's words, sorted: "devices/disk/driver@shiny".

    What stands below an unknown element is left out.
    """
    return sorted(set(_undeclared(domain, _declared(), "")))


@cache
def _declared() -> Node:
    """All declarations as one tree."""
    anything = Node(subtree=Side.HOST)
    devices = {tag: sides.tree for tag, sides in DEVICES.items()}
    sections = {tag: sides.tree for tag, sides in SECTIONS.items()}
    elsewhere = {"devices": Node(children=devices), "metadata": anything}
    return Node(attributes=DOMAIN.tree.attributes, children=DOMAIN.tree.children | sections | elsewhere)


def _undeclared(element: Element, node: Node, path: str) -> Iterator[str]:
    if node.subtree is not None and not node.is_divided:
        return
    for name in element.keys():  # noqa: SIM118  # an element's own iterator gives its children
        if node.subtree is None and name not in node.attributes and name != node.key:
            yield f"{path}@{name}"
    if node.text is None and node.subtree is None and any(text.strip() for text in own_texts(element)):
        yield path or "domain"
    for child in element if len(element) else ():
        if not isinstance(child.tag, str):
            continue
        name = local_name(child.tag)
        where, below = f"{path}/{name}" if path else name, node.children.get(name)
        if below is not None:
            yield from _undeclared(child, below, where)
        elif node.subtree is None:
            yield where
