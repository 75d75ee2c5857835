"""Deleting a snapshot: today's content of the disks stays, and the guest sees nothing of it.

An internal snapshot is removed from the images. The overlays of an external one are merged into the images below them,
and removed; libvirt can from 9.0 on.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from holdfast.domainxml.device import lookup
from holdfast.domainxml.document import serialize
from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot, written_images
from holdfast.errors import HoldfastError, LibvirtRefused, NotFound
from holdfast.errors import snapshots as errors
from holdfast.hostfiles.images.image import file_identity
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.snapshot import Snapshot, snapshots
from holdfast.operations.disks.image_users import users_of
from holdfast.operations.disks.own_images import is_gone, remove_image
from holdfast.operations.documents import Documents
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.snapshots.leftovers import forget_unfinished, remove_leftovers, unfinished_snapshots
from holdfast.operations.snapshots.plan import apparmor_forbids_merging
from holdfast.operations.snapshots.volumes import follow_images


@dataclass(frozen=True, kw_only=True)
class SnapshotDeleted(Result):
    """A snapshot that was deleted.

    ``snapshot``  its name
    ``external``  True where it had overlays, or a file with memory
    ``removed``   the files that were removed: overlays, whose content is in the images below now, and its memory
    """

    snapshot: str
    external: bool
    removed: tuple[str, ...]


def delete_snapshot(connection: Connection, name: str, snapshot: str, *, dry_run: bool = False) -> SnapshotDeleted:
    """Delete the snapshot ``snapshot`` of the domain ``name``, or what is left of one whose making was interrupted.

    Merging an overlay takes as long as copying what was written to it. Raises NO_SNAPSHOT, IN_RESCUE; NOT_DELETED, or
    one of those beside it, where libvirt cannot; MANAGED_SAVE, INTERNAL_IN_OVERLAY and MERGED_BELOW_OTHER where an
    external one holds what something else rests on; DELETED_NOT_WRITTEN; and DELETED_IN_PART: repeating the call goes
    on. For an unfinished one, raises as :func:`.leftovers.remove_leftovers`. (virDomainSnapshotDelete)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        handles = {each.name: each for each in snapshots(domain)}
        if snapshot not in handles:
            return _delete_unfinished(domain, snapshot, dry_run)
        stored = {name: read_snapshot(handle.xml()) for name, handle in handles.items()}
        found = stored[snapshot]
        if found.is_external:
            refuse_with_managed_save(domain, "its memory goes on with the files that would be merged")
            _refuse_internal_in_overlay(found, stored.values())
            _refuse_below_others(domain, found)
        already_gone = [file for file in found.files if is_gone(connection, file)]
        if not dry_run:
            _delete(domain, handles[snapshot], found, stored)
        if not found.memory_file or connection.is_local:
            removed = tuple(file for file in found.files if file not in already_gone)
            notes = tuple(f"{file} was gone already" for file in already_gone)
            return _deleted(domain, snapshot, found.is_external, removed, dry_run, notes)
        note = f"libvirt 9.0 leaves the file with its memory, 9.1 and later do not: {found.memory_file}"
        return _deleted(domain, snapshot, True, tuple(found.overlays.values()), dry_run, (note,))


def _delete_unfinished(domain: OpenDomain, snapshot: str, dry_run: bool) -> SnapshotDeleted:
    files = [entry.file for entry in unfinished_snapshots(domain.documents) if entry.snapshot == snapshot]
    if not files:
        raise errors.NO_SNAPSHOT(name=domain.name, snapshot=snapshot)
    left = tuple(file for file in files if file and domain.connection.is_local and file_exists(file))
    if not dry_run:
        remove_leftovers(domain, snapshot)
    return _deleted(domain, snapshot, any(files), left, dry_run)


def _deleted(
    domain: OpenDomain,
    snapshot: str,
    external: bool,
    removed: tuple[str, ...],
    dry_run: bool,
    notes: tuple[str, ...] = (),
) -> SnapshotDeleted:
    return SnapshotDeleted(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        notes=notes,
        snapshot=snapshot,
        external=external,
        removed=removed,
    )


def _refuse_internal_in_overlay(found: StoredSnapshot, stored: Collection[StoredSnapshot]) -> None:
    """Raise INTERNAL_IN_OVERLAY: libvirt 9.0 removes an overlay together with the internal snapshots inside it."""
    for other in stored:
        lost = set(found.overlays.values()) & set(other.images().values())
        if lost and not other.is_external:
            raise errors.INTERNAL_IN_OVERLAY(other=other.name, images=sorted(lost))


