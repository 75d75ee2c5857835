"""Is this image fit to be given to a guest? Asked before every attach of a disk, and before a domain is created."""

from __future__ import annotations

from collections.abc import Container, Iterator

from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.disk import backing_files, host_path, is_shared, source_of, stated_format
from holdfast.errors import Failed, Refused
from holdfast.errors.files import NO_PERMISSION
from holdfast.errors.images import IMAGE_OF_DOMAIN, IN_USE, UNCHECKED_HEADER
from holdfast.hostfiles.images.header import can_name_files
from holdfast.hostfiles.images.image import check_format, file_identity, real_path
from holdfast.hostfiles.images.new_image import file_exists, refuse_existing
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.volume import volume_named
from holdfast.operations.image_access import by_pool


def check_source(
    connection: Connection,
    uuid: str | None,
    device: Element,
    *,
    trust_format: bool = False,
    known: Container[str] | None = (),
    may_lack: Container[str | None] = (),
) -> None:
    """Refuse a disk whose image is missing, unreadable, not of the stated format, or in use by another domain, and one
    whose header names files that ``device`` does not say itself (``<backingStore>``), or else are not ``known``.

    ``uuid`` is the domain that is to have it, None for one that does not exist yet. ``trust_format``, or None for
    ``known``, takes whatever the header says. Of a header that cannot be read here, because the image is on the network
    or on another host, nothing is known: a format that can name files is refused then. ``may_lack`` are the start-up
    policies (``startupPolicy``) with which a missing image is taken.

    Raises what :func:`check_format` does, UNCHECKED_HEADER, and IN_USE.
    """
    may_be_missing = value_at(device, "source@startupPolicy") in may_lack
    if device.tag == "disk" and not (may_be_missing and is_missing(connection, device)):
        stated = {real_path(file) for file in backing_files(device)}
        _check_image(connection, device, trust_format or known is None, stated or known or ())
    refuse_in_use(connection, uuid, device)


def _check_image(connection: Connection, disk: Element, trusted: bool, known: Container[str]) -> None:
    format, place = stated_format(disk), source_of(disk)
    path = local_path(connection, disk)
    if path is not None:
        try:
            check_format(path, format, trusted, known, by_pool(connection))
        except Failed as error:
            # As on the network: what nobody here may read is taken as stated, where it cannot lead anywhere else.
            if error.code != NO_PERMISSION.code or can_name_files(format):
                raise
    elif place is not None and disk.get("type") != "dir" and can_name_files(format) and not trusted:
        raise UNCHECKED_HEADER(stated=format, place=place)


def is_missing(connection: Connection, disk: Element) -> bool:
    """True where ``disk`` has an image that is a file, and there is no such file; False where nobody can tell."""
    path = host_path(disk)
    return path is not None and connection.is_local and file_exists(path) is False


def local_path(connection: Connection, disk: Element) -> str | None:
    """The file or block device with the image of ``disk``, that of a volume included; None where it is not here."""
    if not connection.is_local:
        return None
    source = disk.find("source")
    if disk.get("type") != "volume" or source is None:
        return host_path(disk)
    volume = volume_named(connection, source.get("pool", ""), source.get("volume", ""))
    return volume.path if volume is not None and volume.path.startswith("/") else None


def refuse_in_use(connection: Connection, uuid: str | None, device: Element) -> None:
    """Raise IN_USE for a disk with an image that another domain has, also where there is no such file yet; and for one
    that the domain ``uuid`` has itself under another name.

    (virConnectGetAllDomainStats, virDomainGetXMLDesc)
    """
    path = _path(device)
    if path is None or is_shared(device):
        return
    for domain, names in _users_of(connection, path):
        others = names - {path} if domain.uuid == uuid else names  # by this name it may have it already
        for disk in parse(domain.xml(Definition.LIVE)).iterfind("devices/disk") if others else ():
            if host_path(disk) in others and not is_shared(disk):
                raise IN_USE(path=path, user=domain.name)


def _users_of(connection: Connection, path: str) -> Iterator[tuple[Domain, set[str]]]:
    """Each domain that has the image ``path``, and by which names; a hard link is one.

    (virConnectGetAllDomainStats)
    """
    wanted = {path, file_identity(path)} if connection.is_local else {path}
    for domain, images in connection.images():
        names = {each for each in images if each in wanted or (connection.is_local and file_identity(each) in wanted)}
        if names:
            yield domain, names


def refuse_existing_image(connection: Connection, path: str) -> None:
    """Raise what is wrong where no new image can be made at ``path`` on this host, as far as looking can tell.

    IMAGE_OF_DOMAIN for one that a domain has, and what :func:`.images.new_image.refuse_existing` does.
    (virConnectGetAllDomainStats)
    """
    try:
        refuse_existing(path)
    except Refused as error:
        for domain, _ in _users_of(connection, path):
            raise IMAGE_OF_DOMAIN(path=path, user=domain.name) from error
        raise


def _path(device: Element) -> str | None:
    return host_path(device) if device.tag == "disk" else None
