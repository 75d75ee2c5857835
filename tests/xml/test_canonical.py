"""The canonical form of an element: two that say the same have the same, whichever version of C14N writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from holdfast.domainxml.document import canonical, parse, same

DOCUMENTS = sorted((Path(__file__).parents[1] / "data" / "makers").glob("*.xml"))
WITH_RELATIVE_NAMESPACE = "<domain><metadata><vm{} xmlns='unraid' b='2' a='1'/></metadata></domain>"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_order_of_attributes_indentation_and_comments_say_nothing(path: Path) -> None:
    document = parse(path.read_text())
    other = parse(path.read_text())
    for node in other.iter(etree.Element):
        attributes = dict(reversed(node.attrib.items()))
        node.attrib.clear()
        node.attrib.update(attributes)
        node.append(etree.Comment("said by nobody"))
    etree.indent(other, space="\t")
    assert same(document, other)
    assert canonical(parse(canonical(document))) == canonical(document)


def test_a_namespace_with_a_relative_uri_is_compared_as_any_other() -> None:
    with pytest.raises(etree.C14NError):
        etree.tostring(parse(WITH_RELATIVE_NAMESPACE.format("")), method="c14n", exclusive=True)
    other = WITH_RELATIVE_NAMESPACE.replace("b='2' a='1'", "a='1' b='2'")
    assert same(parse(WITH_RELATIVE_NAMESPACE.format("")), parse(other.format("")))
    assert not same(parse(WITH_RELATIVE_NAMESPACE.format("")), parse(other.format("s")))
