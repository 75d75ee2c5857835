"""libvirt's documents as lxml elements: how one is parsed, searched, edited in place, compared and written.

Nothing is turned into objects that would lose what they do not know: an element stays an lxml element.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

from lxml import etree

from holdfast.errors import documents as errors
from holdfast.text import has_control_characters

Element = etree._Element

MAX_BYTES = 16 * 1024 * 1024
"""libvirt itself refuses larger documents over RPC (VIR_NET_MESSAGE_STRING_MAX, 16 MiB in libvirt 9.0)."""

MOST_ATTRIBUTES = 256
"""No element of libvirt's has a tenth of them, and the time lxml takes to read them grows with their number squared."""

_FEW_BYTES = 65536
"""A document up to this size is read in no time, however many attributes it has."""

_TAKEN_BY_LIBVIRT = {etree.ErrorDomains.NAMESPACE, etree.ErrorDomains.DTD, etree.ErrorDomains.VALID}
"""What libxml2 finds wrong with namespaces and xml:id ends no reading of libvirt's (9.0): they are in its documents."""

_QUOTING = {
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: "an entity that XML does not have",
    etree.ErrorTypes.ERR_HYPHEN_IN_COMMENT: "two hyphens in a comment",
    etree.ErrorTypes.ERR_CDATA_NOT_FINISHED: "a CDATA section without an end",
    etree.ErrorTypes.ERR_ATTRIBUTE_WITHOUT_VALUE: "an attribute without a value",
}
"""Instead of those of libxml2's words that quote the text, which may be a part of a password there."""


