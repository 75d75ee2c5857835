"""What a host provides to domains by name: networks, storage pools, secrets. Whether it is there, and starting it.

Where libvirt has no driver for a kind (``qemu:///embed`` has none of the three) the answer is None: nobody can tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import libvirt
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.translate import code_of, translated

_MISSING = {
    libvirt.VIR_ERR_NO_NETWORK,
    libvirt.VIR_ERR_NO_STORAGE_POOL,
    libvirt.VIR_ERR_NO_SECRET,
}
_SECRET_USES = {
    "volume": libvirt.VIR_SECRET_USAGE_TYPE_VOLUME,
    "ceph": libvirt.VIR_SECRET_USAGE_TYPE_CEPH,
    "iscsi": libvirt.VIR_SECRET_USAGE_TYPE_ISCSI,
    "tls": libvirt.VIR_SECRET_USAGE_TYPE_TLS,
    "vtpm": libvirt.VIR_SECRET_USAGE_TYPE_VTPM,
}
"""The words of ``<secret type='…'>`` and ``<usage type='…'>``."""


class Presence(Enum):
    """Whether a host has something, and has it running."""

    MISSING = "missing"
    INACTIVE = "inactive"
    ACTIVE = "active"


@translated
def network_presence(connection: Connection, name: str) -> Presence | None:
    """Whether there is such a network (virConnectListAllNetworks, virNetworkLookupByName)."""

    def is_active() -> bool:
        active = connection._handle.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
        return any(each.name() == name for each in active) or connection._handle.networkLookupByName(name) is None

    return _presence(is_active)


@translated
def start_network(connection: Connection, name: str) -> None:
    """Start a network that is defined (virNetworkCreate)."""
    connection._handle.networkLookupByName(name).create()


@translated
def pool_presence(connection: Connection, name: str) -> Presence | None:
    """Whether there is such a storage pool (virStoragePoolLookupByName, virStoragePoolIsActive)."""
    return _presence(lambda: connection._handle.storagePoolLookupByName(name).isActive())


@translated
def start_pool(connection: Connection, name: str) -> None:
    """Start a storage pool that is defined (virStoragePoolCreate)."""
    connection._handle.storagePoolLookupByName(name).create()


@translated
def refresh_pool(connection: Connection, name: str) -> None:
    """Let libvirt look anew which volumes an active pool has (virStoragePoolRefresh)."""
    connection._handle.storagePoolLookupByName(name).refresh()


@translated
def pool_volumes(connection: Connection, name: str) -> frozenset[str]:
    """The names of all volumes that an active pool has, when libvirt last looked (virStoragePoolListVolumes)."""
    return frozenset(connection._handle.storagePoolLookupByName(name).listVolumes())


@dataclass(frozen=True)
class InactivePool:
    """A storage pool that is defined and not started: its name and its document."""

    name: str
    xml: str


@translated
def inactive_pools(connection: Connection) -> list[InactivePool]:
    """All of them (virConnectListAllStoragePools)."""
    try:
        handles = connection._handle.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE)
    except libvirt.libvirtError as error:
        if code_of(error) == libvirt.VIR_ERR_NO_SUPPORT:
            return []
        raise
    return [InactivePool(handle.name(), handle.XMLDesc(0)) for handle in handles]


@translated
def has_secret(connection: Connection, uuid: str | None, kind: str = "", usage: str = "") -> bool | None:
    """True when there is a secret with this UUID, or where that is None of this usage.

    (virSecretLookupByUUIDString, virSecretLookupByUsage)
    """
    found = _presence(lambda: bool(_secret(connection, uuid, kind, usage)))
    return None if found is None else found is Presence.ACTIVE


def secret_digest(connection: Connection, uuid: str | None, kind: str = "", usage: str = "") -> str | None:
    """A digest of the value of a secret, looked up as :func:`has_secret` does; None where libvirt does not tell it.

    It does not for secrets that are private, and over read-only connections. (virSecretGetValue)
    """
    try:
        return hashlib.sha256(_secret(connection, uuid, kind, usage).value(0)).hexdigest()
    except libvirt.libvirtError:
        return None


def _secret(connection: Connection, uuid: str | None, kind: str, usage: str) -> libvirt.virSecret:
    handle = connection._handle
    if uuid:
        return handle.secretLookupByUUIDString(uuid)
    return handle.secretLookupByUsage(_SECRET_USES.get(kind, libvirt.VIR_SECRET_USAGE_TYPE_NONE), usage)


@translated
def interface_xml(connection: Connection, name: str) -> str | None:
    """The document of a network device of the host, be it a bridge; "" where there is none of this name.

    None where libvirt has no driver for them. (virInterfaceLookupByName, which reads sysfs)
    """
    try:
        return connection._handle.interfaceLookupByName(name).XMLDesc(0)
    except libvirt.libvirtError as error:
        if code_of(error) == libvirt.VIR_ERR_NO_INTERFACE:
            return ""
        if code_of(error) == libvirt.VIR_ERR_NO_SUPPORT:
            return None
        raise


def _presence(is_active: Callable[[], int]) -> Presence | None:
    try:
        return Presence.ACTIVE if is_active() else Presence.INACTIVE
    except libvirt.libvirtError as error:
        if code_of(error) in _MISSING:
            return Presence.MISSING
        if code_of(error) == libvirt.VIR_ERR_NO_SUPPORT:
            return None
        raise
