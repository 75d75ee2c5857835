"""Missing images of a domain, with all that is known of them.

Whatever would start the domain, and whatever looks at it beforehand, reports them in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.domainxml.device import describe, label, lookup
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import backing_files, is_optional, source_of, stated_format
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.records.disk_record import disk_record, has_recorded_volume
from holdfast.domainxml.snapshots.stored import read_snapshot
from holdfast.errors import HoldfastError, NoConnection
from holdfast.errors.disks import IMAGE_MISSING
from holdfast.hostfiles.host_devices import has_start_hook
from holdfast.hostfiles.images.image import first_missing
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.disk_source import local_path
from holdfast.operations.documents import Documents
from holdfast.operations.image_access import by_pool, sees_our_files
from holdfast.operations.session import OpenDomain


def refuse_missing_images(domain: OpenDomain, disks: Iterable[Element]) -> None:
    """Raise IMAGE_MISSING where an image of ``disks``, or one that it rests on, is missing.

    Where this host has a start hook, which libvirt runs first and which may make the image, it is left to libvirt to
    refuse the start of a domain that is shut off.
    """
    documents = domain.documents
    if documents.live is None and has_start_hook():
        return
    found = images_missing(domain.connection, domain, documents, disks)
    if missing := [outlook.sentence for outlook in found if outlook.stops]:
        raise IMAGE_MISSING(name=domain.name, missing=missing)


def images_missing(
    connection: Connection, domain: Domain, documents: Documents, disks: Iterable[Element]
) -> Iterator[Outlook]:
    """For each of ``disks`` whose image, or one that it rests on, is missing: what is known of it.

    What cannot be seen is reported as unknown. Disks without which libvirt starts a domain are left out.
    (virDomainListAllSnapshots, where one is missing)
    """
    if not sees_our_files(connection):
        yield Outlook(Effect.UNKNOWN, "disk", "whether its images are there cannot be seen from here")
        return
    for disk in disks:
        path = None if is_optional(disk) else local_path(connection, disk)
        try:
            missing = None if path is None else first_missing(path, stated_format(disk), by_pool(connection))
        except NoConnection:
            raise
        except HoldfastError as error:
            sentence = f"{describe(disk)}: whether everything that {path} rests on exists is not known: {error.message}"
            yield Outlook(Effect.UNKNOWN, "disk", sentence)
            continue
        if missing is not None:
            file, above = missing
            known = "".join(f"; {each}" for each in _known_besides(domain, documents, disk))
            rest = f", on which {above} rests" if above else known
            yield Outlook(Effect.BLOCKS, "disk", f"{describe(disk)}: there is no image {file}{rest}")


def _known_besides(domain: Domain, documents: Documents, disk: Element) -> Iterator[str]:
    """What is known of a ``disk`` besides the path that its document names, in sentences.

    Where that path is an overlay, or a copy made since, the recorded volume is older than the missing image.
    """
    record = None if documents.config is None else disk_record(documents.config, disk)
    if record is not None and record.volume and has_recorded_volume(record, disk):
        yield f"it is recorded as the volume {record.volume}"
    elif record is not None and record.volume:
        had = f"had the path {record.path}" if record.path else "is not known to have had that path"
        yield f"the volume {record.volume} recorded for it {had}, so it is not used"
    if below := list(_named_below(domain, documents, disk)):
        yield f"it rests on {', '.join(below)}"


def _named_below(domain: Domain, documents: Documents, disk: Element) -> Iterator[str]:
    """What the documents, or else the snapshots of ``domain`` say that the image of ``disk`` rests on."""
    target, image = label(disk), source_of(disk)
    same = (lookup(document, target, "disk") for document in documents.present.values())
    for found in (disk, *(each for each in same if each is not None and source_of(each) == image)):
        if files := backing_files(found):
            yield from files
            return
    for stored in (read_snapshot(snapshot.xml()) for snapshot in snapshots(domain)):
        if stored.overlays.get(target) == image and (below := stored.images().get(target)) is not None:
            yield below
