"""What is recorded of each disk (:class:`DiskRecord`): which disk a record is of, and what it leaves unfinished.

A record belongs to the disk with the recorded alias. All disks that Holdfast attaches have a user's alias; so a record
survives whoever changes the target or the image, and a disk that somebody else attaches at the same target is not taken
for the recorded one. Where the disk had no such alias when it was recorded, because others made the domain, the record
belongs to the disk with the recorded target. Each document holds the records of its own disks: a disk that is detached
from config alone keeps its record in live.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, remove_from_parent, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import (
    Adopted,
    Attaching,
    BeingMoved,
    Creating,
    Deleting,
    Detaching,
    DiskRecord,
    Pivoting,
    Snapshotting,
)
from holdfast.domainxml.metadata import OURS, fact, facts, tag_of

ROLES = ("root", "ephemeral", "swap", "config", "volume", "cdrom")
"""What a disk can be for."""


def new_record(
    disk: Element, *, role: str = "", image: str = "", id: str = "", volume: str = "", delete: str = "", place: str = ""
) -> DiskRecord:
    """A record of ``disk`` that says this; see :class:`DiskRecord` for the words."""
    new = DiskRecord(target_of(disk), user_alias(disk) or "", role, image, id, delete=delete, place=place)
    return on_volume(new, disk, volume)


def on_volume(record: DiskRecord, disk: Element, volume: str) -> DiskRecord:
    """``record`` of a ``disk`` whose document has the path of ``volume`` (POOL/VOLUME); "" where no pool has it."""
    return replace(record, volume=volume, path=(source_of(disk) or "") if volume else "")


def has_recorded_volume(record: DiskRecord, disk: Element) -> bool:
    """True when ``disk`` names the file that was the recorded volume when that was recorded.

    Where it names another one (an overlay, the target of a copy), the volume is an older state of the disk, or no state
    of it at all, and so while a copy is being made, whose volume is recorded meanwhile.
    """
    return bool(record.volume and record.path) and record.path == source_of(disk)


def usual_role(disk: Element) -> str:
    """The role of a disk that is attached to an existing domain, where none is given."""
    return "cdrom" if disk.get("device") in ("cdrom", "floppy") else "volume"


def usual_record(disk: Element) -> DiskRecord:
    """What is recorded about a disk where nothing is stated."""
    return new_record(disk, role=usual_role(disk))


def disk_record(domain: Element, disk: Element) -> DiskRecord | None:
    """What the document ``domain`` records of its ``disk``; None where it records nothing.

    Where the disk has the image that was being made for it, the record is the settled one.
    """
    record = next((record for record in facts(domain, DiskRecord) if is_of(record, disk)), None)
    return record if record is None or source_of(disk) != record.place else record.settled


def recorded_disk(domain: Element, record: DiskRecord) -> Element | None:
    """The disk of ``domain`` that ``record`` is of; None when ``domain`` has no such disk."""
    return next((disk for disk in domain.iterfind("devices/disk") if is_of(record, disk)), None)


def is_of(record: DiskRecord, disk: Element) -> bool:
    """True when ``record`` is of ``disk``."""
    return record.alias == user_alias(disk) if record.alias else record.target == target_of(disk)


def record_elements(domain: Element) -> list[tuple[Element, DiskRecord]]:
    """Every record of a disk in the document ``domain``, with its element."""
    elements = domain.iterfind(f"metadata/{OURS}/{tag_of(DiskRecord)}")
    return list(zip(elements, facts(domain, DiskRecord), strict=True))


def record_element(domain: Element, disk: Element) -> Element | None:
    """The element of the record of ``disk`` in the document ``domain``; None where nothing is recorded of it."""
    return next((element for element, record in record_elements(domain) if is_of(record, disk)), None)


def rename_record(domain: Element, disk: Element, target: str | None) -> None:
    """Let the record of ``disk`` name another ``target``; with None the record is taken out of the document."""
    for element, record in record_elements(domain):
        if not is_of(record, disk):
            continue
        if target is None:
            remove_from_parent(element)
        else:
            element.set("target", target)


def left_in_making(domain: Element) -> list[DiskRecord]:
    """The records of images that are being made for ``domain``, or were being made when something broke.

    An image that a disk has already is whole, and left out: the disk is given it last.
    """
    return _left_in_making(domain, facts(domain, DiskRecord))


def _left_in_making(domain: Element, records: list[DiskRecord]) -> list[DiskRecord]:
    return [record for record in records if record.in_making and not has_image(domain, record)]


def unsettled_pivot(domain: Element, disk: Element) -> Pivoting | None:
    """The record that ``disk``, as the document ``domain`` has it, may have switched to a copy; None where it has not,
    as whoever records it knows, or where the document names the copy already, or a third image.
    """
    found = [each for each in facts(domain, Pivoting) if each.target == target_of(disk) and each.old == source_of(disk)]
    return next(iter(found), None)


def unfinished(domain: Element) -> Iterator[str]:
    """What ``domain`` records as begun and not finished, in sentences. It is being done, or something broke."""
    yield from _not_whole(domain)
    for begun in facts(domain, Attaching):
        yield f"the attach of {begun.device} {begun.alias} is under way, or was interrupted"
    for gone in facts(domain, Detaching):
        yield f"the detach of {gone.device} {gone.label} is under way, or was interrupted"
    for snapshot in dict.fromkeys(entry.snapshot for entry in facts(domain, Snapshotting)):
        yield f"the snapshot {snapshot!r} is being made, or was interrupted"
    for disk in domain.iterfind("devices/disk"):
        if (pivot := unsettled_pivot(domain, disk)) is not None:
            yield f"the disk {pivot.target} is switching from {pivot.old} to {pivot.new}, or was interrupted"
    records = facts(domain, DiskRecord)
    moved = [record.target for record in records if record.in_making]
    images = {target_of(disk): source_of(disk) for disk in domain.iterfind("devices/disk")}
    for entry in facts(domain, Pivoting):
        if images.get(entry.target) == entry.new and entry.target not in moved:
            yield f"the disk {entry.target} has switched to {entry.new}, but what follows is not done yet"
    for record in _left_in_making(domain, records):
        if recorded_disk(domain, record) is None:
            yield f"an image for {record.target} is being made at {record.where}, or was interrupted"
        else:
            yield f"the disk {record.target} is being moved to {record.where}, or was interrupted"
    for record in records:
        if not record.in_making or not has_image(domain, record):
            continue
        if record.old:
            yield f"the disk {record.target} was moved to {record.where}, and {record.old} was to be removed"
        else:
            yield f"the image {record.where} was made for {record.target}, which is not recorded yet"


def _not_whole(domain: Element) -> Iterator[str]:
    arriving, creating = fact(domain, BeingMoved), fact(domain, Creating)
    if arriving is not None:
        yield f"its move from {arriving.host}, begun at {arriving.since}, is not finished: it may be there still"
    elif creating is not None:
        yield f"its creation, begun at {creating.since}, is not finished: it has no devices yet"
    deleting = fact(domain, Deleting)
    if deleting is not None:
        yield f"its deletion, begun at {deleting.since}, is not finished: some or all of its images are gone"


def disagreements(domain: Element) -> Iterator[str]:
    """Where a document and its records of disks do not agree, in sentences.

    Disks without a record are named if the domain is adopted. The recorded id of a volume is compared with the serial
    that Nova gives to its disk.
    """
    adopted = fact(domain, Adopted)
    records = facts(domain, DiskRecord)
    for record in records:
        disk = recorded_disk(domain, record)
        if disk is None and not record.in_making:
            yield f"{record.target} is recorded as {record.role or 'a disk'}, but the document has no such disk"
        serial = "" if disk is None else disk.findtext("serial", "")
        if disk is not None and adopted is not None and adopted.origin == "nova" and record.id not in ("", serial):
            yield f"{record.target} is recorded as the volume {record.id}, but its serial is {serial or 'not set'}"
        is_drive = disk is None or usual_role(disk) == "cdrom"  # its medium comes and goes
        if disk is not None and record.path and not (is_drive or record.in_making or has_recorded_volume(record, disk)):
            volume, image = f"{record.volume} at {record.path}", source_of(disk) or "nothing"
            yield f"{record.target} is recorded as the volume {volume}, but its image is {image}"
    for disk in domain.iterfind("devices/disk") if adopted is not None else ():
        if not any(is_of(record, disk) for record in records):
            yield f"nothing is recorded about {target_of(disk)}, although the domain is adopted"


def records_apart(live: Element, config: Element) -> Iterator[str]:
    """The disks of which ``live`` and ``config`` record different things, as an interrupted command leaves it."""
    for disk in live.iterfind("devices/disk"):
        now, then = disk_record(live, disk), disk_record(config, disk)
        if now is not None and then is not None and now.settled != then.settled:
            yield f"what is recorded about {target_of(disk)} differs between live and config"


def has_image(domain: Element, record: DiskRecord) -> bool:
    """True when ``domain`` has the recorded disk, with the image at the recorded place."""
    disk = recorded_disk(domain, record)
    return disk is not None and source_of(disk) == record.place


def target_of(disk: Element) -> str:
    """The target of ``disk``; empty where the document gives none."""
    return value_at(disk, "target@dev") or ""
