"""``<mirror>`` of a disk in a live document: the copy that libvirt's block job writes. Config never has one."""

from __future__ import annotations

import copy

from holdfast.domainxml.document import Element, element
from holdfast.domainxml.elements.disk import source_of


def copy_of(disk: Element) -> str | None:
    """Where the copy of a disk is being written, in one word as ``source_of`` has it; None when none is."""
    mirror = disk.find("mirror")
    return None if mirror is None else source_of(mirror) or "elsewhere"


def copy_is_ready(disk: Element) -> bool:
    """True when the copy holds all that the disk holds, so that the disk can go on with it."""
    mirror = disk.find("mirror")
    return mirror is not None and mirror.get("ready") == "yes"


def copied_to(disk: Element) -> Element:
    """A ``<disk>`` element with the image that the copy is written to, and its format."""
    mirror = disk.find("mirror")
    assert mirror is not None
    format = mirror.find("format")
    driver = element("driver", {"type": "raw" if format is None else format.get("type", "raw")})
    found = element("disk", {"type": mirror.get("type", "file")}, driver)
    found.extend(copy.deepcopy(mirror.findall("source")))
    return found


def without_copy(device: Element) -> Element:
    """``device`` itself, or for a disk that is being copied one that does not say so."""
    if device.find("mirror") is None:
        return device
    rest = copy.deepcopy(device)
    for mirror in rest.findall("mirror"):
        rest.remove(mirror)
    return rest
