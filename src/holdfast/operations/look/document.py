"""A domain's documents as libvirt has them, unchanged."""

from __future__ import annotations

from holdfast.errors import Failed
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import looking


def document(connection: Connection, name: str, *, live: bool = False, secure: bool = False) -> str:
    """The config document of a domain; with ``live`` the one its guest runs with. (virDomainGetXMLDesc)

    ``secure`` includes passwords, which a read-only connection may not see. Raises NotFound, and Failed when the
    domain has no such document: live of one that is shut off, config of a transient one.
    """
    domain = looking(connection, name)
    if live and not domain.is_active():
        raise Failed(f"the domain {domain.name!r} is not running, so it has no live document", "leave out --live")
    if not live and not domain.is_persistent():
        raise Failed(
            f"the domain {domain.name!r} is transient, so it has no config document",
            f"'holdfast xml --live {domain.name}' shows the other",
        )
    return domain.xml(Definition.LIVE if live else Definition.CONFIG, secure)
