"""The element and the image of a disk, from the description that a user gives of it.

First all is planned and checked, and nothing is made, so that a dry run or a mistake leaves no trace. Then the images
are made, each with its removal on the caller's undo stack.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import (
    EMPTY,
    Source,
    block_source,
    file_source,
    is_shared,
    network_source,
    new_disk,
    set_source,
    source_of,
    volume_source,
)
from holdfast.domainxml.elements.network_source import parse_url
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.host.volume import new_volume, pool_folder, pool_of_files, volume_format
from holdfast.domainxml.records.disk_record import new_record
from holdfast.errors import Failed, images
from holdfast.errors.files import NO_PERMISSION
from holdfast.hostfiles.images import new_image
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage, bytes_of, open_for_qemu_img
from holdfast.hostfiles.images.image import check_format_name, file_identity, is_block_device
from holdfast.hostfiles.new_file import MadeFile
from holdfast.hostfiles.permission import may_open
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import Pool, find_pool, has_active_pool
from holdfast.libvirtapi.volume import Progress, Volume, volume_named
from holdfast.operations.disk_source import check_source, refuse_existing_image
from holdfast.operations.disks.seed import PlannedSeed
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.image_access import volume_of_file

DEFAULT_POOL = "default"
"""Where a new image goes by default: the pool that libvirt's packages and virt-manager set up."""


@dataclass(frozen=True)
class PlannedDisk:
    """A disk that passed every check; ``image`` is what is to be made for it, None for an image that exists."""

    element: Element
    spec: DiskSpec
    image: ImageToMake | None = None

    @property
    def trusted(self) -> list[Element]:
        """The disk whose image names other files, as far as its description says to trust that."""
        spec = self.spec
        if not spec.trust_format or spec.copy_from is not None:
            return []
        if spec.overlay_of is not None:
            return [new_disk(file_source(spec.overlay_of), format=spec.source_format or "raw")]
        return [self.element]

    def make(self, connection: Connection, undo: ExitStack, progress: Progress | None = None) -> MadeFile | None:
        """Make the image, if one is to be made, and put its place into the element. Returns the file that it is.

        ``progress`` is called while it is uploaded.
        """
        if self.image is None:
            return None
        source, made = self.image.make(connection, undo, progress)
        set_source(self.element, source)
        return made

    def record(self, role: str) -> DiskRecord:
        """What is to be recorded of it in the end; ``role`` where the description states none."""
        in_pool = self.image.in_pool if self.image is not None else None
        record = described_record(self.spec, self.element, role, in_pool)
        if isinstance(self.image, PlannedSeed):
            return replace(record, image=self.image.made_from, place=self.image.path)
        return record

    def making(self, settled: DiskRecord) -> DiskRecord:
        """What is to be recorded of it while its image is being made, if one is; ``settled`` comes after."""
        if self.image is None:
            return settled
        size = str(self.spec.size or "")
        return replace(settled, place=source_of(self.element) or "", format=self.image.format, size=size)


class ImageToMake(Protocol):
    """An image that is decided, and not yet made. Its name for people is its place: a path, or POOL/VOLUME."""

    @property
    def format(self) -> str:
        """Its format."""

    @property
    def in_pool(self) -> str | None:
        """POOL/VOLUME; None for one at a path."""

    def make(
        self, connection: Connection, undo: ExitStack, progress: Progress | None = None
    ) -> tuple[Source, MadeFile | None]:
        """Make it and return where it is, and the file that it is outside a pool; ``undo`` then removes it again."""


