"""``<mirror>`` of a disk: the copy that a block job is writing. It stands in live documents only."""

from __future__ import annotations

import copy

from holdfast.domainxml.document import Element, element, remove_children, value_at
from holdfast.domainxml.elements.disk import source_of


def copy_of(disk: Element) -> str | None:
    """Where a copy of ``disk`` is being written, in one word as ``source_of`` has it; None when none is."""
    mirror = disk.find("mirror")
    return None if mirror is None else source_of(mirror) or "elsewhere"


def copy_is_ready(disk: Element) -> bool:
    """True when the copy holds all that the disk holds, so that the guest can go on with the copy."""
    return value_at(disk, "mirror@ready") == "yes"


def is_pivoting(disk: Element) -> bool:
    """True when QEMU was asked to let the guest go on with the copy, and libvirt does not know yet that it has."""
    return value_at(disk, "mirror@ready") == "pivot"


def copied_to(disk: Element) -> Element:
    """A ``<disk>`` with the image that the copy of ``disk`` is written to, and its format."""
    mirror = disk.find("mirror")
    assert mirror is not None
    driver = element("driver", {"type": value_at(mirror, "format@type") or "raw"})
    found = element("disk", {"type": mirror.get("type", "file")}, driver)
    found.extend(copy.deepcopy(mirror.findall("source")))
    return found


def without_copy(device: Element) -> Element:
    """``device`` itself; for a disk that is being copied, a copy of the element that does not say so."""
    if device.find("mirror") is None:
        return device
    rest = copy.deepcopy(device)
    remove_children(rest, "mirror")
    return rest
