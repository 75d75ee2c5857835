"""The names of a domain's devices, for the shell's completion."""

from __future__ import annotations

from holdfast.domainxml.device import label
from holdfast.domainxml.document import devices, parse
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import looking


def device_names(connection: Connection, name: str, *tags: str) -> list[str]:
    """The labels (target of a disk, MAC of an interface, alias …) of the devices in config and live, sorted.

    Only elements of ``tags``, where any are named. Raises NotFound. (virDomainGetXMLDesc)
    """
    domain = looking(connection, name)
    definitions = [Definition.CONFIG, Definition.LIVE] if domain.is_active() else [Definition.CONFIG]
    found = (device for definition in definitions for device in devices(parse(domain.xml(definition))))
    return sorted({label(device) for device in found if not tags or device.tag in tags})
