"""What a host can give to domains of one kind, as libvirt says it."""

from __future__ import annotations

from holdfast.domainxml.document import parse
from holdfast.domainxml.host.capabilities import Capabilities, capabilities_for_readers, read_capabilities
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.versions import NOT_KNOWN, Versions
from holdfast.errors import LibvirtRefused
from holdfast.errors.hosts import HOST_CANNOT
from holdfast.libvirtapi.connection import Connection


def host_capabilities(connection: Connection, platform: Platform) -> Capabilities:
    """What domains of this platform can have on the host of ``connection``; what it leaves open libvirt chooses.

    Over a read-only connection libvirt (9.0) refuses the call, so what it tells everybody must suffice.
    Raises NO_MACHINE_TYPE, and HOST_CANNOT where there can be none for another reason.
    (virConnectGetDomainCapabilities, virConnectGetCapabilities)
    """
    if connection.readonly:
        return capabilities_for_readers(parse(connection.capabilities(), "capabilities"), platform)
    try:
        return read_capabilities(connection.domain_capabilities(*platform))
    except LibvirtRefused as error:
        raise HOST_CANNOT(reason=error.message.removeprefix("invalid argument: ")) from error


def host_uuid(connection: Connection) -> str:
    """The UUID by which libvirt tells one host from another (virConnectGetCapabilities)."""
    return parse(connection.capabilities(), "capabilities").findtext("host/uuid") or ""


def host_versions(connection: Connection) -> Versions:
    """Those by which a guest is given its hardware there now (virConnectGetVersion, virConnectGetLibVersion)."""
    if not connection.is_qemu:
        return NOT_KNOWN
    try:
        return Versions(connection.hypervisor_version(), connection.libvirt_version())
    except LibvirtRefused:  # it finds no QEMU
        return Versions(None, connection.libvirt_version())
