"""Files that go from host to host with a domain that is shut off: images, UEFI variables, the state of a TPM.

libvirt carries them, as volumes of storage pools: of the pool that has their folder, else of one that is there as long
as that takes. So no file of either host is opened here, and both hosts may be anywhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import host_path, pool_and_volume, stated_format
from holdfast.domainxml.host.volume import backing_of_volume, folder_pool, new_volume, pool_of_files
from holdfast.errors import HoldfastError, LibvirtRefused, NoConnection
from holdfast.errors.files import EXISTS
from holdfast.errors.hosts import CARRIES_NO_FILES, NO_FOLDER_THERE, NOT_AS_COPIED, RESTS_ON_OTHER
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import OWN_POOL, Pool, find_pool, make_pool, pool_over
from holdfast.libvirtapi.volume import Progress


@dataclass(frozen=True)
class FilePlace:
    """Where a file is on its host: the volume ``name`` of ``pool``; without one, the file ``name`` in ``folder``."""

    name: str
    pool: str = ""
    folder: str = ""

    def __str__(self) -> str:
        return f"{self.pool or self.folder}/{self.name}"

    @contextmanager
    def opened(self, connection: Connection) -> Iterator[Pool]:
        """The pool that has it. Raises NO_POOL, POOL_NOT_ACTIVE, and what libvirt says of a folder."""
        if self.pool:
            yield find_pool(connection, self.pool)
        else:
            with folder_as_pool(connection, self.folder) as pool:
                yield pool


@dataclass(frozen=True)
class CarriedImage:
    """The image of the disk ``target``, and where it goes."""

    target: str
    here: FilePlace
    there: FilePlace
    format: str


def image_place(disk: Element) -> FilePlace | None:
    """Where the image of ``disk`` is; None for one that is not on the host, and for an empty drive."""
    if (named := pool_and_volume(disk)) is not None:
        return FilePlace(named[1], pool=named[0])
    path = host_path(disk)
    return None if path is None else file_place(path)


def file_place(path: str) -> FilePlace:
    """The file at ``path``."""
    return FilePlace(PurePosixPath(path).name, folder=str(PurePosixPath(path).parent))


@contextmanager
def folder_as_pool(connection: Connection, folder: str, *, make_folder: bool = False) -> Iterator[Pool]:
    """The storage pool that has ``folder``, else one that is there meanwhile; ``make_folder`` makes that as well.

    Raises LibvirtRefused, or what else libvirt says, where there is no such folder.
    (virStoragePoolLookupByTargetPath, virStoragePoolCreateXML)
    """
    pool = pool_over(connection, folder)
    if pool is not None:
        with suppress(LibvirtRefused):  # it is busy, or its folder is gone: then libvirt lets go of the pool
            pool.refresh()
        pool = pool_over(connection, folder)
    if pool is None:
        document = folder_pool(f"{OWN_POOL}{secrets.token_hex(4)}", folder)
        pool = make_pool(connection, document, make_folder=make_folder)
    try:
        yield pool
    finally:
        with suppress(HoldfastError):
            pool.close()


def images_to_carry(disks_here: Iterable[Element], there: Element) -> Iterator[CarriedImage]:
    """The images of ``disks_here``, and where the document ``there`` has them."""
    by_target = {label(disk): disk for disk in there.iterfind("devices/disk")}
    for disk in disks_here:
        before, after = image_place(disk), image_place(by_target[label(disk)])
        if before is not None and after is not None:
            yield CarriedImage(label(disk), before, after, stated_format(disk))


def check_image(connection: Connection, target: Connection, image: CarriedImage) -> int:
    """How many bytes ``image`` is.

    Raises RESTS_ON_OTHER, NO_FOLDER_THERE, and EXISTS where something is at its place there.
    """
    with image.here.opened(connection) as pool:
        volume = pool.volume(image.here.name)
        below = backing_of_volume(volume.xml()) if image.format != "raw" else None
        if below is not None:
            raise RESTS_ON_OTHER(target=image.target, below=below)
        size = volume.bytes_there()
    try:
        with image.there.opened(target) as pool:
            is_taken = image.there.name in pool.names()
    except LibvirtRefused as error:
        raise NO_FOLDER_THERE(uri=target.uri, place=image.there, cause=error) from error
    if is_taken:
        raise EXISTS(path=image.there)
    return size


def carry_image(connection: Connection, target: Connection, image: CarriedImage, progress: Progress | None) -> None:
    """Make it there as it is here, holes included.

    Raises VOLUME_EXISTS, NOT_AS_COPIED, and what libvirt refuses.
    (virStorageVolDownload, virStorageVolUpload)
    """
    with image.here.opened(connection) as from_, image.there.opened(target) as to:
        source = from_.volume(image.here.name)
        size, is_file = source.bytes_there(), pool_of_files(to.xml())
        capacity = size if image.format == "raw" else source.capacity()
        document = new_volume(image.there.name, image.format, capacity, thin=is_file)
        made = to.create(image.there.name, document)
        made.write(source.pieces(), size, progress, thin=is_file)
        if (found := made.bytes_there()) != size and is_file:
            raise NOT_AS_COPIED(path=image.there, uri=target.uri, size=size, found=found)


def remove_there(connection: Connection, place: FilePlace) -> None:
    """Remove a file that was carried to the host of ``connection``; no error where it is gone."""
    with suppress(LibvirtRefused), place.opened(connection) as pool:
        if place.name in pool.names():
            pool.volume(place.name).delete()


def read_files(connection: Connection, path: str, *, is_folder: bool) -> dict[str, bytes]:
    """The files of the folder ``path``, or the one file at it, by name; empty where nothing is there."""
    folder, only = (path, "") if is_folder else path.rsplit("/", 1)
    with ExitStack() as stack:
        try:
            pool = stack.enter_context(folder_as_pool(connection, folder))
        except NoConnection:
            raise
        except HoldfastError as error:  # libvirt 9.0 has no number of its own for a folder that is not there
            if error.code == CARRIES_NO_FILES.code:
                raise
            return {}
        names = [name for name in pool.names() if (name == only if only else not name.startswith("."))]
        return {name: b"".join(pool.volume(name).pieces()) for name in names}


def write_files(connection: Connection, folder: str, content: Mapping[str, bytes], *, make_folder: bool) -> None:
    """Write new files into ``folder``. Raises VOLUME_EXISTS, NOT_AS_COPIED, and what libvirt refuses."""
    with folder_as_pool(connection, folder, make_folder=make_folder) as pool:
        for name, data in content.items():
            volume = pool.create(name, new_volume(name, "raw", len(data)))
            volume.write(iter([data]), len(data))
            if b"".join(volume.pieces()) != data:
                path, found = f"{folder}/{name}", volume.bytes_there()
                raise NOT_AS_COPIED(path=path, uri=connection.uri, size=len(data), found=found)
