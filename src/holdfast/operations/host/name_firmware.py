"""Which firmware files ``firmware='efi'`` means on a host today."""

from __future__ import annotations

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.firmware import firmware_request, set_firmware
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.errors.hosts import FIRMWARE_ELSEWHERE
from holdfast.hostfiles.firmware.descriptors import choose_firmware
from holdfast.libvirtapi.connection import Connection

_SNAPSHOTS_OF_QCOW2 = (10, 10, 0)


def name_firmware(connection: Connection, domain: Element, capabilities: Capabilities) -> None:
    """Put the files in the place of ``firmware='efi'``: those that libvirt itself would choose today.

    A document that names its firmware, or has BIOS, is left alone. Raises FIRMWARE_ELSEWHERE over a remote connection,
    and NotFound where the host has none that fits.
    """
    request = firmware_request(domain)
    if request is None:
        return
    if not connection.is_local:
        raise FIRMWARE_ELSEWHERE(uri=connection.uri)
    firmware = choose_firmware(
        arch=capabilities.arch,
        machine=capabilities.machine,
        secure_boot=request.secure_boot,
        enrolled_keys=request.enrolled_keys,
        smm=request.smm,
        loaders=capabilities.loaders,
        formats=firmware_formats(connection),
    )
    set_firmware(
        domain,
        loader=firmware.loader,
        template=firmware.template,
        smm=firmware.smm,
        format=firmware.format,
        template_format=firmware.template_format,
    )


def firmware_formats(connection: Connection) -> tuple[str, ...]:
    """The formats of firmware, and so of an NVRAM, with which the libvirt of ``connection`` can do all that it can do.

    In qcow2 an NVRAM can be in an internal snapshot, and be reverted to, from 10.10 on (libvirt's NEWS).
    """
    return ("raw", "qcow2") if connection.libvirt_version() >= _SNAPSHOTS_OF_QCOW2 else ("raw",)
