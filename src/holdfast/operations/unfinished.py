"""A domain whose creation was begun: what is asked of it before anything starts it or takes its name."""

from __future__ import annotations

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.metadata import Creating, fact
from holdfast.errors import NotFound, Refused
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition


def refuse_unfinished(name: str, document: Element) -> None:
    """Raise Refused where ``document`` says that the domain ``name`` is being created: it has no devices yet."""
    creating = fact(document, Creating)
    if creating is not None:
        raise Refused(
            f"the creation of {name!r} was begun at {creating.since}, and is not finished",
            f"if it was interrupted: 'holdfast delete --storage {name}', then create it again",
        )


def is_fully_created(connection: Connection, uuid: str) -> bool:
    """False for a domain that does not exist, or whose creation is not finished (virDomainGetXMLDesc)."""
    try:
        return fact(parse(connection.find_domain(uuid).xml(Definition.CONFIG)), Creating) is None
    except NotFound:
        return False
