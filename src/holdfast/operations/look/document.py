"""A domain's documents as libvirt has them, unchanged."""

from __future__ import annotations

from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import Need, looking


def document(connection: Connection, name: str, *, live: bool = False, secure: bool = False) -> str:
    """The config document of a domain; with ``live`` the one its guest runs with. (virDomainGetXMLDesc)

    ``secure`` includes passwords, which a read-only connection may not see. Raises NO_DOMAIN, TRANSIENT where there is
    no config, and NOT_RUNNING where there is no live.
    """
    domain = looking(connection, name, needs=Need.RUNNING if live else Need.CONFIG)
    return domain.xml(Definition.LIVE if live else Definition.CONFIG, secure)
