"""Checking the images before a revert rewrites them: libvirt (9.0) looks at none of them, and would stop half-way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot, written_images
from holdfast.errors import snapshots as errors
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.image import file_identity
from holdfast.hostfiles.images.internal_snapshot import internal_snapshots, sizes_of_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.disks.image_users import users_of
from holdfast.operations.image_access import by_pool
from holdfast.operations.session import OpenDomain
from holdfast.text import size_in_words


def internal_snapshot_id(connection: Connection, image: str, snapshot: str) -> str | None:
    """The ID of the internal snapshot of this name in a qcow2 image; None when it has none.

    Raises SEVERAL_IN_IMAGE, and NotFound and Failed when the image cannot be read.
    """
    ids = [id for id, name in internal_snapshots(image, by_pool(connection)).items() if name == snapshot]
    if len(ids) > 1:
        raise errors.SEVERAL_IN_IMAGE(image=image, snapshot=snapshot)
    return ids[0] if ids else None


def size_changes(domain: OpenDomain, snapshot: str, images: Mapping[str, str]) -> list[Change]:
    """Which of ``images`` (by target) get another size for their guest by a revert: an internal snapshot has its own.

    Nothing is known of images on another host. Raises what :func:`internal_snapshot_id` raises.
    """
    found = []
    for target, image in images.items() if domain.connection.is_local else ():
        id = internal_snapshot_id(domain.connection, image, snapshot)
        sizes = None if id is None else sizes_of_snapshot(image, id, by_pool(domain.connection))
        if sizes is not None and sizes[0] != sizes[1]:
            now, then = (size_in_words(size) for size in sizes)
            found.append(Change(ChangeKind.CHANGED, f"disk {target}", "devices/disk/size", now, then))
    return found


def check_images(domain: OpenDomain, stored: StoredSnapshot) -> None:
    """Refuse where libvirt's revert would fail after the first disk, or hit another snapshot.

    Raises NOT_IN_IMAGE, OTHER_BY_NUMBER, and what :func:`refuse_below_others` and :func:`internal_snapshot_id` raise.
    """
    images = list(stored.images_inside().values())
    refuse_below_others(domain, images)
    if not domain.connection.is_local:
        return
    for image in images:
        if internal_snapshot_id(domain.connection, image, stored.name) is None:
            raise errors.NOT_IN_IMAGE(image=image, snapshot=stored.name)
        other = internal_snapshots(image, by_pool(domain.connection)).get(stored.name, stored.name)
        if other != stored.name:
            raise errors.OTHER_BY_NUMBER(image=image, other=other, snapshot=stored.name)


def refuse_below_others(domain: OpenDomain, images: Iterable[str]) -> None:
    """Refuse where one of ``images``, which would be rewritten, lies below another image.

    Raises BELOW_SNAPSHOT, USED_BY_OTHER and BELOW_OVERLAY.
    """
    wanted = set(images)
    for other in (read_snapshot(each.xml()) for each in snapshots(domain)):
        resting = wanted & set(other.images().values())
        if other.is_external and resting:
            raise errors.BELOW_SNAPSHOT(name=domain.name, other=other.name, images=sorted(resting))
    if not domain.connection.is_local:
        return
    for image, user in users_of(domain.connection, domain.uuid, wanted):
        raise errors.USED_BY_OTHER(user=user, image=image)
    below = {
        file_identity(path)
        for document in domain.documents.present.values()
        for image in written_images(document).values()
        for path in files_below(image, otherwise=by_pool(domain.connection))
    }
    for image in wanted:
        if file_identity(image) in below:
            raise errors.BELOW_OVERLAY(name=domain.name, image=image)
