"""Deleting a domain: the only place besides a completed move where a domain is undefined.

The images go first, the config document last: after a crash in between, the domain is still there to be deleted again.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.image_files import DiskImage, disk_images, has_tpm_state, named_paths, nvram_path
from holdfast.errors import Failed, HoldfastError, NotFound, PartlyDone, Refused
from holdfast.hostfiles.image import is_block_device, real_path
from holdfast.hostfiles.image_chain import files_below, remove_image
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.volume import volume_at, volume_named
from holdfast.operations.documents import read


@dataclass(frozen=True)
class Image:
    """An image of the deleted domain: the target of its disk, its path or POOL/VOLUME, and why it was kept.

    ``kept`` is None when the image was removed (in a dry run: would be).
    """

    target: str
    source: str
    kept: str | None


@dataclass(frozen=True)
class Deletion:
    """What was deleted, or with ``dry_run`` would be: ``state`` in words ("its NVRAM …", "2 snapshots"), images."""

    name: str
    uuid: str
    state: tuple[str, ...]
    images: tuple[Image, ...]
    dry_run: bool


def delete_domain(
    connection: Connection, name: str, *, storage: bool = False, force: bool = False, dry_run: bool = False
) -> Deletion:
    """Undefine a domain, with its NVRAM, TPM state, managed-save image and the metadata of its snapshots.

    ``storage`` also removes its images: files behind writable disks that no other domain on this host uses, directly
    or as a backing file. CD images, backing files, block devices and network disks stay. ``force`` switches a running
    domain off first, which is Refused otherwise. Raises NotFound, Failed and Refused with nothing changed, PartlyDone
    when it stopped in the middle: repeating the call goes on. (virDomainUndefineFlags, virStorageVolDelete, unlink)
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        active, persistent = domain.is_active(), domain.is_persistent()
        if active and not force:
            raise Refused(
                f"the domain {domain.name!r} is running",
                f"'holdfast shutdown {domain.name}' first, or --force to switch it off as pulling the plug does",
            )
        if connection.readonly and not dry_run:
            raise Failed("a read-only connection cannot delete a domain", "connect without --readonly")
        documents = list(read(domain).all().values())
        images = _images(connection, domain, documents) if storage else ()
        deletion = Deletion(domain.name, domain.uuid, _state(domain, documents), images, dry_run)
        if not dry_run:
            _delete(connection, domain, images, active, persistent)
        return deletion


def _delete(connection: Connection, domain: Domain, images: tuple[Image, ...], active: bool, persistent: bool) -> None:
    done: list[str] = []
    try:
        if active:
            domain.destroy()
            done.append("it was switched off")
        for image in images:
            if image.kept is None:
                _remove(connection, image.source)
                done.append(f"{image.source} was removed")
        if persistent:
            domain.undefine()
    except HoldfastError as error:
        if not done:
            raise
        raise PartlyDone(
            f"the domain {domain.name!r} is not wholly deleted: {'; '.join(done)}; then: {error.message}",
            f"remove the cause, then repeat 'holdfast delete {domain.name}' with the same options",
        ) from error


def _remove(connection: Connection, path: str) -> None:
    """Through its pool, so that the pool knows, else the file itself. One that is gone already is no error."""
    volume = volume_at(connection, path) or volume_at(connection, real_path(path))
    try:
        if volume is not None:
            volume.delete()
        else:
            remove_image(path)
    except NotFound:
        return


def _images(connection: Connection, domain: Domain, documents: list[Element]) -> tuple[Image, ...]:
    if not connection.is_local:
        raise Refused(
            "which images other domains use can be seen only on their own host",
            "run 'holdfast delete --storage' there, or leave out --storage",
        )
    others = _users(connection, domain)
    found: dict[str, Image] = {}
    for disk in (disk for document in documents for disk in disk_images(document)):
        path = _path(connection, disk)
        source, kept = path or disk.source, disk.kept or _why(path, others)
        if source not in found or kept:
            found[source] = Image(disk.target, source, kept)
    own = {real_path(image.source) for image in found.values() if image.source.startswith("/")}
    for image in [image for image in found.values() if image.kept is None]:
        for backing in files_below(image.source):
            if real_path(backing) not in own:
                found.setdefault(backing, Image(image.target, backing, "below another image"))
    return tuple(found.values())


def _path(connection: Connection, disk: DiskImage) -> str | None:
    if disk.pool is None or disk.volume is None:
        return disk.source if disk.source.startswith("/") else None
    volume = volume_named(connection, disk.pool, disk.volume)
    return volume.path if volume is not None and volume.path.startswith("/") else None


def _why(path: str | None, others: dict[str, str]) -> str | None:
    """Why an image of the domain stays; None when it goes."""
    if path is None:
        return "not a file of this host"
    if is_block_device(path):
        return "a block device"
    user = others.get(real_path(path))
    return None if user is None else f"used by the domain {user!r}"


def _users(connection: Connection, domain: Domain) -> dict[str, str]:
    """Real path → name of another domain that has it in one of its documents, or as a backing file."""
    users: dict[str, str] = {}
    for other in connection.domains():
        if other.uuid == domain.uuid:
            continue
        try:
            documents = [parse(other.xml(definition)) for definition in (Definition.LIVE, Definition.CONFIG)]
        except NotFound:
            continue
        for document in documents:
            paths = named_paths(document)
            for disk in disk_images(document):
                path = _path(connection, disk)
                paths.update([path, *files_below(path)] if path is not None else [])
            users.update((real_path(path), other.name) for path in paths)
    return users


def _state(domain: Domain, documents: list[Element]) -> tuple[str, ...]:
    """What libvirt keeps for the domain beside its document, in words."""
    nvram = next((path for document in documents if (path := nvram_path(document))), None)
    snapshots = domain.snapshot_count()
    words = [
        f"its NVRAM {nvram}" if nvram else None,
        "its TPM state" if any(map(has_tpm_state, documents)) else None,
        "its managed-save image" if domain.has_managed_save() else None,
        f"its {snapshots} snapshot{'s' if snapshots > 1 else ''}" if snapshots else None,
    ]
    return tuple(word for word in words if word)
