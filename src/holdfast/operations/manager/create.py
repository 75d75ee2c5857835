"""A domain is created in the place of one that is off: its manager has asked for another kind of machine.

Nothing of the old hardware can be kept then; no address means anything there. Whatever else a manager asks for is
followed (:mod:`.follow`).
"""

from __future__ import annotations

from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.host.machine_type import kind_of
from holdfast.domainxml.platform import Platform
from holdfast.errors import Refused
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.rescue_mark import refuse_in_rescue


def create_in_place(connection: Connection, document: str) -> None:
    """Define ``document``, which a manager generated and :func:`.seal.seal_document` sealed, over the domain it names.

    That is the domain with its UUID. Raises InvalidDocument, NotFound where there is no such domain, and Refused while
    it runs and where it is of the same kind of machine, so that it can follow. (virDomainDefineXMLFlags)
    """
    new = parse(document, "domain")
    domain = connection.find_domain((new.findtext("uuid") or "").strip())
    with domain_lock(domain.uuid):
        refuse_in_rescue(domain)
        if domain.is_active():
            raise Refused(f"the domain {domain.name!r} is running", "another one takes its place while it is off")
        machine = Platform.of(parse(domain.xml(Definition.CONFIG))).machine
        if kind_of(Platform.of(new).machine) == kind_of(machine):
            raise Refused(f"the domain {domain.name!r} is a {machine} already", "its document can follow the new one")
        connection.define(serialize(new))
