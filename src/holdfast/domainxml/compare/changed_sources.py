"""Where the disks and interfaces of two documents get what they give the guest: what differs, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.compare.guest_view import device_pairs
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.disk import source_of


def changed_sources(before: Element, after: Element) -> Iterator[str]:
    """A sentence for each disk with another image, and each interface on another network, than before.

    Devices that only one of the documents has are left out: the guest's view tells of them.
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
    if device.tag != "interface":
        return None
    kind = device.get("type", "")
    name = value_at(device, f"source@{kind}") or value_at(device, "source@dev")
    return f"{kind} {name}" if name else kind
