"""Every domain of a host with what libvirt can say of all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import libvirt
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.translate import translated


@dataclass(frozen=True)
class Listed:
    """One domain of :func:`inventory`: whether it runs, has a config document, and has snapshots."""

    domain: Domain
    active: bool
    persistent: bool
    snapshots: bool


@translated
def inventory(connection: Connection) -> list[Listed]:
    """All domains, sorted by name, in four calls whatever their number (virConnectListAllDomains, with filters)."""
    handle = connection._handle

    def having(flag: int) -> set[str]:
        return {domain.UUIDString() for domain in handle.listAllDomains(flag)}

    active = having(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    transient = having(libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)
    snapshots = having(libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)
    return [
        Listed(domain, domain.uuid in active, domain.uuid not in transient, domain.uuid in snapshots)
        for domain in connection.domains()
    ]


@translated
def with_saved_memory(connection: Connection) -> set[str]:
    """The UUIDs of all domains with a managed-save image or a snapshot (virConnectListAllDomains, with filters)."""
    flags = (libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)
    return {handle.UUIDString() for flag in flags for handle in connection._handle.listAllDomains(flag)}


@translated
def paused(connection: Connection) -> list[Domain]:
    """All domains that are paused, sorted by name (virConnectListAllDomains, PAUSED)."""
    handles = connection._handle.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PAUSED)
    return sorted(map(Domain, handles), key=lambda domain: domain.name)


@translated
def autostarted(connection: Connection) -> set[str]:
    """The UUIDs of all domains that libvirt starts with the host (virConnectListAllDomains, AUTOSTART)."""
    handles = connection._handle.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
    return {handle.UUIDString() for handle in handles}
