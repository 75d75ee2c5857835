"""A snapshot that libvirt keeps: what its ``<domainsnapshot>`` document says of memory, disks and hardware."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.number import number_at
from holdfast.errors.documents import NOT_A_NUMBER


@dataclass(frozen=True)
class StoredSnapshot:
    """A snapshot as libvirt describes it.

    ``state``     the state that the domain was in: "running", "paused", "shutoff"; "disk-snapshot" without its memory
    ``created``   ISO 8601, UTC
    ``memory``    "internal" (in the first image), "external" (in ``memory_file``) or "no"
    ``inside``    the targets of the disks whose images hold the snapshot inside them
    ``overlays``  target → the file that the disk has been writing to since, for disks of an external snapshot
    ``taken``     the document that the domain had, live if it ran; None in snapshots of libvirt before 0.9.5
    ``config``    the config document that it had; None where ``taken`` is
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
        """The document that a guest has after a revert; None where the revert leaves the domain shut off."""
        return None if self.memory == "no" else self.taken

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were made for the snapshot: its overlays, and the file with the memory."""
        return (*self.overlays.values(), *([self.memory_file] if self.memory_file else []))

    def images(self) -> dict[str, str]:
        """Target → image of every disk that could be written when the snapshot was made."""
        return {} if self.taken is None else written_images(self.taken)

    def images_inside(self) -> dict[str, str]:
        """Target → image of every disk that a revert writes to, because the snapshot is inside that image."""
        return {target: image for target, image in self.images().items() if target in self.inside}


def read_snapshot(text: str) -> StoredSnapshot:
    """Read the document of a snapshot, as libvirt writes it. Raises InvalidDocument."""
    root = parse(text, "domainsnapshot")
    memory = root.find("memory")
    kind = "no" if memory is None else memory.get("snapshot", "no")
    disks = {place: root.findall(f"disks/disk[@snapshot='{place}']") for place in ("internal", "external")}
    domain, inactive = whole_document(root.find("domain")), whole_document(root.find("inactiveDomain"))
    if inactive is not None:
        inactive.tag = "domain"  # it is one, for whoever is given it
    return StoredSnapshot(
        name=root.findtext("name", ""),
        description=root.findtext("description", ""),
        state=root.findtext("state", ""),
        created=_time(root),
        parent=root.findtext("parent/name"),
        memory=kind,
        memory_file=None if memory is None else memory.get("file"),
        inside=frozenset(disk.get("name", "") for disk in disks["internal"]),
        overlays={disk.get("name", ""): source_of(disk) or "" for disk in disks["external"]},
        is_external=bool(disks["external"]) or kind == "external",
        taken=domain,
        config=domain if inactive is None else inactive,
    )


def _time(root: Element) -> str:
    seconds = number_at(root, "creationTime")
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError) as error:  # after the year 9999
        raise NOT_A_NUMBER(place="domainsnapshot/creationTime", text=str(seconds)) from error


def whole_document(domain: Element | None) -> Element | None:
    """``domain``, a document inside a snapshot's; None for the mere UUID that old snapshots have in its place."""
    return None if domain is None or domain.find("devices") is None else domain


def written_images(domain: Element) -> dict[str, str]:
    """Target → image of every disk of ``domain`` that can be written."""
    return {
        label(disk): source
        for disk in domain.iterfind("devices/disk")
        if (source := source_of(disk)) is not None and disk.get("device") != "cdrom" and disk.find("readonly") is None
    }
