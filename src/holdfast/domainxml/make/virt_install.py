"""Domain documents as other programs print them: ``virt-install --print-xml`` may print two, one after the other."""

from __future__ import annotations

from lxml import etree

from holdfast.domainxml.document import Element, parse_user_document, serialize
from holdfast.errors import InvalidDocument
from holdfast.errors import documents as errors

_MORE_FOLLOWS = (etree.ErrorTypes.ERR_DOCUMENT_END, etree.ErrorTypes.ERR_RESERVED_XML_NAME)
"""What libxml2 says of a second element, and of an XML declaration that is not the very first."""


def last_domain(text: str) -> Element:
    """The last ``<domain>`` in ``text``.

    Of virt-install's two documents, the first is for the installation only and the last is the one that stays. Raises
    InvalidDocument, with the line.
    """
    try:
        return parse_user_document(text, "domain")
    except InvalidDocument as error:
        reason = error.__cause__
        if not isinstance(reason, etree.XMLSyntaxError) or reason.code not in _MORE_FOLLOWS:
            raise
    documents = _documents(text)
    for node in documents:
        if node.tag != "domain":
            raise errors.OTHER_ELEMENT(line=node.sourceline, expected="domain", found=node.tag)
    if not documents:
        raise errors.NOT_XML(reason="there is no element in it")
    return parse_user_document(serialize(documents[-1]))


def _documents(text: str) -> list[Element]:
    """The elements that follow each other in ``text``, with or without XML declarations before them."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, encoding="utf-8")
    parent = etree.fromstring(f"<documents>{text}</documents>".encode(), parser)
    for found in parser.error_log:
        if found.type != etree.ErrorTypes.ERR_RESERVED_XML_NAME:
            raise errors.NOT_WELL_FORMED(line=found.line, reason=found.message)
    return [node for node in parent if isinstance(node.tag, str)]