def parse(text: str | bytes, root: str | None = None) -> Element:
    """Parse ``text`` into its root element; comments, namespaces and order are kept.

    ``root`` is the name that the root element must have ("domain"); None allows any. No entity is resolved and nothing
    is fetched. Raises InvalidDocument, with the line.
    """
    try:
        data = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        number = error.object.count("\n", 0, error.start) + 1
        raise errors.NO_CHARACTER(line=number, text=error.object[error.start]) from error
    if len(data) > MAX_BYTES:
        raise errors.DOCUMENT_TOO_LARGE(most=MAX_BYTES // 1024 // 1024)
    # A text has been decoded: the encoding that its XML declaration names was that of a file.
    element = _read(data, encoding="utf-8" if isinstance(text, str) else None)
    if element.getroottree().docinfo.doctype:
        line = data.count(b"\n", 0, max(0, data.find(b"<!DOCTYPE"))) + 1
        raise errors.DOCTYPE(line=line)
    if len(data) > _FEW_BYTES:
        _refuse_many_attributes(element)
    if root is not None and element.tag != root:
        raise errors.OTHER_ELEMENT(line=element.sourceline, expected=root, found=element.tag)
    return element


def parse_user_document(text: str | bytes, root: str | None = None) -> Element:
    """:func:`parse` of what a user gives to be defined or attached.

    Raises BREAK_IN_ATTRIBUTE, too: libvirt writes a line break or a tab in an attribute as it is, and reads it back as
    a space when its daemon starts anew (9.0), so that an image is not found any more.
    """
    element = parse(text, root)
    for node in element.iter(etree.Element):
        for name, value in node.attrib.items():
            if any(each in str(value) for each in "\n\t\r"):
                raise errors.BREAK_IN_ATTRIBUTE(line=node.sourceline, attribute=name, element=node.tag)
    return element


def _read(data: bytes, encoding: str | None) -> Element:
    """The root element of ``data``, also where something is wrong with it that is nothing to libvirt."""
    parser = _parser(encoding)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        found = list(parser.error_log)
        wrong = next((each for each in found if each.domain not in _TAKEN_BY_LIBVIRT), found[0])
        if wrong.domain in _TAKEN_BY_LIBVIRT:
            root = etree.fromstring(data, _parser(encoding, recover=True))
            if not _has_unknown_prefix(root):
                return root
        reason = _QUOTING.get(wrong.type, " ".join(wrong.message.split()))
        raise errors.NOT_WELL_FORMED(line=wrong.line, reason=reason) from error
    except ValueError as error:
        raise errors.NOT_XML(reason=error) from error


def _parser(encoding: str | None, recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding=encoding, recover=recover
    )


def _has_unknown_prefix(root: Element) -> bool:
    """True for what libvirt leaves out without a word, as a <qemu:commandline> whose prefix is declared nowhere.

    In metadata it keeps that.
    """
    for node in root.iter(etree.Element):
        names = (str(node.tag), *map(str, node.attrib))
        is_unknown = any(":" in name and name[0] != "{" for name in names)
        if is_unknown and not any(above.tag == "metadata" for above in node.iterancestors()):
            return True
    return False


def _refuse_many_attributes(root: Element) -> None:
    for node in root.iter(etree.Element):
        if len(node.attrib) > MOST_ATTRIBUTES:
            raise errors.MANY_ATTRIBUTES(line=node.sourceline, element=node.tag, most=MOST_ATTRIBUTES)


def serialize(element: Element) -> str:
    """``element`` as text, as libvirt reads it."""
    return etree.tostring(element, encoding="unicode", with_tail=False)


def indented(element: Element) -> str:
    """``element`` as text for people to read: laid out anew, two spaces per level."""
    copied = copy.deepcopy(element)
    etree.indent(copied)
    return serialize(copied)


def canonical(element: Element) -> bytes:
    """The C14N form of ``element``, without comments and indentation: equal exactly when two elements say the same.

    It is that of Exclusive C14N 1.0, which libxml2 writes itself, in a quarter of the time; where a namespace has a
    relative URI, such as Unraid's xmlns="unraid", which that refuses (2.14), it is that of C14N 2.0.
    """
    plain = copy.deepcopy(element)
    plain.tail = None
    for node in plain.iter():
        if node.tail is not None and not node.tail.strip():
            node.tail = None
        if len(node) and node.text is not None and not node.text.strip():
            node.text = None
    return in_order(plain)


def in_order(element: Element) -> bytes:
    """As :func:`canonical`, but with the indentation of ``element``: of twice the cost of :func:`serialize`."""
    try:
        return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError:
        return etree.tostring(element, method="c14n2", with_comments=False)


def same(one: Element, other: Element) -> bool:
    """True when two elements say the same: their canonical forms are equal."""
    return serialize(one) == serialize(other) or canonical(one) == canonical(other)


def is_live(domain: Element) -> bool:
    """True for the document of a domain that runs: only there it has an id."""
    return domain.get("id") is not None


def devices(domain: Element) -> Iterator[Element]:
    """Every device of ``domain``, in document order; without ``<emulator>``, which is not one."""
    for element in domain.iterfind("devices/*"):
        if isinstance(element.tag, str) and element.tag != "emulator":
            yield element


def child(parent: Element, tag: str) -> Element:
    """The first child ``tag`` of ``parent``; where there is none, a new one is appended."""
    found = parent.find(tag)
    return etree.SubElement(parent, tag) if found is None else found


def remove_children(parent: Element, *tags: str) -> None:
    """Take every child with one of these tags out of ``parent``."""
    for tag in tags:
        for found in parent.findall(tag):
            parent.remove(found)


def remove_from_parent(element: Element) -> None:
    """Take ``element`` out of the element that it is in, whichever that is."""
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def element(tag: str, attributes: dict[str, str] | None = None, *children: Element, text: str | None = None) -> Element:
    """A new element with these attributes, children and text.

    Raises CHARACTERS for a value with control characters, and others that no XML document can hold: also for a line
    break or a tab in an attribute, which libvirt writes as it is and reads back as a space (9.0).
    """
    for value in (attributes or {}).values():
        if has_control_characters(value):
            raise errors.CHARACTERS(text=value)
    try:
        made = etree.Element(tag, attributes or {})
        made.extend(children)
        made.text = text
    except ValueError as error:
        values = [value for value in (*(attributes or {}).values(), text) if value is not None]
        wrong = next((value for value in values if not value.isprintable()), "")
        raise errors.CHARACTERS(text=wrong) from error
    return made


NOTHING = element("nothing")
"""Stands for an element that a document does not have, where it is compared with one that another document has."""


def value_at(element: Element, path: str) -> str | None:
    """The value at ``path`` below ``element`` ("serial", "target@bus", "@type"); None where it is not given."""
    where, _, attribute = path.partition("@")
    for step in where.split("/") if where else ():
        below = next(element.iterchildren(step), None)  # half the time of find()
        if below is None:
            return None
        element = below
    return element.get(attribute) if attribute else text_of(element)


def text_of(element: Element) -> str:
    """The text of ``element``, what follows a comment in it included.

    Spaces at its ends count, as they do for libvirt; but not around a number, nor where the text has several lines, as
    in a document that was laid out by hand.
    """
    text = element.text or ""
    if len(element):
        text = "".join((text, *(child.tail or "" for child in element)))
    stripped = text.strip()
    return stripped if not stripped or stripped.isdigit() or "\n" in text else text


def local_name(tag: str) -> str:
    """A tag without its namespace; of libvirt's own extensions with a prefix: "qemu:commandline"."""
    if tag[0] != "{":
        return tag
    uri, _, name = tag[1:].partition("}")
    match = re.fullmatch(r"http://libvirt\.org/schemas/domain/(\w+)/1\.0", uri)
    return f"{match[1]}:{name}" if match else tag
