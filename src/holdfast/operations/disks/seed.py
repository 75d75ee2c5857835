"""The cloud-init seed of a new domain: where it lies, and its making."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath

from holdfast.domainxml.elements.disk import Source, file_source
from holdfast.domainxml.host.volume import new_volume
from holdfast.errors import images
from holdfast.hostfiles import cloud_init
from holdfast.hostfiles.images import new_image
from holdfast.hostfiles.images.for_qemu_img import bytes_of
from holdfast.hostfiles.images.image import real_path
from holdfast.hostfiles.new_file import MadeFile
from holdfast.hostfiles.permission import may_create_in
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.storage import pool_over
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.disk_source import refuse_existing_image

DEFAULT_FOLDER = "/var/lib/libvirt/images"


@dataclass(frozen=True)
class PlannedSeed:
    """A seed to be made at ``path``, with everything that goes into it; ``made_from`` is the user-data's file."""

    path: str
    made_from: str
    user_data: bytes
    instance_id: str
    hostname: str
    format: str = "raw"
    in_pool: None = None

    def __str__(self) -> str:
        return self.path

    def make(
        self, connection: Connection, undo: ExitStack, progress: Progress | None = None
    ) -> tuple[Source, MadeFile | None]:
        """Make it; ``undo`` then removes it again. Where this user may not make files, the pool there does it.

        Raises EXISTS, NO_PERMISSION, NO_XORRISO, XORRISO_FAILED, NO_TEMPORARY_FILE. (virStorageVolUpload)
        """
        folder, name = self.path.rsplit("/", 1)
        pool = None if may_create_in(folder) else pool_over(connection, folder)
        if pool is not None:
            with new_image.unnamed_image(self.format) as image:
                cloud_init.write_seed(image, self.user_data, instance_id=self.instance_id, hostname=self.hostname)
                size, chunks = bytes_of(image)
                volume = pool.create(name, new_volume(name, self.format, size))
                undo.callback(volume.delete)
                volume.write(chunks, size, progress)
            return file_source(self.path), None
        with new_image.new_image_file(self.path, self.format) as (made, image):
            undo.callback(made.remove)
            cloud_init.write_seed(image, self.user_data, instance_id=self.instance_id, hostname=self.hostname)
        return file_source(self.path), made


def plan_seed(
    connection: Connection, user_data: str, *, name: str, uuid: str, beside: Iterable[str | None]
) -> PlannedSeed:
    """Read the file ``user_data`` and choose NAME-seed.iso as the place: beside the first image that is a file.

    The domain's UUID is the instance id. Nothing is made. Raises SEED_MADE_ON_ITS_HOST, EXISTS, IMAGE_OF_DOMAIN,
    NO_FOLDER, and what :func:`read_user_data` does.
    """
    if not connection.is_local:
        raise images.SEED_MADE_ON_ITS_HOST(uri=connection.uri)
    data = cloud_init.read_user_data(user_data)
    files = (PurePosixPath(path) for path in beside if path is not None and not path.startswith("/dev/"))
    folder = next((str(path.parent) for path in files), DEFAULT_FOLDER)
    path = f"{folder}/{name}-seed.iso"
    refuse_existing_image(connection, path)
    return PlannedSeed(path, real_path(user_data), data, uuid, name)
