"""Which images are a domain's own, to be removed with it, and removing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from holdfast.domainxml.device import lookup
from holdfast.domainxml.document import Element, parse, remove_from_parent
from holdfast.domainxml.fact import DiskRecord, Snapshotting
from holdfast.domainxml.host.image_files import DiskImage, disk_images, named_paths
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.records.disk_record import left_in_making
from holdfast.domainxml.snapshots.stored import read_snapshot
from holdfast.errors import Failed, NotFound
from holdfast.errors import disks as errors
from holdfast.errors.files import NO_PERMISSION
from holdfast.errors.images import EXCHANGED, HEADER_CUT_OFF, HEADER_DAMAGED, UNREADABLE_IMAGE
from holdfast.hostfiles.images import chain
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.image import file_identity, is_block_device, real_path
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.libvirtapi.storage import find_pool, has_active_pool
from holdfast.libvirtapi.volume import volume_at, volume_named
from holdfast.operations.disks.in_place import DiskInPlace
from holdfast.operations.disks.newest_image import refuse_held_open
from holdfast.operations.image_access import by_pool, volume_of_file
from holdfast.operations.session import OpenDomain

_UNKNOWN = (HEADER_CUT_OFF.code, HEADER_DAMAGED.code, UNREADABLE_IMAGE.code, NO_PERMISSION.code)
"""What is wrong with a header of which nobody knows what it names, and that stops no deletion."""


@dataclass(frozen=True)
class ImageFate:
    """An image of a domain that is deleted.

    ``target``  the target of its disk
    ``source``  its path or POOL/VOLUME
    ``kept``    why it stays; None where it goes
    ``gone``    True where it was not there any more
    """

    target: str
    source: str
    kept: str | None
    gone: bool = False


def images_to_delete(
    domain: OpenDomain, documents: list[Element], storage: bool
) -> tuple[dict[ImageFate, str], tuple[str, ...]]:
    """The images of a domain that is to be deleted, and whether each goes: all, or without ``storage`` the recorded.

    Each with what it was seen to be (:func:`.file_identity`). And in sentences what nobody knows of the images of other
    domains.

    Raises USES_NOT_SEEN where what other domains use cannot be seen, and IMAGES_LEFT where without ``storage`` an image
    would stay that was being made and that nobody else knows of.
    """
    connection = domain.connection
    disks = [disk for document in documents for disk in disk_images(document) if storage or disk.delete == "yes"]
    left = {
        record.place: record.target
        for document in documents
        for record in left_in_making(document)
        if image_exists(connection, record)
    }
    left.update(_left_of_snapshots(domain, documents))
    if left and not storage:
        raise errors.IMAGES_LEFT(name=domain.name, places=list(left))
    if not (disks or left):
        return {}, ()
    unknown: list[str] = []
    seen: dict[str, str] = {}

    def look(path: str) -> str:
        return seen.setdefault(path, file_identity(path))

    others = _users_of_images(connection, domain, unknown=unknown)
    found: dict[str, ImageFate] = {}
    for disk in disks:
        path = _path_of(connection, disk)
        source = path or disk.source
        lacks = not disk.kept and path is None and is_gone(connection, source)
        kept = None if lacks else disk.kept or _reason_to_keep(path, others, look)
        if source not in found or kept:
            found[source] = ImageFate(disk.target, source, kept)
    for target, path in _left_below_snapshots(domain, [image.source for image in found.values() if image.kept is None]):
        found.setdefault(path, ImageFate(target, path, _reason_to_keep(path, others, look)))
    for place, target in left.items():
        found[place] = ImageFate(target, place, _use_by_others(look(place), others))
    found.update({image.source: image for image in _backing_files(connection, found)})
    fates = (replace(each, gone=not each.kept and is_gone(connection, each.source)) for each in found.values())
    return {image: look(image.source) for image in fates}, tuple(unknown)


def unknown_below(connection: Connection, fates: Iterable[ImageFate]) -> Iterator[str]:
    """A sentence for each image that goes and whose header does not tell what it rests on, which stays."""
    for image in fates:
        if image.kept is None and image.source.startswith("/"):
            try:
                files_below(image.source, otherwise=by_pool(connection))
            except Failed as error:
                if error.code not in _UNKNOWN:
                    raise
                yield f"what {image.source} rests on is not known, so it stays: {error.message}"


def refuse_used(domain: OpenDomain, record: DiskRecord, seen: str) -> None:
    """Raise LEFT_IMAGE_IN_USE where another domain has the image that was being made for ``domain``: what was ``seen``
    at its place.
    """
    user = _users_of_images(domain.connection, domain).get(seen)
    if user is not None:
        raise errors.LEFT_IMAGE_IN_USE(name=domain.name, place=record.place, user=user)


def why_kept(disk: DiskInPlace, path: str, seen: str) -> str | None:
    """Why the image that ``disk`` had, or still has, must stay: it is no file of this host, or somebody has what was
    ``seen`` at its ``path``.

    None when it can go. Raises USES_NOT_SEEN.
    """
    users = _users_of_images(disk.domain.connection, but=disk)
    return _reason_to_keep(path if path.startswith("/") else None, users, lambda _: seen)


def image_exists(connection: Connection, record: DiskRecord) -> bool:
    """True when there is something at the recorded place; also where nobody can look."""
    pool, _, volume = record.where.partition("/")
    if volume_named(connection, pool, volume) is not None:
        return True
    if record.place.startswith("/") and connection.is_local:  # a pool may not have it in its list yet
        return file_exists(record.place) is not False
    return not has_active_pool(connection, pool)


def is_gone(connection: Connection, place: str) -> bool:
    """True when there is nothing at ``place``, a path or POOL/VOLUME; False also where nobody can look."""
    pool, _, name = place.partition("/")
    if pool:
        return has_active_pool(connection, pool) and volume_named(connection, pool, name) is None
    return connection.is_local and file_exists(place) is False


def remove_image(connection: Connection, place: str, seen: str) -> bool:
    """Remove the image at ``place``, a path or POOL/VOLUME, ``seen`` to be what :func:`.file_identity` has told of it;
    returns False for one that is gone already.

    It goes through its pool where it has one, so that the pool knows. Raises IMAGE_OPEN, EXCHANGED, NO_PERMISSION,
    CANNOT_REMOVE, and what libvirt refuses. (virStorageVolDelete, unlink)
    """
    pool, _, name = place.partition("/")
    try:
        if pool:
            find_pool(connection, pool)
            volume = volume_named(connection, pool, name)
        else:
            found = (volume_at(connection, path) for path in dict.fromkeys([place, real_path(place)]))
            volume = next((each for each in found if each is not None), None)
        if connection.is_local and (path := place if volume is None else volume.path).startswith("/"):
            refuse_held_open(path)
            if not pool and file_exists(place) and file_identity(place) != seen:
                raise EXCHANGED(path=place)
        if volume is not None:
            volume.delete()
        elif not pool:
            _remove_file(connection, place, seen)
        return volume is not None or not pool
    except NotFound:
        return False


def _remove_file(connection: Connection, path: str, seen: str) -> None:
    """Remove a file that no pool has seen yet; one that has its folder does it where this user may not."""
    try:
        chain.remove_image_file(path, seen)
    except Failed as error:
        volume = volume_of_file(connection, path) if error.code == NO_PERMISSION.code else None
        if volume is None:
            raise
        volume.delete()


def _left_below_snapshots(domain: OpenDomain, images: list[str]) -> Iterator[tuple[str, str]]:
    """Target and path of what external snapshots left below ``images``, and of the files with their memory.

    The documents of the snapshots say so; of the images themselves the upper ones may be gone already.
    """
    stored = [read_snapshot(snapshot.xml()) for snapshot in snapshots(domain)]
    chain = list(images)
    for path in chain:  # grows
        for snapshot in stored:
            for target in (target for target, overlay in snapshot.overlays.items() if overlay == path):
                if snapshot.memory_file is not None:
                    yield "memory", snapshot.memory_file
                below = snapshot.images().get(target, path)
                if below not in chain:
                    chain.append(below)
                    yield target, below


def _left_of_snapshots(domain: OpenDomain, documents: list[Element]) -> Iterator[tuple[str, str]]:
    """Path, and what it is, of every file that the interrupted making of a snapshot has left."""
    known = {snapshot.name for snapshot in snapshots(domain)}
    for entry in (entry for document in documents for entry in facts(document, Snapshotting)):
        if entry.file and entry.snapshot not in known and domain.connection.is_local and file_exists(entry.file):
            yield entry.file, f"snapshot {entry.snapshot}"


def _backing_files(connection: Connection, found: dict[str, ImageFate]) -> Iterator[ImageFate]:
    own = {file_identity(image.source) for image in found.values() if image.source.startswith("/")}
    for image in [image for image in found.values() if image.kept is None and image.source.startswith("/")]:
        for backing in _below(connection, image.source):
            if file_identity(backing) not in own and backing not in found:
                yield ImageFate(image.target, backing, "below another image")


def _below(connection: Connection, path: str, owner: str = "", unknown: list[str] | None = None) -> list[str]:
    """What the image ``path`` rests on, as far as its header tells; else ``unknown`` has a sentence more."""
    try:
        return files_below(path, otherwise=by_pool(connection))
    except Failed as error:
        if error.code not in _UNKNOWN:
            raise
        if unknown is not None:
            unknown.append(f"what the image {path} of the domain {owner!r} rests on is not known: {error.message}")
        return []


def _path_of(connection: Connection, disk: DiskImage) -> str | None:
    if disk.pool is None or disk.volume is None:
        return disk.source if disk.source.startswith("/") else None
    volume = volume_named(connection, disk.pool, disk.volume)
    return volume.path if volume is not None and volume.path.startswith("/") else None


def _reason_to_keep(path: str | None, others: dict[str, str], look: Callable[[str], str]) -> str | None:
    """Why an image of the domain stays; None when it goes."""
    if path is None:
        return "not a file of this host"
    if is_block_device(path):
        return "a block device"
    return _use_by_others(look(path), others)


def _use_by_others(seen: str, others: dict[str, str]) -> str | None:
    user = others.get(seen)
    return None if user is None else f"used by the domain {user!r}"


def _users_of_images(
    connection: Connection,
    domain: OpenDomain | None = None,
    but: DiskInPlace | None = None,
    unknown: list[str] | None = None,
) -> dict[str, str]:
    """Identity → name of a domain that names it in a document or as a backing file.

    ``domain`` does not count, nor does the disk ``but``. Images whose headers do not tell what they rest on are added
    to ``unknown``, in sentences. Raises USES_NOT_SEEN on a host that is elsewhere.
    """
    if not connection.is_local:
        raise errors.USES_NOT_SEEN()
    users: dict[str, str] = {}
    for other in connection.domains():
        if domain is not None and other.uuid == domain.uuid:
            continue
        try:
            documents = [parse(other.xml(definition)) for definition in (Definition.LIVE, Definition.CONFIG)]
        except NotFound:
            continue
        for document in documents:
            own = lookup(document, but.target, "disk") if but is not None and but.domain.uuid == other.uuid else None
            if own is not None:
                remove_from_parent(own)
            paths = named_paths(document)
            for disk in disk_images(document):
                path = _path_of(connection, disk)
                paths.update([path, *_below(connection, path, other.name, unknown)] if path is not None else [])
            users.update((file_identity(path), other.name) for path in paths)
    return users
