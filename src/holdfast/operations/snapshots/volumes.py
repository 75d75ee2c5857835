"""The record of a disk while its image changes with snapshots: it names the volume whose path the document has."""

from __future__ import annotations

from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.records.disk_record import on_volume, recorded_disk
from holdfast.operations.disks.image_size import in_pool
from holdfast.operations.disks.keep_record import record_disk
from holdfast.operations.documents import Documents
from holdfast.operations.session import OpenDomain


def follow_images(domain: OpenDomain, before: Documents) -> None:
    """Record the volume of each recorded disk whose image has changed since ``before`` (virDomainSetMetadata).

    For an overlay that its pool does not list, no volume is recorded: otherwise a repair would take the image below it
    for the disk's own.
    """
    for definition, document in domain.documents.present.items():
        old = before.get(definition)
        for record in facts(document, DiskRecord):
            disk = recorded_disk(document, record)
            then = None if old is None else recorded_disk(old, record)
            if disk is None or then is None or source_of(disk) == source_of(then):
                continue
            now = on_volume(record, disk, in_pool(domain.connection, disk))
            if now != record:
                record_disk(domain, now, [definition])
