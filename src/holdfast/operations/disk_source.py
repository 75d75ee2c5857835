"""Is this image fit to be given to a guest? Asked before every attach of a disk, and before a domain is created."""

from __future__ import annotations

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.elements.disk import host_path, is_shared, stated_format
from holdfast.errors import Refused
from holdfast.errors.images import IMAGE_OF_DOMAIN, IN_USE
from holdfast.hostfiles.image import check_format, real_path
from holdfast.hostfiles.new_image import refuse_existing
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition


def check_source(connection: Connection, uuid: str | None, device: Element, *, trust_format: bool = False) -> None:
    """Refuse a disk whose image is missing, unreadable, not of the stated format, or in use by another domain.

    ``uuid`` is the domain that is to have it, None for one that does not exist yet. Anything but a disk with a file or
    block device passes. Over a remote connection only the use by other domains can be seen, not the file.

    Raises what :func:`check_format` does, and IN_USE.
    """
    path = _path(device)
    if path is not None and connection.is_local:
        check_format(path, stated_format(device), trust_format)
    refuse_in_use(connection, uuid, device)


def refuse_in_use(connection: Connection, uuid: str | None, device: Element) -> None:
    """Raise IN_USE for a disk with an image that another domain has, also where there is no such file yet.

    (virConnectGetAllDomainStats, virDomainGetXMLDesc)
    """
    path = _path(device)
    if path is None or is_shared(device):
        return
    names = {path, real_path(path)} if connection.is_local else {path}
    for domain in connection.image_users(names):
        if domain.uuid == uuid:
            continue
        for disk in parse(domain.xml(Definition.LIVE)).iterfind("devices/disk"):
            if host_path(disk) in names and not is_shared(disk):
                raise IN_USE(path=path, user=domain.name)


def refuse_existing_image(connection: Connection, path: str) -> None:
    """Raise what is wrong where no new image can be made at ``path`` on this host, as far as looking can tell.

    IMAGE_OF_DOMAIN for one that a domain has, and what :func:`.new_image.refuse_existing` does.
    (virConnectGetAllDomainStats)
    """
    try:
        refuse_existing(path)
    except Refused as error:
        for domain in connection.image_users({path, real_path(path)}):
            raise IMAGE_OF_DOMAIN(path=path, user=domain.name) from error
        raise


def _path(device: Element) -> str | None:
    return host_path(device) if device.tag == "disk" else None
