"""Which disks have another image or are being copied, and which interfaces are on another network, since a document."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.compare.guest_view import device_pairs
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.interface import connected_to
from holdfast.domainxml.elements.mirror import copy_of


def changed_sources(before: Element, after: Element) -> Iterator[str]:
    """A sentence for each disk with another image than before, or that is being copied, and for each interface on
    another network.

    Devices that only one of the documents has are left out: ``compare`` reports those.
    """
    for pair, _ in device_pairs(before, after):
        if pair.before is None or pair.after is None:
            continue
        old, new = _source(pair.before), _source(pair.after)
        if old != new:
            yield f"{pair.after.tag!s} {label(pair.after)} is on {new or 'nothing'}, it was on {old or 'nothing'}"
        old, new = copy_of(pair.before), copy_of(pair.after)
        if old != new:
            done = f"is being copied to {new}" if new else f"is no longer being copied to {old}"
            yield f"{pair.after.tag!s} {label(pair.after)} {done}"


def _source(device: Element) -> str | None:
    if device.tag == "disk":
        return source_of(device)
    return connected_to(device) if device.tag == "interface" else None
