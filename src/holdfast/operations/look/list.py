"""All domains of a connection with their state: one bulk call, and one for each that may be a rescue."""

from __future__ import annotations

from holdfast.libvirtapi.connection import Connection, DomainState
from holdfast.operations.look.rescue_mark import in_rescue


def list_domains(connection: Connection, *, running: bool = False) -> list[DomainState]:
    """All domains, running or not, sorted by name. (virConnectGetAllDomainStats, virDomainGetMetadata)

    ``running`` leaves out those without a QEMU; a paused domain has one.
    """
    return connection.domain_states(running, in_rescue)


def domain_names(connection: Connection) -> list[str]:
    """The names of all domains, sorted; for the shell's completion. (virConnectGetAllDomainStats)"""
    return [domain.name for domain in connection.domain_states()]
