"""The images that a domain brings in an archive, and where each of them goes: to a path, or into a storage pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.disk import (
    Source,
    file_source,
    host_path,
    pool_and_volume,
    set_source,
    stated_format,
    volume_source,
)
from holdfast.domainxml.host.volume import new_volume
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.errors.hosts import NOT_AN_EXPORT
from holdfast.hostfiles.archives.archive import ArchiveReader
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.images.image import check_format
from holdfast.hostfiles.images.new_image import new_image_file
from holdfast.hostfiles.new_file import MadeFile
from holdfast.hostfiles.permission import may_create_in
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import find_pool, pool_over
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.disks.new import PlannedDisk, plan_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.hosts.export import ExportedPart, PartKind
from holdfast.operations.image_access import reader_of


@dataclass(frozen=True, kw_only=True)
class Arriving:
    """What is to arrive: the document as it was, and the parts that come with it in an ``archive``, if there is one.

    ``history``  a git bundle
    """

    document: Element
    parts: tuple[ExportedPart, ...] = ()
    archive: ArchiveReader | None = None
    history: bytes | None = None

    def brings(self, kind: PartKind) -> bool:
        """True where the archive has something of this kind."""
        return any(part.kind is kind for part in self.parts)


@dataclass(frozen=True)
class ArchivedImage:
    """An image to be made of a member of an archive, at a path where this user may make files."""

    archive: ArchiveReader
    member: str
    path: str
    format: str
    in_pool: None = None

    def __str__(self) -> str:
        return self.path

    def make(
        self, connection: Connection, undo: ExitStack, progress: Progress | None = None
    ) -> tuple[Source, MadeFile | None]:
        """Make it, and check that it rests on nothing; ``undo`` then removes it again."""
        with new_image_file(self.path, self.format) as (made, image):
            undo.callback(made.remove)
            self.archive.copy_to(self.member, self.path, image.descriptors[0], progress)
        with open_for_qemu_img(self.path, self.format):
            return file_source(self.path), made


@dataclass(frozen=True)
class ArchivedVolume:
    """An image to be made of a member of an archive, as a volume of a pool; the guest has ``size`` bytes of it."""

    archive: ArchiveReader
    member: str
    pool: str
    volume: str
    format: str
    size: int
    source: Source

    def __str__(self) -> str:
        return self.in_pool

    @property
    def in_pool(self) -> str:
        """POOL/VOLUME."""
        return f"{self.pool}/{self.volume}"

    def make(
        self, connection: Connection, undo: ExitStack, progress: Progress | None = None
    ) -> tuple[Source, MadeFile | None]:
        """Make it, and check that it rests on nothing; ``undo`` then removes it again. (virStorageVolUpload)"""
        bytes = self.archive.size(self.member)
        document = new_volume(self.volume, self.format, bytes if self.format == "raw" else self.size)
        volume = find_pool(connection, self.pool).create(self.volume, document)
        undo.callback(volume.delete)
        volume.write(self.archive.stream(self.member), bytes, progress)
        if volume.kind() != "volume":
            check_format(volume.path, self.format, known=(), otherwise=lambda _path: reader_of(volume))
        return self.source, None


def plan_archived_disks(
    connection: Connection, arriving: Arriving, domain: Element, folder: str | None
) -> Iterator[PlannedDisk]:
    """The images that come with it, each at its place here, which is put into ``domain``. Raises NOT_AN_EXPORT."""
    archive, disks = arriving.archive, {label(disk): disk for disk in domain.iterfind("devices/disk")}
    for part in arriving.parts:
        if part.kind is not PartKind.DISK or archive is None:
            continue
        archive.size(part.member)  # it is there
        disk = disks.pop(part.target, None)
        if disk is None or stated_format(disk) != part.format or not (host_path(disk) or pool_and_volume(disk)):
            reason = f"its document has no disk {part.target} of the format {part.format} for an image of it"
            raise NOT_AN_EXPORT(path=archive.path, reason=reason)
        spec = _spec(connection, domain, disk, part, folder)
        name, bus = domain.findtext("name") or "", value_at(disk, "target@bus") or "virtio"
        planned = plan_disk(connection, spec, name=name, target=part.target, bus=bus)
        for below in disk.findall("backingStore"):
            disk.remove(below)
        if spec.path is not None:
            set_source(disk, file_source(spec.path))
            yield PlannedDisk(disk, spec, ArchivedImage(archive, part.member, spec.path, part.format))
        else:
            pool, volume = spec.pool or "", spec.volume or ""
            is_named = pool_and_volume(disk) is not None
            source = volume_source(pool, volume) if is_named else file_source(host_path(planned.element) or "")
            set_source(disk, source)
            image = ArchivedVolume(archive, part.member, pool, volume, part.format, part.size, source)
            yield PlannedDisk(disk, spec, image)


def _spec(connection: Connection, domain: Element, disk: Element, part: ExportedPart, folder: str | None) -> DiskSpec:
    """What is to be made: at a path, or in a pool: that of the document, or of a folder where this user may not."""
    record = disk_record(domain, disk)
    spec = partial(
        DiskSpec,
        format=part.format,
        size=part.size,
        role=(record.role if record is not None else "") or None,
        delete_with_domain={"yes": True, "no": False}.get(record.delete) if record is not None else None,
    )
    volume = pool_and_volume(disk)
    if volume is not None and folder is None:
        return spec(pool=volume[0], volume=volume[1])
    path = PurePosixPath(host_path(disk) or (volume or ("", ""))[1])
    if folder is not None:
        path = PurePosixPath(folder) / path.name
    pool = None if may_create_in(str(path.parent)) else pool_over(connection, str(path.parent))
    return spec(path=str(path)) if pool is None else spec(pool=pool.name, volume=path.name)
