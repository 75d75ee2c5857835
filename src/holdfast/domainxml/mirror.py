"""``<mirror>`` of a disk in a live document: the copy that libvirt's block job writes. Config never has one."""

from __future__ import annotations

from holdfast.domainxml.disk import source_of
from holdfast.domainxml.document import Element


def copy_of(disk: Element) -> str | None:
    """Where the copy of a disk is being written, in one word as ``source_of`` has it; None when none is."""
    mirror = disk.find("mirror")
    return None if mirror is None else source_of(mirror) or "elsewhere"


def copy_is_ready(disk: Element) -> bool:
    """True when the copy holds all that the disk holds, so that the disk can go on with it."""
    mirror = disk.find("mirror")
    return mirror is not None and mirror.get("ready") == "yes"
