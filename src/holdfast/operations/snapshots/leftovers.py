"""What is left of a snapshot whose making was interrupted: our record names it, and making it again removes it.

libvirt itself takes a failed snapshot back. Only when libvirt or the host dies in the middle does something stay: a
new file, or an internal snapshot in some of the images, of which libvirt knows nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from holdfast.domainxml.device import label
from holdfast.domainxml.elements.disk import host_path
from holdfast.domainxml.fact import Snapshotting
from holdfast.domainxml.host.image_files import named_paths
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.snapshots.new import candidate_disks
from holdfast.errors import Failed, NotFound
from holdfast.errors import snapshots as errors
from holdfast.errors.disks import OVERLAY_IS_NEWER
from holdfast.hostfiles.image_lock import is_held_open
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.images.image import file_identity
from holdfast.hostfiles.images.internal_snapshot import internal_snapshots, remove_internal
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disks.known_files import about_attached_image, known_files
from holdfast.operations.disks.missing_image import refuse_missing_images
from holdfast.operations.disks.newest_image import refuse_older_image, was_written
from holdfast.operations.disks.own_images import remove_image
from holdfast.operations.documents import Documents
from holdfast.operations.facts import forget_fact
from holdfast.operations.image_access import by_pool
from holdfast.operations.session import OpenDomain


def unfinished_snapshots(documents: Documents) -> list[Snapshotting]:
    """The records of snapshots that are being made, or whose making was interrupted."""
    return [] if documents.config is None else facts(documents.config, Snapshotting)


def has_internal_snapshot(connection: Connection, image: str, snapshot: str) -> bool:
    """True when a qcow2 image has an internal snapshot of this name; False where it cannot be read from here."""
    try:
        return snapshot in internal_snapshots(image, by_pool(connection)).values()
    except (Failed, NotFound):
        return False  # unknown to this user: libvirt and QEMU look for themselves


def forget_unfinished(domain: OpenDomain, settled: Collection[str]) -> None:
    """Forget the records of the snapshots ``settled``, which nobody is making any more."""
    for entry in unfinished_snapshots(domain.documents):
        if entry.snapshot in settled:
            forget_fact(domain, entry, Definition.CONFIG)


def overlays_in_use(domain: OpenDomain, snapshot: str) -> dict[str, str]:
    """Target → overlay that was recorded for ``snapshot``, of each disk that has one now, in either document.

    libvirt (9.0) lets the disks have them, cannot write that to disk, and forgets the snapshot.
    """
    ours = [entry.file for entry in unfinished_snapshots(domain.documents) if entry.snapshot == snapshot]
    return {
        label(disk): path
        for document in domain.documents.present.values()
        for disk in document.iterfind("devices/disk")
        if (path := host_path(disk)) is not None and path in ours
    }


def remove_leftovers(domain: OpenDomain, snapshot: str) -> None:
    """Remove what our record tells of an interrupted ``snapshot``, and the record.

    Raises LEFT_IN_USE where one of its files is in use after all, OVERLAY_IS_NEWER where a disk has one or the guest
    has written to one, IMAGE_MISSING where config names one that is gone, and LEFT_ELSEWHERE where they cannot be
    looked at.
    """
    for entry in [entry for entry in unfinished_snapshots(domain.documents) if entry.snapshot == snapshot]:
        if not domain.connection.is_local:
            raise errors.LEFT_ELSEWHERE(snapshot=snapshot)
        if entry.file:
            _remove_file(domain, entry)
        else:
            _remove_internal(domain, snapshot)
        forget_fact(domain, entry, Definition.CONFIG)


def _remove_file(domain: OpenDomain, entry: Snapshotting) -> None:
    seen = file_identity(entry.file)
    if was_written(entry.file):
        refuse_older_image(domain)
    overlays = overlays_in_use(domain, entry.snapshot)
    if overlays and domain.documents.config is not None:
        refuse_missing_images(domain, domain.documents.config.iterfind("devices/disk"))
    for target, overlay in overlays.items():
        for below in files_below(overlay)[:1]:
            name, snapshot = domain.name, entry.snapshot
            raise OVERLAY_IS_NEWER(name=name, snapshot=snapshot, target=target, overlay=overlay, image=below)
    used = set().union(*map(named_paths, domain.documents.present.values()))
    if entry.file in used or is_held_open(entry.file):
        raise errors.LEFT_IN_USE(path=entry.file)
    with suppress(NotFound):
        remove_image(domain.connection, entry.file, seen)


def _remove_internal(domain: OpenDomain, snapshot: str) -> None:
    documents = domain.documents
    if documents.config is None or documents.live is not None:
        return  # QEMU has the images, and writes a snapshot over one of the same name
    for disk in candidate_disks(documents.config, external=False):
        if not (disk.left_out or disk.impossible) and has_internal_snapshot(domain.connection, disk.source, snapshot):
            with (
                about_attached_image(domain.name),
                open_for_qemu_img(disk.source, "qcow2", known_files(domain)) as image,
            ):
                remove_internal(image, snapshot)
