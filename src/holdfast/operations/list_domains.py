"""All domains of a connection with their state: one bulk call, no document is read."""

from __future__ import annotations

from holdfast.libvirtapi.connection import Connection, DomainState


def list_domains(connection: Connection, *, running: bool = False) -> list[DomainState]:
    """All domains, running or not, sorted by name. (virConnectGetAllDomainStats)

    ``running`` leaves out those without a QEMU; a paused domain has one.
    """
    return connection.domain_states(running)
