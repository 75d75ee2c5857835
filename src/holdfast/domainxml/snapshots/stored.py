"""The ``<domainsnapshot>`` document: what one holds, how a new one is asked for, and which disks can be part of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, element, parse, serialize
from holdfast.domainxml.elements.disk import is_shared, source_of, stated_format
from holdfast.domainxml.snapshots.carry_metadata import carry


@dataclass(frozen=True)
class StoredSnapshot:
    """A snapshot as libvirt describes it.

    ``state``     what the domain was in: "running", "paused", "shutoff"; "disk-snapshot" where its memory is not part
    ``created``   ISO 8601, UTC
    ``memory``    "internal" (in the first image), "external" (in ``memory_file``) or "no"
    ``inside``    the targets of the disks whose images have it inside them
    ``overlays``  target → the file that each disk of an external one has been writing to since
    ``taken``     the document that the domain had, the live one where it ran; None in those of libvirt before 0.9.5
    ``config``    its config document; None where ``taken`` is
    """

    name: str
    description: str
    state: str
    created: str
    parent: str | None
    memory: str
    memory_file: str | None
    inside: frozenset[str]
    overlays: dict[str, str]
    is_external: bool
    taken: Element | None
    config: Element | None

    @property
    def live(self) -> Element | None:
        """The document that a revert gives to a guest; None where it leaves the domain shut off."""
        return None if self.memory == "no" else self.taken

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were made for it: overlays, and the one with its memory."""
        return (*self.overlays.values(), *([self.memory_file] if self.memory_file else []))

    def images(self) -> dict[str, str]:
        """Target → image of every disk it had when it was made that could be written."""
        return {} if self.taken is None else written_images(self.taken)

    def images_inside(self) -> dict[str, str]:
        """Target → image of every disk that a revert rewrites, for it is inside that image."""
        return {target: image for target, image in self.images().items() if target in self.inside}


def read_snapshot(text: str) -> StoredSnapshot:
    """Read a snapshot's document as libvirt prints it. Raises InvalidDocument."""
    root = parse(text, "domainsnapshot")
    memory = root.find("memory")
    kind = "no" if memory is None else memory.get("snapshot", "no")
    disks = {place: root.findall(f"disks/disk[@snapshot='{place}']") for place in ("internal", "external")}
    domain, inactive = _whole(root.find("domain")), _whole(root.find("inactiveDomain"))
    return StoredSnapshot(
        name=root.findtext("name", ""),
        description=root.findtext("description", ""),
        state=root.findtext("state", ""),
        created=datetime.fromtimestamp(int(root.findtext("creationTime", "0")), UTC).isoformat(),
        parent=root.findtext("parent/name"),
        memory=kind,
        memory_file=None if memory is None else memory.get("file"),
        inside=frozenset(disk.get("name", "") for disk in disks["internal"]),
        overlays={disk.get("name", ""): source_of(disk) or "" for disk in disks["external"]},
        is_external=bool(disks["external"]) or kind == "external",
        taken=domain,
        config=domain if inactive is None else inactive,
    )


def _whole(domain: Element | None) -> Element | None:
    """None for the mere UUID that old snapshots have in place of a document."""
    return None if domain is None or domain.find("devices") is None else domain


def with_metadata_of(text: str, live: Element | None, config: Element | None) -> str:
    """The snapshot's document, with title, description and metadata that the domain has today in its own documents.

    ``live`` and ``config`` are today's documents; a revert would otherwise bring back those of then.
    """
    root = parse(text, "domainsnapshot")
    domain, inactive = _whole(root.find("domain")), _whole(root.find("inactiveDomain"))
    today = config if config is not None else live
    for then, now in ((domain, live if inactive is not None and live is not None else today), (inactive, today)):
        if then is not None and now is not None:
            carry(now, then)
    return serialize(root)


@dataclass(frozen=True)
class CandidateDisk:
    """Whether a disk can be part of a snapshot: ``left_out`` and ``impossible`` say why not, else both are None.

    ``left_out`` disks have nothing that could change; ``impossible`` ones stand in the way.
    """

    target: str
    source: str
    is_device: bool
    left_out: str | None = None
    impossible: str | None = None


def candidate_disks(domain: Element, *, external: bool) -> list[CandidateDisk]:
    """Which disks of a document can be part of a snapshot, and why not the others."""
    return [_membership(disk, external) for disk in domain.iterfind("devices/disk")]


def _membership(disk: Element, external: bool) -> CandidateDisk:
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


def written_images(domain: Element) -> dict[str, str]:
    """Target → image of every disk of a document that can be written."""
    return {
        label(disk): source
        for disk in domain.iterfind("devices/disk")
        if (source := source_of(disk)) is not None and disk.get("device") != "cdrom" and disk.find("readonly") is None
    }


def new_snapshot(
    name: str,
    description: str,
    *,
    internal: Iterable[str] = (),
    overlays: dict[str, str] | None = None,
    left_out: Iterable[str] = (),
    memory_file: str | None = None,
) -> str:
    """The document that asks for a snapshot: every disk of the domain by its target, so that libvirt chooses nothing.

    ``overlays`` is target → new file. Without ``memory_file`` libvirt decides by its flags whether memory is part.
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
