"""Which files of the host a document names, and which of its images belong to its domain alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.records.disk_record import disk_record

_NAMES = ("file", "dev", "dir", "path")


@dataclass(frozen=True)
class DiskImage:
    """The image of one disk.

    ``target``            the disk
    ``source``            where the image is, in one word: a path, POOL/VOLUME or a URL
    ``pool``, ``volume``  set where libvirt looks the image up in a pool
    ``kept``              why the image is not the domain's own; None where it is, as far as this document says
    ``delete``            what is recorded of deleting it with the domain: "yes", "no" or ""
    """

    target: str
    source: str
    pool: str | None
    volume: str | None
    kept: str | None
    delete: str


def disk_images(domain: Element) -> list[DiskImage]:
    """The image of every disk of ``domain`` that has one, in document order."""
    found = []
    for disk in domain.iterfind("devices/disk"):
        name, source = source_of(disk), disk.find("source")
        if name is not None and source is not None:
            record = disk_record(domain, disk) or DiskRecord("")
            kept = None if record.place == name else _why_kept(disk)
            kept = "recorded to stay" if record.delete == "no" else kept
            found.append(DiskImage(label(disk), name, source.get("pool"), source.get("volume"), kept, record.delete))
    return found


def _why_kept(disk: Element) -> str | None:
    device = disk.get("device", "disk")
    if device != "disk":
        return f"the medium of a {device}"
    if is_shared(disk):
        return "read-only or shareable"
    if disk.get("type") not in ("file", "volume"):
        return f"not a file but {disk.get('type')}"
    return None


def named_paths(domain: Element) -> set[str]:
    """Every path of the host that stands anywhere in ``domain``, those of firmware and backing files included."""
    return set(_paths(domain))


def names_anywhere(domain: Element, path: str) -> bool:
    """True when ``path`` stands anywhere in ``domain``, also in the middle of a value (``<qemu:commandline>``)."""
    return any(path in text for node in domain.iter() for text in (node.text or "", *node.attrib.values()))


def _paths(domain: Element) -> Iterator[str]:
    for node in domain.iterfind("os/*"):
        yield from (text for text in (node.text, node.get("template")) if text and text.startswith("/"))
    for node in domain.iterfind("devices//*"):
        yield from (value for name in _NAMES if (value := node.get(name, "")).startswith("/"))


def has_tpm_state(domain: Element) -> bool:
    """True when libvirt keeps the state of an emulated TPM for ``domain``."""
    return domain.find("devices/tpm/backend[@type='emulator']") is not None
