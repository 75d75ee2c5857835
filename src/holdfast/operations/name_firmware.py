"""Which firmware files ``firmware='efi'`` means on a host today."""

from __future__ import annotations

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.firmware import firmware_request, set_firmware
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.errors import Refused
from holdfast.hostfiles.firmware import choose_firmware
from holdfast.libvirtapi.connection import Connection


def name_firmware(connection: Connection, domain: Element, capabilities: Capabilities) -> None:
    """Put the files in the place of ``firmware='efi'``: those that libvirt itself would choose today.

    A document that names its firmware, or has BIOS, is left alone. Raises Refused over a remote connection.
    """
    wish = firmware_request(domain)
    if wish is None:
        return
    if not connection.is_local:
        raise Refused(
            f"which UEFI firmware the host has can be read only there, and {connection.uri} is elsewhere",
            "run holdfast on that host, or name <loader> and <nvram template> in the document",
        )
    firmware = choose_firmware(
        arch=capabilities.arch,
        machine=capabilities.machine,
        secure_boot=wish.secure_boot,
        enrolled_keys=wish.enrolled_keys,
        smm=wish.smm,
        loaders=capabilities.loaders,
    )
    set_firmware(domain, loader=firmware.loader, template=firmware.template, smm=firmware.smm)
