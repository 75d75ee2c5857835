"""Which images of a domain the host that it leaves has for itself: nobody else can find their content at its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.domainxml.make.rebind import NO_MAPS, HostMaps
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.hostfiles.images.shared import is_shared_storage
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disk_source import local_path
from holdfast.operations.image_access import sees_our_files


def alone_here(
    source: Connection, document: Element, target: Connection, copied: Collection[str], maps: HostMaps = NO_MAPS
) -> Iterator[str]:
    """The targets of the disks of ``document`` whose images are on storage of the host of ``source`` alone.

    What is there by the same name on the host of ``target`` is another image. Not told of: those that are ``copied``,
    those for which ``maps`` say what stands, even if it is the same path, and hosts with the same files.
    """
    if not sees_our_files(source) or sees_our_files(target):
        return
    for disk in document.iterfind("devices/disk"):
        path = None if is_shared(disk) or label(disk) in copied else local_path(source, disk)
        if path is None or maps.stand_for(source_of(disk) or path):
            continue
        if file_exists(path) and not is_shared_storage(path):
            yield label(disk)
