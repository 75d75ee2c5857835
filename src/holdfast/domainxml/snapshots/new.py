"""Asking libvirt for a snapshot: which disks can be part of it, and the ``<domainsnapshot>`` document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, element, serialize
from holdfast.domainxml.elements.disk import is_shared, source_of, stated_format


@dataclass(frozen=True)
class CandidateDisk:
    """A disk of a domain of which a snapshot is to be made, and whether it can be part of it.

    ``target``, ``source``  the disk and its image; "" for an empty drive
    ``is_device``           true for an image that is a block device
    ``left_out``            why the disk is left out: nothing on it can change; else None
    ``impossible``          why there can be no snapshot with this disk; else None
    """

    target: str
    source: str
    is_device: bool
    left_out: str | None = None
    impossible: str | None = None


def candidate_disks(domain: Element, *, external: bool) -> list[CandidateDisk]:
    """Every disk of ``domain``, judged for a snapshot that is ``external``, or inside the images."""
    return [_candidate(disk, external) for disk in domain.iterfind("devices/disk")]


def _candidate(disk: Element, external: bool) -> CandidateDisk:
    kind, source = disk.get("type", "file"), source_of(disk)
    left_out = _why_left_out(disk, source)
    impossible = None if left_out else _why_impossible(disk, kind, external)
    return CandidateDisk(label(disk), source or "", kind == "block", left_out, impossible)


def _why_left_out(disk: Element, source: str | None) -> str | None:
    if source is None:
        return "it is empty"
    if disk.get("device") == "cdrom" or disk.find("readonly") is not None:
        return "it is read-only"
    return "its element says snapshot='no'" if disk.get("snapshot") == "no" else None


def _why_impossible(disk: Element, kind: str, external: bool) -> str | None:
    if kind not in ("file", "block"):
        return f"it is of the type {kind}"
    if disk.get("device") in ("lun", "floppy"):
        return f"it is a {disk.get('device')}"
    if is_shared(disk):
        return "other domains may write it too"
    format = stated_format(disk)
    if not external and format != "qcow2":
        return f"its image is {format}, and only qcow2 holds internal snapshots"
    return None


def new_snapshot(
    name: str,
    description: str,
    *,
    internal: Iterable[str] = (),
    overlays: dict[str, str] | None = None,
    left_out: Iterable[str] = (),
    memory_file: str | None = None,
) -> str:
    """The document that asks for a snapshot. It names every disk of the domain, so that nothing is left to libvirt.

    ``internal`` and ``left_out`` are targets, ``overlays`` is target → new file. Without ``memory_file`` the flags of
    the call decide whether memory is part of the snapshot.
    """
    disks = [element("disk", {"name": target, "snapshot": "internal"}) for target in internal]
    for target, path in (overlays or {}).items():
        driver, source = element("driver", {"type": "qcow2"}), element("source", {"file": path})
        disks.append(element("disk", {"name": target, "snapshot": "external"}, driver, source))
    disks += [element("disk", {"name": target, "snapshot": "no"}) for target in left_out]
    parts = [element("name", text=name), element("disks", None, *disks)]
    if description:
        parts.append(element("description", text=description))
    if memory_file is not None:
        parts.append(element("memory", {"snapshot": "external", "file": memory_file}))
    return serialize(element("domainsnapshot", None, *parts))