@dataclass(frozen=True)
class NewImage:
    """An image to be made: at a path, or as a volume of a pool.

    ``known``  what the image that it is made from may rest on; None: whatever its header names, which is trusted
    """

    spec: DiskSpec
    format: str
    path: str | None
    pool: str | None
    volume: str
    known: Container[str] | None = ()

    def __str__(self) -> str:
        return self.path or f"{self.pool}/{self.volume}"

    @property
    def in_pool(self) -> str | None:
        """POOL/VOLUME; None for one at a path."""
        return None if self.path is not None else str(self)

    def make(
        self, connection: Connection, undo: ExitStack, progress: Progress | None = None
    ) -> tuple[Source, MadeFile | None]:
        """Make it and return where it is, and the file that it is outside a pool; ``undo`` then removes it again.

        Raises EXISTS, NO_FOLDER, NO_PERMISSION, CANNOT_CREATE, NO_QEMU_IMG, QEMU_IMG_FAILED, NOT_SMALLER, NOT_A_VOLUME,
        NOT_UPLOADED, VOLUME_EXISTS, and what libvirt refuses.
        """
        if self.path is None:
            return self._make_volume(connection, undo, progress), None
        with new_image.new_image_file(self.path, self.format) as (made, image):
            undo.callback(made.remove)
            if self.spec.made_from:
                self._make_from(image)
            else:
                new_image.create_image(image, self.spec.size or 0)
        return file_source(self.path), made

    def _make_from(self, image: QemuImgImage) -> None:
        """The image that it is made from is looked at once more, and used by the descriptor at which that was done."""
        spec = self.spec
        with open_for_qemu_img(spec.made_from, spec.source_format or "", self.known) as source:
            if spec.overlay_of is not None:
                new_image.create_overlay(source, image, spec.size)
                return
            new_image.copy_image(source, image)
        if spec.size is not None:
            new_image.grow_image(image, spec.size)

    def _make_volume(self, connection: Connection, undo: ExitStack, progress: Progress | None) -> Source:
        spec = self.spec
        pool = find_pool(connection, self.pool or "")
        original = None if spec.copy_from is None else _volume_to_copy(connection, spec.copy_from)
        if spec.copy_from is not None and original is None:
            volume = self._upload(pool, undo, progress)
        else:
            document = new_volume(self.volume, self.format, spec.size, spec.overlay_of, spec.source_format)
            volume = pool.create(self.volume, document, original)
            undo.callback(volume.delete)
        return _volume_as_source(volume, pool.name, self.volume)

    def _upload(self, pool: Pool, undo: ExitStack, progress: Progress | None) -> Volume:
        """Make the volume of a file of this user's, as it is, and enlarge it then (virStorageVolUpload)."""
        with open_for_qemu_img(self.spec.made_from, self.format, self.known) as source:
            large, (size, chunks) = new_image.virtual_size(source), bytes_of(source)
            wanted = self.spec.size or large
            if wanted < large:
                raise images.NOT_SMALLER(now=large, size=wanted)
            capacity = wanted if self.format == "raw" else large
            volume = pool.create(self.volume, new_volume(self.volume, self.format, capacity))
            undo.callback(volume.delete)
            volume.write(chunks, size, progress)
        if wanted > capacity:
            volume.resize(wanted)
        return volume


def plan_disk(
    connection: Connection,
    spec: DiskSpec,
    *,
    name: str,
    target: str,
    bus: str,
    left: Container[str] = (),
    known: Container[str] | None = (),
) -> PlannedDisk:
    """Check all that can be checked of a disk for the domain ``name`` and make its element, without making anything.

    A new image without a place becomes NAME-TARGET.FORMAT in the pool "default". A volume whose path QEMU can open is
    named by that path, so that the domain starts also while its pool is not active; others stay volumes. ``left`` are
    the places (paths, POOL/VOLUME) that need not be free, because what is there will be removed; ``known`` are the
    files that what the new image is made from may rest on, None where that is trusted as by the description. Raises
    NO_PLACE_FOR_IMAGE, MADE_ON_ITS_HOST, EXISTS, IMAGE_OF_DOMAIN, VOLUME_EXISTS, NO_FOLDER, IMAGE_TOO_LARGE,
    UNKNOWN_WORD, what :func:`check_source` does for an existing image and for what a new one is made from, and what
    :func:`existing_source` does.
    """
    known = None if spec.trust_format else known
    image = None
    if spec.is_new:
        _check_made_from(connection, spec, known)
        image = replace(_plan_image(connection, spec, name, target, left), known=known)
    source = _planned_source(connection, image) if image is not None else existing_source(connection, spec)
    format = image.format if image is not None else spec.format or "raw"
    check_format_name(format)
    if image is not None and spec.size is not None:
        new_image.check_size(format, spec.size)
    discard = spec.discard or ("unmap" if image is not None else None)
    element = described_disk(replace(spec, target=target, format=format, discard=discard), source, bus)
    if image is None:
        check_source(connection, None, element, trust_format=spec.trust_format)
    return PlannedDisk(element, spec, image)


def described_disk(spec: DiskSpec, source: Source, bus: str) -> Element:
    """The ``<disk>`` that ``spec`` describes, on ``bus``, with its image at ``source``; raw where no format is stated.

    Raises what :func:`new_disk` does for what makes no sense together.
    """
    return new_disk(
        source,
        target=spec.target,
        bus=bus,
        format=spec.format or "raw",
        device=spec.device,
        serial=spec.serial,
        cache=spec.cache,
        discard=spec.discard,
        readonly=spec.readonly,
        shareable=spec.shareable,
    )


def described_record(spec: DiskSpec, disk: Element, role: str, volume: str | None = None) -> DiskRecord:
    """The record of ``disk``, which was made or attached as ``spec`` says; ``role`` where that states none.

    ``volume`` is POOL/VOLUME of a new image in a pool.
    """
    if volume is None and spec.volume is not None:
        volume = f"{spec.pool}/{spec.volume}"
    return new_record(
        disk,
        role=spec.role or role,
        image=spec.made_from,
        id=spec.id or "",
        volume=volume if volume is not None and volume != source_of(disk) else "",
        delete={None: "", True: "yes", False: "no"}[spec.delete_with_domain],
    )


