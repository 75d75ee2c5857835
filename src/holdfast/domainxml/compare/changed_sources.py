"""Which disks have another image, and which interfaces are on another network, from one document to the other."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.compare.guest_view import device_pairs
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.interface import connected_to


def changed_sources(before: Element, after: Element) -> Iterator[str]:
    """A sentence for each disk with another image than before, and for each interface on another network.

    Devices that only one of the documents has are left out: ``compare`` reports those.
    """
    for pair, _ in device_pairs(before, after):
        if pair.before is None or pair.after is None:
            continue
        old, new = _source(pair.before), _source(pair.after)
        if old != new:
            yield f"{pair.after.tag!s} {label(pair.after)} is on {new or 'nothing'}, it was on {old or 'nothing'}"


def _source(device: Element) -> str | None:
    if device.tag == "disk":
        return source_of(device)
    return connected_to(device) if device.tag == "interface" else None
