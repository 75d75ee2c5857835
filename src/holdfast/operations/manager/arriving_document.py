"""A domain that its manager moves here: the document to define, from the one that the manager generates on this host.

The domain's document from where it was is input, not truth: see :mod:`holdfast.domainxml.manager.arrive`.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.manager.arrive import arrive
from holdfast.domainxml.platform import Platform
from holdfast.errors.hosts import CANNOT_BE_THERE
from holdfast.errors.manager import ANOTHER_DOMAINS_DOCUMENT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.outlook import HostOutlook, KnownGuest
from holdfast.operations.manager.seal import seal_document


@dataclass(frozen=True)
class ArrivingDocument:
    """What to define of a domain that comes here.

    ``document``  sealed; libvirt on this host has yet to take it
    ``left_out``  devices that came along and that the manager did not ask for: "disk vdc"
    ``changes``   what the guest sees otherwise than where it was, and nobody asked for
    ``notes``     what could not be sealed, in sentences
    """

    document: str
    left_out: tuple[str, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def arriving_document(
    connection: Connection, coming: str, generated: str, *, old: str | None = None
) -> ArrivingDocument:
    """The document for this host of the domain whose config document elsewhere was ``coming``; nothing is defined.

    ``generated`` is what its manager makes of it here, ``old`` what it would make here for the flavor that the domain
    had there. Raises InvalidDocument, ANOTHER_DOMAINS_DOCUMENT, OTHER_KIND_OF_MACHINE, and CANNOT_BE_THERE where this
    host cannot give the guest its hardware. (virConnectGetDomainCapabilities, virConnectCompareHypervisorCPU)
    """
    theirs, mine = (parse(text, "domain") for text in (coming, generated))
    before = None if old is None else parse(old, "domain")
    name, uuids = (
        mine.findtext("name") or "",
        [(each.findtext("uuid") or "").strip().lower() for each in (mine, theirs)],
    )
    if uuids[0] != uuids[1]:
        raise ANOTHER_DOMAINS_DOCUMENT(name=name, uuid=uuids[1] or "not given")
    loaders = host_capabilities(connection, Platform.of(mine)).loaders
    arrival = arrive(theirs, mine, loaders=loaders, old=before)
    reasons = [str(each) for each in HostOutlook(connection).hardware(arrival.document, KnownGuest()) if each.stops]
    if reasons:
        raise CANNOT_BE_THERE(name=name, uri=connection.uri, reasons=reasons)
    sealed = seal_document(connection, serialize(arrival.document), root_ports=0)
    changes = compare_documents(arrival.wanted, parse(sealed.document))
    return ArrivingDocument(sealed.document, arrival.left_out, tuple(visible(changes)), sealed.notes)