def _refuse_below_others(domain: OpenDomain, found: StoredSnapshot) -> None:
    """Raise MERGED_BELOW_OTHER: libvirt (9.0) does not look whether another domain rests on the image below."""
    if not domain.connection.is_local:
        return
    for path, user in users_of(domain.connection, domain.uuid, [*found.images().values(), *found.overlays.values()]):
        raise errors.MERGED_BELOW_OTHER(user=user, image=path)


def _delete(domain: OpenDomain, handle: Snapshot, found: StoredSnapshot, stored: dict[str, StoredSnapshot]) -> None:
    """Delete it, and prove that the guest sees nothing of it. Raises DELETED_AND_CHANGED, and as ``_not_deleted``."""
    before = domain.documents
    seen = file_identity(found.memory_file or "")
    try:
        handle.delete()
    except LibvirtRefused as error:
        raise _not_deleted(domain, before, found, stored, error) from error
    domain.done_besides.append(f"its snapshot {found.name} is deleted")
    changes = domain.documents.guest_changes_since(before)
    if changes:
        raise errors.DELETED_AND_CHANGED(snapshot=found.name, changes=changes)
    follow_images(domain, before)
    if found.memory_file and domain.connection.is_local:
        with suppress(NotFound):
            remove_image(domain.connection, found.memory_file, seen)
    _write_config(domain, found)
    forget_unfinished(domain, [found.name])


def _write_config(domain: OpenDomain, found: StoredSnapshot) -> None:
    """Have libvirt write config, which names the images below now. Raises DELETED_NOT_WRITTEN where it cannot.

    libvirt (9.0) reports no error if it could not when it merged an overlay. (virDomainUpdateDeviceFlags)
    """
    config = domain.documents.config
    disks = () if config is None else (lookup(config, target, "disk") for target in found.overlays)
    disk = next((each for each in disks if each is not None), None)
    if disk is None:
        return
    try:
        domain.update(serialize(disk), Definition.CONFIG)
    except LibvirtRefused as error:
        raise errors.DELETED_NOT_WRITTEN(name=domain.name, snapshot=found.name, cause=error) from error


def _not_deleted(
    domain: OpenDomain,
    before: Documents,
    found: StoredSnapshot,
    stored: dict[str, StoredSnapshot],
    cause: LibvirtRefused,
) -> HoldfastError:
    """What libvirt's refusal means, with what to do about it for the cases that are known of libvirt 9.0.

    DELETED_IN_PART, NOT_DELETED_APPARMOR, NOT_DELETED_DETACHED, NOT_DELETED_PARENT, NOT_DELETED_OFF,
    NOT_DELETED_PAUSED, NOT_DELETED_RUNNING, else NOT_DELETED.
    """
    name, snapshot, images = domain.name, found.name, _images(domain.documents)
    if images != _images(before):
        return errors.DELETED_IN_PART(snapshot=snapshot, cause=cause)
    if "Permission denied" in cause.message and found.is_external and apparmor_forbids_merging(domain.connection):
        return errors.NOT_DELETED_APPARMOR(snapshot=snapshot, cause=cause)
    for target, overlay in found.overlays.items():
        if not any(target in written for written in images):
            return errors.NOT_DELETED_DETACHED(name=name, snapshot=snapshot, cause=cause, target=target, image=overlay)
    parent = stored.get(found.parent or "")
    if found.is_external and parent is not None and not parent.is_external:
        return errors.NOT_DELETED_PARENT(snapshot=snapshot, cause=cause, parent=parent.name)
    child = next((each.name for each in stored.values() if each.parent == snapshot), None)
    if found.is_external and child is not None and before.live is None:
        return errors.NOT_DELETED_OFF(name=name, snapshot=snapshot, cause=cause, child=child)
    if domain.state() == "paused":
        return errors.NOT_DELETED_PAUSED(name=name, snapshot=snapshot, cause=cause)
    if not found.is_external and before.live is not None and found.images() != written_images(before.live):
        return errors.NOT_DELETED_RUNNING(name=name, snapshot=snapshot, cause=cause)
    return errors.NOT_DELETED(snapshot=snapshot, cause=cause)


def _images(documents: Documents) -> list[dict[str, str]]:
    return [written_images(document) for document in documents.present.values()]
