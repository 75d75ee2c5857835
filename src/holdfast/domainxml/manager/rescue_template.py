"""The document that a manager generates for a rescue: only its media and its kernel are taken from it."""

from __future__ import annotations

import copy

from holdfast.domainxml.document import Element, child, remove_children
from holdfast.errors.documents import NO_RESCUE_IMAGE

SUFFIX = ".rescue"
"""How the names of images end that only a rescue has; Nova keeps them beside the instance's: disk.config.rescue."""

_KERNEL = ("kernel", "initrd", "cmdline")


def rescue_medium(template: Element) -> Element:
    """The disk that the rescue of ``template`` boots from, without place and target. Raises NO_RESCUE_IMAGE."""
    for disk in template.iterfind("devices/disk"):
        name = _image(disk)
        if name.endswith(SUFFIX) and not name.endswith(f".config{SUFFIX}"):
            medium = copy.deepcopy(disk)
            remove_children(medium, "address", "alias", "boot")
            for target in medium.iterfind("target"):
                target.attrib.pop("dev", None)
            return medium
    raise NO_RESCUE_IMAGE(suffix=SUFFIX)


def take_rescue_sources(document: Element, template: Element) -> None:
    """Let the rescue ``document``, in place, have the image of ``template`` for its config drive, and its kernel."""
    sources = {
        _image(disk).removesuffix(SUFFIX): source
        for disk in template.iterfind("devices/disk")
        if _image(disk).endswith(SUFFIX) and (source := disk.find("source")) is not None
    }
    for disk in document.iterfind("devices/disk"):
        old = disk.find("source")
        if old is not None and _image(disk).endswith(".config") and _image(disk) in sources:
            disk.replace(old, copy.deepcopy(sources[_image(disk)]))
    mine, theirs = child(document, "os"), template.find("os")
    if theirs is not None and theirs.find("kernel") is not None:
        remove_children(mine, *_KERNEL)
        for tag in _KERNEL:
            mine.extend(copy.deepcopy(node) for node in theirs.findall(tag))


def is_rescue_document(domain: Element) -> bool:
    """True for a document that a manager generated for a rescue: one of its disks has an image of a rescue's own."""
    return any(_image(disk).endswith(SUFFIX) for disk in domain.iterfind("devices/disk"))


def _image(disk: Element) -> str:
    """Where the image of a disk is: its path, or its name on the network."""
    source = disk.find("source")
    return "" if source is None else source.get("file") or source.get("dev") or source.get("name") or ""
