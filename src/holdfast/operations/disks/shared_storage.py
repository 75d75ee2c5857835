"""Which image of a domain other hosts could have, too: such a domain may run elsewhere; one on local disks cannot."""

from __future__ import annotations

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.hostfiles.images.shared import is_shared_storage
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disk_source import local_path


def image_on_shared_storage(connection: Connection, document: Element) -> str | None:
    """The first image on shared storage that the domain with this document writes to; None where it has none.

    Of another machine's files nothing is known: they count as shared. (virStoragePoolLookupByName)
    """
    for disk in document.iterfind("devices/disk"):
        place = source_of(disk)
        if place is None or is_shared(disk):
            continue
        path = local_path(connection, disk)
        if path is None or is_shared_storage(path):
            return place
    return None
