"""A domain is created in the place of one that is off: its manager has asked for another kind of machine.

Nothing of the old hardware can be kept then; no address means anything there. Whatever else a manager asks for is
followed (:mod:`.follow`).
"""

from __future__ import annotations

from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.host.machine_type import kind_of
from holdfast.domainxml.platform import Platform
from holdfast.errors import manager
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import Need, changing


def create_in_place(connection: Connection, document: str) -> None:
    """Define ``document``, which a manager generated and :func:`.seal.seal_document` sealed, over the domain it names.

    That is the domain with its UUID. Raises InvalidDocument, SAME_MACHINE where the domain is of that kind of machine
    already, so that it can follow, and what :func:`holdfast.operations.session.changing` raises.
    (virDomainDefineXMLFlags)
    """
    new = parse(document, "domain")
    needs = Need.OWN_HARDWARE | Need.OFF
    with changing(connection, (new.findtext("uuid") or "").strip(), needs=needs) as domain:
        machine = Platform.of(parse(domain.xml(Definition.CONFIG))).machine
        if kind_of(Platform.of(new).machine) == kind_of(machine):
            raise manager.SAME_MACHINE(name=domain.name, machine=machine)
        domain.conceal(new)
        try:
            connection.define(serialize(new))
        finally:
            domain.changed(Definition.CONFIG)
