"""Our element in ``<metadata>``: the facts that libvirt has no field for. Text in, text out.

Today it records one fact: a device that was detached and that the guest has not released yet. libvirt keeps such a
device in live only, which looks the same as a device that somebody attached to live only.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element, element, parse, serialize

URI = "https://holdfast.dev/xmlns/domain/1"
PREFIX = "holdfast"

_ROOT = f"{{{URI}}}domain"
_RELEASING = f"{{{URI}}}releasing"


@dataclass(frozen=True)
class Releasing:
    """A device that was detached while the guest did not answer: its element name, label and alias in live."""

    tag: str
    label: str
    alias: str


def releasing(domain: Element) -> list[Releasing]:
    """The devices that this document says are being released."""
    return [_entry(item) for item in domain.iterfind(f"metadata/{_ROOT}/{_RELEASING}")]


def with_releasing(ours: str | None, entry: Releasing) -> str:
    """Our element (None: there is none yet) with ``entry`` recorded once."""
    root = _root(ours)
    if entry not in map(_entry, root.iterfind(_RELEASING)):
        root.append(element(_RELEASING, {"device": entry.tag, "label": entry.label, "alias": entry.alias}))
    return serialize(root)


def without_releasing(ours: str | None, entry: Releasing) -> str | None:
    """Our element without ``entry``; None when nothing is left in it."""
    root = _root(ours)
    found = [item for item in root.iterfind(_RELEASING) if _entry(item) == entry]
    if not found:
        return ours
    for item in found:
        root.remove(item)
    return serialize(root) if len(root) or root.attrib else None


def _root(ours: str | None) -> Element:
    return parse(ours) if ours else element(_ROOT)


def _entry(item: Element) -> Releasing:
    return Releasing(item.get("device", ""), item.get("label", ""), item.get("alias", ""))
