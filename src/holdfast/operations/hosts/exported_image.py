"""The image of a disk that is exported: opened by this user, or read through the storage pool that has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.elements.disk import host_path, pool_and_volume, stated_format
from holdfast.errors.images import NOT_UPLOADED
from holdfast.hostfiles.archives.archive import ArchiveWriter
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage, open_for_qemu_img
from holdfast.hostfiles.images.new_image import virtual_size
from holdfast.hostfiles.permission import may_open
from holdfast.libvirtapi.volume import Volume, volume_named
from holdfast.operations.disks.in_place import DiskInPlace
from holdfast.operations.disks.known_files import about_attached_image, known_below
from holdfast.operations.image_access import by_pool, volume_of_file


@dataclass(frozen=True)
class ExportedImage:
    """The image of ``disk``, at ``path`` where it has one; ``volume`` where this user cannot open it itself."""

    disk: DiskInPlace
    path: str | None
    volume: Volume | None

    @property
    def format(self) -> str:
        """As the document states it."""
        return stated_format(self.disk.current)

    def size(self) -> int:
        """The bytes that the guest has of it."""
        if self.volume is not None:
            return self.volume.capacity()
        with self._open() as image:
            return virtual_size(image)

    def add_to(self, writer: ArchiveWriter, member: str) -> None:
        """Add it to an archive, whole."""
        if self.volume is not None:
            writer.add_streamed(member, self.volume.pieces())
            return
        with self._open() as image:
            writer.add_image(member, image)

    @contextlib.contextmanager
    def _open(self) -> Iterator[QemuImgImage]:
        known = known_below(self.disk.domain, self.disk.current)
        with (
            about_attached_image(self.disk.domain.name),
            open_for_qemu_img(self.path or self.disk.image or "", self.format, known) as image,
        ):
            yield image


def image_to_export(disk: DiskInPlace) -> ExportedImage:
    """How the image of ``disk``, which is shut off, is read.

    Raises NOT_UPLOADED for one that rests on others where only its pool can read it. (virStorageVolLookupByPath)
    """
    connection, path, volume = disk.domain.connection, host_path(disk.current), None
    if place := pool_and_volume(disk.current):
        volume = volume_named(connection, *place)
        path = volume.path if volume is not None and volume.kind() != "volume" else None
    if path is not None and may_open(path):
        return ExportedImage(disk, path, None)
    if volume is None and path is not None:
        volume = volume_of_file(connection, path)
    if volume is not None and path is not None and (below := files_below(path, otherwise=by_pool(connection))):
        raise NOT_UPLOADED(path=path, reason=f"it rests on {below[0]}")
    return ExportedImage(disk, path, volume)
