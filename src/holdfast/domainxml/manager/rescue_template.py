"""A rescue as a manager describes it: a document of its own, of which only the media and the kernel are taken."""

from __future__ import annotations

import copy

from holdfast.domainxml.document import Element, child
from holdfast.errors.documents import NO_RESCUE_IMAGE

SUFFIX = ".rescue"
"""How Nova names the images that only a rescue has, beside those of the instance: disk.rescue, disk.config.rescue."""

_KERNEL = ("kernel", "initrd", "cmdline")


def rescue_medium(template: Element) -> Element:
    """The disk that ``template`` boots a rescue from, without place and name. Raises NO_RESCUE_IMAGE."""
    for disk in template.iterfind("devices/disk"):
        name = _image(disk)
        if name.endswith(SUFFIX) and not name.endswith(f".config{SUFFIX}"):
            medium = copy.deepcopy(disk)
            for tag in ("address", "alias", "boot"):
                for node in medium.findall(tag):
                    medium.remove(node)
            for target in medium.iterfind("target"):
                target.attrib.pop("dev", None)
            return medium
    raise NO_RESCUE_IMAGE(suffix=SUFFIX)


def take_rescue_sources(document: Element, template: Element) -> None:
    """Let ``document`` have, in place, the images that ``template`` has for its own disks, and the kernel it boots."""
    sources = {
        _image(disk).removesuffix(SUFFIX): source
        for disk in template.iterfind("devices/disk")
        if _image(disk).endswith(SUFFIX) and (source := disk.find("source")) is not None
    }
    for disk in document.iterfind("devices/disk"):
        old = disk.find("source")
        if old is not None and _image(disk).endswith(".config") and _image(disk) in sources:
            disk.replace(old, copy.deepcopy(sources[_image(disk)]))
    os, wanted = child(document, "os"), template.find("os")
    if wanted is not None and wanted.find("kernel") is not None:
        for tag in _KERNEL:
            for node in os.findall(tag):
                os.remove(node)
            os.extend(copy.deepcopy(node) for node in wanted.findall(tag))


def is_rescue_document(domain: Element) -> bool:
    """True for a document that a manager made to boot a rescue from: one of its disks is a rescue's own."""
    return any(_image(disk).endswith(SUFFIX) for disk in domain.iterfind("devices/disk"))


def _image(disk: Element) -> str:
    """Where the image of a disk is: its path, or its name on the network."""
    source = disk.find("source")
    return "" if source is None else source.get("file") or source.get("dev") or source.get("name") or ""
