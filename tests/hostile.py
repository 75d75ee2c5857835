"""What others may write into a document: values for its attributes and texts, and deeds to its elements."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from lxml import etree

from holdfast.domainxml.document import Element, parse

VALUES = (
    *("", " ", "x", "auto", "none", "a" * 3000, "é", "\U0001f40b", "\u202e", "]]>", "'", '"', "<&>", "\n"),
    *("-1", "+1", "0xzz", "0x", "0X1F", "1e3", "1.5", "1_000", "010", "08", "²", "٣", "\u00a01", " 1 ", "nan", "inf"),
    *("9" * 20, "9" * 5000, "18446744073709551616", "0x" + "f" * 300, "0:0", "1.2.3", "1-", "^", "0-4294967295"),
    *("{", "}", "{0}", "{name}", "%s", "\\", "/", "..", ":", "[", "http://[", "rbd:", "ua-", "@", "#", ",", "=", ";"),
    *("pc-q35-", "pc-q35-²", "pc-q35-" + "9" * 5000, "host-model", "yes", "<cpu/>", "<domain/>", "/dev/null", "{}x"),
)
"""Numbers that are none, numbers that are too large, and texts with a meaning for somebody who does not expect them."""


def spots(root: Element) -> Iterator[tuple[Element, str]]:
    """Every attribute of a document and, as an empty name, every text."""
    for node in root.iter(etree.Element):
        for name in node.attrib:
            yield node, str(name)
        if not len(node):
            yield node, ""


def put(spot: tuple[Element, str], value: str) -> None:
    """Write ``value`` there."""
    node, name = spot
    if name:
        node.set(name, value)
    else:
        node.text = value


def _drop(node: Element) -> None:
    parent = node.getparent()
    if parent is not None:
        parent.remove(node)


def _double(node: Element) -> None:
    parent = node.getparent()
    if parent is not None:
        parent.append(copy.deepcopy(node))


def _relative_namespace(node: Element) -> None:
    node.append(parse("<vmtemplate xmlns='unraid' xmlns:m='also/relative' m:icon='a.png'><m:os/></vmtemplate>"))


def _comments(node: Element) -> None:
    node.insert(0, etree.Comment("a"))
    node.append(etree.Comment(" b "))


DEEDS: tuple[Callable[[Element], None], ...] = (
    _drop,
    _double,
    _relative_namespace,
    _comments,
    lambda node: node.append(etree.ProcessingInstruction("pi", "x='y'")),
    lambda node: node.attrib.clear(),
    lambda node: node.append(parse("<unknown><address type='pci' bus='x'/></unknown>")),
)
"""What can be done to any element of a document."""
