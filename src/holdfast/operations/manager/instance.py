"""What a domain's metadata says about the OpenStack instance that it is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from holdfast.domainxml.document import Element, child, parse, serialize, value_at
from holdfast.domainxml.manager.nova_metadata import NovaRequest as NovaRequest
from holdfast.domainxml.manager.nova_metadata import recorded_request
from holdfast.hostfiles.images.image import is_complete
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition

_WITHOUT_NAME = ("hostdev", "direct", "vdpa", "vhostuser")
_PORT_NAME = re.compile(r"(tap|vhu|nic)[0-9a-f]{8}-[0-9a-f]{2}")
"""What Nova calls the host's end of a port: by the first 11 characters of its id (34)."""
_VOLUME_SERIAL = 36
"""Nova gives the disk of a volume the volume's id as its serial: a UUID."""


def last_request(connection: Connection, name: str) -> NovaRequest | None:
    """What Nova last made the domain ``name`` for, from its config document; None for a domain that it did not make.

    Raises NotFound. (virDomainGetXMLDesc)
    """
    return recorded_request(parse(connection.find_domain(name).xml(Definition.CONFIG)))


def with_machine_type(document: str, machine: str) -> str:
    """``document`` with another machine type, and nothing else of it changed."""
    domain = parse(document, "domain")
    child(child(domain, "os"), "type").set("machine", machine)
    return serialize(domain)


def has_all_images(images: Iterable[tuple[str, str | None]]) -> bool:
    """True when each image, by path and format, is there with all that it is based on; Nova makes missing ones again.

    False also where that cannot be told.
    """
    return all(is_complete(path, stated) for path, stated in images)


def is_of_instance(device: Element, uuid: str) -> bool:
    """True for a device that Nova itself attached to the instance ``uuid``, false for one that an operator did.

    Nova names the host's end of an interface after the port, its local disks lie in a folder or have a name with the
    instance's id, and the disk of a volume has the volume's id as its serial. Devices of the host it passes through by
    itself. What libvirt itself names, as it does for an operator's interface, has no name in config.
    """
    if device.tag == "interface":
        name = value_at(device, "target@dev")
        return _PORT_NAME.fullmatch(name) is not None if name else device.get("type") in _WITHOUT_NAME
    if device.tag == "disk":
        place = value_at(device, "source@file") or value_at(device, "source@dev") or value_at(device, "source@name")
        serial = value_at(device, "serial") or ""
        return uuid in (place or "") or (len(serial) == _VOLUME_SERIAL and serial.count("-") == 4)
    return True
