"""Sealing a document before it is defined for the first time, for programs that make their documents themselves."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.make.seal import seal
from holdfast.domainxml.platform import Platform
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.domain.create import free_cid
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.name_firmware import name_firmware


@dataclass(frozen=True)
class SealedDocument:
    """A document of which nothing is left to a later start, and in sentences what could not be sealed."""

    document: str
    notes: tuple[str, ...]


def seal_document(connection: Connection, document: str, *, root_ports: int) -> SealedDocument:
    """Make concrete what ``document`` leaves open, as this host would choose it today; nothing is defined.

    ``root_ports`` are to be free on a machine type that has them. Raises InvalidDocument, and Failed where the host
    cannot say what it would choose. (virConnectGetDomainCapabilities)
    """
    domain = parse(document, "domain")
    capabilities = host_capabilities(connection, Platform.of(domain))
    name_firmware(connection, domain, capabilities)
    notes = seal(domain, capabilities, root_ports=root_ports, vsock_cid=free_cid(connection, domain))
    return SealedDocument(serialize(domain), tuple(notes))
