"""Storage pools: finding one, and making volumes in it. Strings in, strings out."""

from __future__ import annotations

import libvirt
from holdfast.errors import hosts, images
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.translate import code_of, translated
from holdfast.libvirtapi.volume import Volume

OWN_POOL = "holdfast-"
"""How the names of pools begin that are there for one operation only, or were left by one that was killed."""


class Pool:
    """An active storage pool."""

    def __init__(self, handle: libvirt.virStoragePool) -> None:
        self._handle = handle
        self.name = handle.name()

    @translated
    def xml(self) -> str:
        """Its document (virStoragePoolGetXMLDesc)."""
        return self._handle.XMLDesc(0)

    @translated
    def refresh(self) -> None:
        """Let it see what was put there past libvirt (virStoragePoolRefresh)."""
        self._handle.refresh(0)

    @translated
    def names(self) -> list[str]:
        """The names of its volumes (virStoragePoolListVolumes)."""
        return self._handle.listVolumes()

    @translated
    def volume(self, name: str) -> Volume:
        """The volume of this name (virStorageVolLookupByName)."""
        return Volume(self._handle.storageVolLookupByName(name))

    @translated
    def close(self) -> None:
        """Let libvirt forget a pool that was made for one operation; its volumes stay (virStoragePoolDestroy)."""
        if self.name.startswith(OWN_POOL):
            self._handle.destroy()

    @translated
    def create(self, name: str, document: str, copy_of: Volume | None = None) -> Volume:
        """Create the volume ``name`` from its document, with the data of another one where ``copy_of`` names it.

        Raises VOLUME_EXISTS. (virStorageVolCreateXML, virStorageVolCreateXMLFrom)
        """
        try:
            if copy_of is None:
                return Volume(self._handle.createXML(document, 0))
            return Volume(self._handle.createXMLFrom(document, copy_of._handle, 0))
        except libvirt.libvirtError as error:
            if code_of(error) == libvirt.VIR_ERR_STORAGE_VOL_EXIST:
                raise images.VOLUME_EXISTS(pool=self.name, volume=name) from error
            raise


@translated
def find_pool(connection: Connection, name: str) -> Pool:
    """The active pool of this name (virStoragePoolLookupByName).

    Raises NO_POOL, POOL_NOT_ACTIVE, and NO_POOLS where libvirt has no storage at all.
    """
    try:
        handle = connection._handle.storagePoolLookupByName(name)
    except libvirt.libvirtError as error:
        if code_of(error) == libvirt.VIR_ERR_NO_SUPPORT:
            raise hosts.NO_POOLS(uri=connection.uri) from error
        if code_of(error) == libvirt.VIR_ERR_NO_STORAGE_POOL:
            raise hosts.NO_POOL(pool=name, uri=connection.uri) from error
        raise
    if not handle.isActive():
        raise hosts.POOL_NOT_ACTIVE(pool=name)
    return Pool(handle)


@translated
def pool_over(connection: Connection, folder: str) -> Pool | None:
    """The active pool whose volumes are in ``folder``; None where there is none (virStoragePoolLookupByTargetPath)."""
    try:
        handle = connection._handle.storagePoolLookupByTargetPath(folder)
    except libvirt.libvirtError as error:
        if code_of(error) in (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_SUPPORT):
            return None
        raise
    return Pool(handle) if handle.isActive() else None


@translated
def make_pool(connection: Connection, document: str, *, make_folder: bool) -> Pool:
    """A pool that is there until :meth:`Pool.close`. ``make_folder``: its folder is made (virStoragePoolCreateXML).

    Raises CARRIES_NO_FILES where libvirt has no storage at all.
    """
    flags = libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD if make_folder else 0
    try:
        return Pool(connection._handle.storagePoolCreateXML(document, flags))
    except libvirt.libvirtError as error:
        if code_of(error) == libvirt.VIR_ERR_NO_SUPPORT:
            raise hosts.CARRIES_NO_FILES(uri=connection.uri) from error
        raise


@translated
def has_active_pool(connection: Connection, name: str) -> bool:
    """True when there is an active pool of this name; False also where libvirt has no storage at all."""
    try:
        return bool(connection._handle.storagePoolLookupByName(name).isActive())
    except libvirt.libvirtError as error:
        if code_of(error) in (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_SUPPORT):
            return False
        raise
