"""Our element in ``<metadata>``: the facts that libvirt has no field for. Text in, text out.

Today it records one fact: a device that was detached and that the guest has not released yet. libvirt keeps such a
device in live only, which looks the same as a device that somebody attached to live only.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from holdfast.domainxml.document import Element, element, parse, serialize

# virDomainSetMetadata puts prefix and namespace on every element itself and refuses an element that declares them;
# virDomainGetMetadata takes them off again, but leaves the declaration on the root (libvirt 9.0).
URI = "https://holdfast.dev/xmlns/domain/1"
PREFIX = "holdfast"


@dataclass(frozen=True)
class Releasing:
    """A device that was detached while the guest did not answer: its element name, label and alias in live."""

    tag: str
    label: str
    alias: str


def releasing(domain: Element) -> list[Releasing]:
    """The devices that this document says are being released."""
    return [_entry(item) for item in domain.iterfind(f"metadata/{{{URI}}}domain/{{{URI}}}releasing")]


def with_releasing(ours: str | None, entry: Releasing) -> str:
    """Our element (None: there is none yet) with ``entry`` recorded once."""
    root = _root(ours)
    if entry not in map(_entry, root.iterfind("releasing")):
        root.append(element("releasing", {"device": entry.tag, "label": entry.label, "alias": entry.alias}))
    return serialize(root)


def without_releasing(ours: str | None, entry: Releasing) -> str | None:
    """Our element without ``entry``; None when nothing is left in it."""
    root = _root(ours)
    found = [item for item in root.iterfind("releasing") if _entry(item) == entry]
    if not found:
        return ours
    for item in found:
        root.remove(item)
    return serialize(root) if len(root) or root.attrib else None


def _root(ours: str | None) -> Element:
    root = element("domain")
    if ours:
        given = parse(ours)
        root.attrib.update(given.attrib)
        root.extend(list(given))
        etree.cleanup_namespaces(root)
    return root


def _entry(item: Element) -> Releasing:
    return Releasing(item.get("device", ""), item.get("label", ""), item.get("alias", ""))
