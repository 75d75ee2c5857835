"""All domains of a connection with their state: one bulk call, no document is read."""

from __future__ import annotations

from holdfast.libvirtapi.connection import Connection, DomainState


def list_domains(connection: Connection) -> list[DomainState]:
    """All domains, running or not, sorted by name. (virConnectGetAllDomainStats)"""
    return connection.domain_states()
