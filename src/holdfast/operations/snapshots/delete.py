"""Deleting a snapshot: today's content of the disks stays, and the guest sees nothing of it.

An internal one goes out of the images. What an external one has in overlays is merged into the images that they rest
on, and the overlays are gone; libvirt 9.0 and later can.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot, written_images
from holdfast.errors import Failed, LibvirtRefused, NotFound, PartlyDone, Refused
from holdfast.hostfiles.image_chain import remove_image_file
from holdfast.hostfiles.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import find_snapshot, snapshots
from holdfast.operations.disks.image_users import users_of
from holdfast.operations.documents import Documents, read
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.snapshots.leftovers import being_made, remove_leftovers, settle
from holdfast.operations.snapshots.volumes import follow_images


@dataclass(frozen=True)
class SnapshotDeleted:
    """A snapshot that was deleted, or with ``dry_run`` would be.

    ``removed`` are the files that are gone: overlays, whose content is in the images below now, and its memory.
    ``notes`` are sentences on what else is worth knowing.
    """

    name: str
    uuid: str
    snapshot: str
    external: bool
    removed: tuple[str, ...]
    dry_run: bool
    notes: tuple[str, ...] = ()


def delete_snapshot(connection: Connection, name: str, snapshot: str, *, dry_run: bool = False) -> SnapshotDeleted:
    """Delete the snapshot ``snapshot`` of the domain ``name``, or what is left of one whose making was interrupted.

    Merging an overlay takes as long as copying what was written to it. Raises NotFound, Failed where libvirt cannot,
    Refused where an internal snapshot, saved memory or another domain would lose what it rests on, and PartlyDone when
    it stopped in the middle: repeating the call goes on. (virDomainSnapshotDelete)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        documents = domain.documents
        stored = {each.name: read_snapshot(each.xml()) for each in snapshots(domain)}
        if snapshot not in stored:
            return _delete_unfinished(connection, domain, documents, snapshot, dry_run)
        found = stored[snapshot]
        if found.is_external:
            refuse_with_managed_save(domain, "its memory goes on with the files that would be merged")
            _refuse_below_internal(found, stored.values())
            _refuse_below_others(connection, domain, found)
        removed = found.files
        notes: tuple[str, ...] = ()
        if found.memory_file and not connection.is_local:
            removed = tuple(found.overlays.values())
            notes = (f"libvirt 9.0 leaves the file with its memory, 9.1 and later do not: {found.memory_file}",)
        if not dry_run:
            after = _delete(domain, documents, found, stored)
            follow_images(connection, domain, documents, after)
            if found.memory_file and connection.is_local:
                with suppress(NotFound):
                    remove_image_file(found.memory_file)
            settle(domain, documents, [snapshot])
    return SnapshotDeleted(domain.name, domain.uuid, snapshot, found.is_external, removed, dry_run, notes)


def _delete_unfinished(
    connection: Connection, domain: OpenDomain, documents: Documents, snapshot: str, dry_run: bool
) -> SnapshotDeleted:
    files = [entry.file for entry in being_made(documents) if entry.snapshot == snapshot]
    if not files:
        find_snapshot(domain, snapshot)  # raises NotFound
    there = tuple(file for file in files if file and connection.is_local and file_exists(file))
    if not dry_run:
        remove_leftovers(connection, domain, documents, snapshot)
    return SnapshotDeleted(domain.name, domain.uuid, snapshot, any(files), there, dry_run)


def _refuse_below_internal(found: StoredSnapshot, stored: Collection[StoredSnapshot]) -> None:
    """libvirt 9.0 removes an overlay together with the internal snapshots that are in it."""
    for other in stored:
        lost = set(found.overlays.values()) & set(other.images().values())
        if lost and not other.is_external:
            raise Refused(
                f"the snapshot {other.name!r} is inside {', '.join(sorted(lost))}, which would be removed",
                f"delete {other.name!r} first",
            )


def _refuse_below_others(connection: Connection, domain: OpenDomain, found: StoredSnapshot) -> None:
    """Merging changes the image below, which libvirt does not look for in other domains (9.0)."""
    if not connection.is_local:
        return
    for path, user in users_of(connection, domain, [*found.images().values(), *found.overlays.values()]):
        raise Refused(
            f"the domain {user!r} rests on {path}, which merging would change",
            f"give {user!r} an image of its own first",
        )


def _delete(
    domain: OpenDomain, documents: Documents, found: StoredSnapshot, stored: dict[str, StoredSnapshot]
) -> Documents:
    """Delete it, prove that the guest sees nothing of it, and return the documents of after."""
    try:
        find_snapshot(domain, found.name).delete()
    except LibvirtRefused as error:
        if _images(read(domain)) != _images(documents):
            raise PartlyDone(
                f"the snapshot {found.name!r} is deleted for some of its disks only: {error.message}",
                "remove the cause, then repeat the command",
            ) from error
        raise Failed(
            f"libvirt cannot delete the snapshot {found.name!r}: {error.message}",
            _way(domain, documents, found, stored),
        ) from error
    after = domain.documents
    changes = after.guest_changes_since(documents)
    if changes:
        raise PartlyDone(
            f"the snapshot {found.name!r} is deleted, but the hardware has changed too: {'; '.join(changes)}",
            "somebody else may have changed it meanwhile: see 'holdfast show'",
        )
    return after


def _images(documents: Documents) -> list[dict[str, str]]:
    return [written_images(document) for document in documents.present.values()]


def _way(
    domain: OpenDomain, documents: Documents, found: StoredSnapshot, stored: dict[str, StoredSnapshot]
) -> str | None:
    """What to do about it, for the cases that are known of libvirt 9.0."""
    gone = [target for target in found.overlays if not any(target in images for images in _images(documents))]
    if gone:
        again = f"path={found.overlays[gone[0]]},format=qcow2,target={gone[0]},trust-format"
        return f"{gone[0]} was detached since; 'holdfast disk attach {domain.name} {again}' brings it back"
    parent = stored.get(found.parent or "")
    if found.is_external and parent is not None and not parent.is_external:
        return f"delete its parent {parent.name!r} first, which is an internal one"
    child = next((each.name for each in stored.values() if each.parent == found.name), None)
    if found.is_external and child is not None and documents.live is None:
        return f"start {domain.name!r}, or delete {child!r} first: only the newest can be merged while it is shut off"
    if domain.state() == "paused":
        return f"'holdfast resume {domain.name}' first"
    if not found.is_external and documents.live is not None and found.images() != written_images(documents.live):
        return f"QEMU has other images now: 'holdfast shutdown {domain.name}' first"
    return None