def existing_source(connection: Connection, spec: DiskSpec) -> Source:
    """Where the existing image of ``spec`` is.

    Raises NO_VOLUME for a volume that no active pool has, and VOLUME_OF_ANOTHER_FORMAT when libvirt takes it for
    another format than was stated, unless that is trusted.
    """
    if spec.path is not None:
        is_block = connection.is_local and is_block_device(spec.path)
        return block_source(spec.path) if is_block else file_source(spec.path)
    if spec.source is not None:
        return network_source(parse_url(spec.source))
    if spec.volume is None or spec.pool is None:
        return EMPTY
    find_pool(connection, spec.pool)
    volume = volume_named(connection, spec.pool, spec.volume)
    if volume is None:
        raise images.NO_VOLUME(pool=spec.pool, volume=spec.volume)
    found = volume_format(volume.xml())
    stated = spec.format or "raw"
    if volume.kind() == "file" and not spec.trust_format and found not in (None, stated, "iso"):
        raise images.VOLUME_OF_ANOTHER_FORMAT(path=f"{spec.pool}/{spec.volume}", stated=stated, found=found)
    return _volume_as_source(volume, spec.pool, spec.volume)


def refuse_shared_places(connection: Connection, disks: Iterable[Element]) -> None:
    """Raise SAME_IMAGE_TWICE when two disks that are not to be shared have the same image."""
    seen: set[str] = set()
    for place in [source_of(disk) for disk in disks if not is_shared(disk)]:
        if place is not None:
            image = file_identity(place) if connection.is_local and place.startswith("/") else place
            if image in seen:
                raise images.SAME_IMAGE_TWICE(path=place)
            seen.add(image)


def _plan_image(connection: Connection, spec: DiskSpec, name: str, target: str, left: Container[str]) -> NewImage:
    if spec.path is not None:
        if not connection.is_local:
            raise images.MADE_ON_ITS_HOST(uri=connection.uri)
        if spec.path not in left:
            refuse_existing_image(connection, spec.path)
        return NewImage(spec, spec.format or "qcow2", spec.path, None, "")
    pool = spec.pool
    if pool is None:
        if not has_active_pool(connection, DEFAULT_POOL):
            raise images.NO_PLACE_FOR_IMAGE(pool=DEFAULT_POOL)
        pool = DEFAULT_POOL
    of_files = pool_of_files(find_pool(connection, pool).xml())
    uploaded = spec.copy_from is not None and _volume_to_copy(connection, spec.copy_from) is None
    format = spec.format or (spec.source_format if uploaded else None) or ("qcow2" if of_files else "raw")
    if uploaded and (format != spec.source_format or not (of_files or format == "raw")):
        reason = f"it is {spec.source_format}, and the new image is to be {format if of_files else 'raw'}"
        raise images.NOT_UPLOADED(path=spec.copy_from, reason=reason)
    volume = spec.volume or (f"{name}-{target}.{format}" if of_files else f"{name}-{target}")
    if of_files:
        new_image.check_file_name(volume)
    if f"{pool}/{volume}" not in left and volume_named(connection, pool, volume) is not None:
        raise images.VOLUME_EXISTS(pool=pool, volume=volume)
    return NewImage(spec, format, None, pool, volume)


def _check_made_from(connection: Connection, spec: DiskSpec, known: Container[str] | None) -> None:
    """Check the image that is copied or overlaid as one that is given to the guest, who will read what it holds.

    An overlay also needs that nobody writes to it; for a copy QEMU's own lock on a running guest's image is enough.
    """
    if spec.made_from and spec.source_format is not None:
        element = new_disk(file_source(spec.made_from), format=spec.source_format, readonly=spec.copy_from is not None)
        try:
            check_source(connection, None, element, known=known)
        except Failed as error:
            # A domain's own image, which a pool can copy for a user who may not read it.
            if known == () or error.code not in (images.UNREADABLE_IMAGE.code, NO_PERMISSION.code):
                raise


def _volume_to_copy(connection: Connection, path: str) -> Volume | None:
    """The volume that libvirt copies; None for a file of this host that is uploaded. Raises NOT_A_VOLUME."""
    volume = volume_of_file(connection, path)
    if volume is None and not (connection.is_local and may_open(path)):
        raise images.NOT_A_VOLUME(path=path)
    return volume


def _planned_source(connection: Connection, image: NewImage) -> Source:
    if image.path is not None:
        return file_source(image.path)
    document = find_pool(connection, image.pool or "").xml()
    folder = pool_folder(document)
    if not folder:
        return volume_source(image.pool or "", image.volume)
    path = f"{folder}/{image.volume}"
    return file_source(path) if pool_of_files(document) else block_source(path)


def _volume_as_source(volume: Volume, pool: str, name: str) -> Source:
    kind = volume.kind()
    if kind == "volume":
        return volume_source(pool, name)
    return block_source(volume.path) if kind == "block" else file_source(volume.path)
