"""Putting a recorded document back: one that the domain was defined with before, never a newly made one."""

from __future__ import annotations

from holdfast.domainxml.document import parse, same, serialize
from holdfast.errors.manager import RESTORED_WHILE_RUNNING
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import Need, changing


def restore_document(connection: Connection, document: str) -> bool:
    """Define ``document`` again, which was recorded of the domain whose UUID it has; False if nothing differs.

    ``document`` comes with its passwords (virDomainGetXMLDesc, SECURE). Raises InvalidDocument, NotFound where there is
    no such domain, and Refused while it runs. (virDomainDefineXMLFlags)
    """
    recorded = parse(document, "domain")
    with changing(connection, (recorded.findtext("uuid") or "").strip(), needs=Need.OWN_HARDWARE) as domain:
        if domain.is_active():
            raise RESTORED_WHILE_RUNNING(name=domain.name)
        if same(parse(domain.xml(Definition.CONFIG, secure=True)), recorded):
            return False
        domain.conceal(recorded)
        try:
            connection.define(serialize(recorded))
        finally:
            domain.changed(Definition.CONFIG)
    return True
