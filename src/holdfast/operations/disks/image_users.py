"""Which other domain an image is in use by, directly or below its own: before the image is rewritten."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from holdfast.errors import Failed
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.image import Otherwise, file_identity
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.image_access import by_pool


def users_of(connection: Connection, uuid: str, images: Collection[str]) -> Iterator[tuple[str, str]]:
    """Image and name of another domain than ``uuid``, for each of ``images`` that it has, or that its images rest on.

    The headers of all images on this host are read, after one bulk call for their names.
    """
    wanted = {file_identity(image): image for image in images}
    otherwise = by_pool(connection)
    for other, paths in connection.images():
        if other.uuid == uuid:
            continue
        for path in paths:
            for each in (path, *_below(path, otherwise)):
                if (image := wanted.get(file_identity(each))) is not None:
                    yield image, other.name


def _below(path: str, otherwise: Otherwise) -> list[str]:
    try:
        return files_below(path, otherwise=otherwise)
    except Failed:
        return []  # a folder, or unreadable for this user: what is below it is unknown
