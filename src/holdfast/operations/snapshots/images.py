"""What the images say before a revert rewrites them: libvirt looks at none, and stops in the middle (9.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot, written_images
from holdfast.errors import Failed, Refused
from holdfast.hostfiles.image import real_path
from holdfast.hostfiles.image_chain import files_below
from holdfast.hostfiles.internal_snapshot import internal_snapshots, sizes_of_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.disks.image_users import users_of
from holdfast.operations.documents import Documents
from holdfast.operations.session import OpenDomain
from holdfast.text import size_in_words


def id_in(image: str, snapshot: str) -> str | None:
    """The ID of the internal snapshot of this name in a qcow2 image; None when it has none.

    Raises NotFound and Failed when the image cannot be read, Refused when it has several of the name.
    """
    ids = [id for id, name in internal_snapshots(image).items() if name == snapshot]
    if len(ids) > 1:
        raise Refused(
            f"{image} has several internal snapshots {snapshot!r}: nobody can tell which is meant",
            f"'qemu-img snapshot -l {image}' lists them",
        )
    return ids[0] if ids else None


def size_changes(connection: Connection, snapshot: str, images: Mapping[str, str]) -> list[Change]:
    """Which of ``images`` (by target) get another size for their guest by a revert: an internal snapshot has its own.

    Nothing is known of images on another host. Raises NotFound, Failed and Refused as :func:`id_in` does.
    """
    found = []
    for target, image in images.items() if connection.is_local else ():
        id = id_in(image, snapshot)
        sizes = None if id is None else sizes_of_snapshot(image, id)
        if sizes is not None and sizes[0] != sizes[1]:
            now, then = (size_in_words(size) for size in sizes)
            found.append(Change(ChangeKind.CHANGED, f"disk {target}", "devices/disk/size", now, then))
    return found


def check_images(connection: Connection, domain: OpenDomain, documents: Documents, stored: StoredSnapshot) -> None:
    """Raise NotFound, Failed or Refused where libvirt's revert would fail after the first disk, or hit another one."""
    images = list(stored.images_inside().values())
    refuse_below_others(connection, domain, documents, images)
    if not connection.is_local:
        return
    for image in images:
        if id_in(image, stored.name) is None:
            raise Failed(
                f"{image} does not have the snapshot {stored.name!r} in it: libvirt would revert other disks, and stop"
            )
        other = internal_snapshots(image).get(stored.name, stored.name)
        if other != stored.name:
            raise Refused(
                f"QEMU would revert {image} to the snapshot {other!r}, whose number is {stored.name}",
                "--disks-only takes the right one, while the domain is shut off",
            )


def refuse_below_others(
    connection: Connection, domain: OpenDomain, documents: Documents, images: Iterable[str]
) -> None:
    """Raise Refused where an image that would be rewritten lies below another: of a snapshot, or another domain."""
    wanted = set(images)
    for other in (read_snapshot(each.xml()) for each in snapshots(domain)):
        below = wanted & set(other.images().values())
        if other.is_external and below:
            raise Refused(
                f"the external snapshot {other.name!r} rests on {', '.join(sorted(below))}, which would be rewritten",
                f"'holdfast snapshot delete {domain.name} {other.name}' merges it first",
            )
    if not connection.is_local:
        return
    for image, user in users_of(connection, domain, wanted):
        raise Refused(f"the domain {user!r} uses {image}, which would be rewritten")
    below = {
        real_path(path)
        for document in documents.present.values()
        for image in written_images(document).values()
        for path in files_below(image)
    }
    for image in wanted:
        if real_path(image) in below:
            raise Refused(f"an overlay of {domain.name!r} rests on {image}, which would be rewritten")
