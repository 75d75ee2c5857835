"""The snapshots of a domain as libvirt keeps them. Strings in, strings out, no decisions."""

from __future__ import annotations

import libvirt
from holdfast.errors.snapshots import NO_SNAPSHOT
from holdfast.libvirtapi.domain import Domain, changes_domain
from holdfast.libvirtapi.translate import code_of, translated


class Snapshot:
    """A snapshot that libvirt knows of, of ``domain``."""

    def __init__(self, domain: Domain, handle: libvirt.virDomainSnapshot) -> None:
        self._domain = domain
        self._handle = handle
        self.name = handle.getName()

    @translated
    def xml(self, secure: bool = False) -> str:
        """Its document, with the domain's documents of that time inside (virDomainSnapshotGetXMLDesc).

        ``secure`` includes passwords: for a document that is redefined, never for one that is kept.
        """
        return self._handle.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE if secure else 0)

    def revert(self, force: bool = False) -> None:
        """Bring back its disks, memory and documents, live and config (virDomainRevertToSnapshot); blocks.

        ``force`` also where libvirt sees the hardware change.
        """
        _revert(self._domain, self._handle, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE if force else 0)

    def delete(self) -> None:
        """Delete it; what an external one has in overlays is merged into their images (virDomainSnapshotDelete)."""
        _delete(self._domain, self._handle)


@translated
def snapshots(domain: Domain) -> list[Snapshot]:
    """Every snapshot that libvirt knows of, sorted by name (virDomainListAllSnapshots)."""
    found = [Snapshot(domain, handle) for handle in domain._handle.listAllSnapshots(0)]
    return sorted(found, key=lambda snapshot: snapshot.name)


def find_snapshot(domain: Domain, name: str) -> Snapshot:
    """The snapshot of this name (virDomainSnapshotLookupByName). Raises NO_SNAPSHOT."""
    found = _lookup(domain, name)
    if found is None:
        raise NO_SNAPSHOT(name=domain.name, snapshot=name)
    return found


def current_snapshot(domain: Domain) -> Snapshot | None:
    """The one that was made or reverted to last, and is the parent of the next (virDomainSnapshotCurrent)."""
    return _lookup(domain, None)


@translated
def _lookup(domain: Domain, name: str | None) -> Snapshot | None:
    """The snapshot of this name, or the current one."""
    handle = domain._handle
    try:
        return Snapshot(domain, handle.snapshotCurrent() if name is None else handle.snapshotLookupByName(name))
    except libvirt.libvirtError as error:
        if code_of(error) == libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT:
            return None
        raise


@changes_domain
def make_snapshot(domain: Domain, document: str, *, disk_only: bool = False, quiesce: bool = False) -> None:
    """Make a snapshot from its document; ``quiesce`` lets the guest agent freeze the file systems meanwhile.

    (virDomainSnapshotCreateXML.) All disks or none are in it at the end, unless libvirt or the host dies.
    """
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY if disk_only else 0
    if quiesce:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    domain._handle.snapshotCreateXML(document, flags)


@translated
def redefine_snapshot(domain: Domain, document: str) -> None:
    """Change what libvirt keeps of a snapshot; the domain, its disks and memory stay.

    (virDomainSnapshotCreateXML, REDEFINE)
    """
    domain._handle.snapshotCreateXML(document, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)


@changes_domain
def _revert(domain: Domain, snapshot: libvirt.virDomainSnapshot, flags: int) -> None:
    domain._handle.revertToSnapshot(snapshot, flags)


@changes_domain
def _delete(domain: Domain, snapshot: libvirt.virDomainSnapshot) -> None:
    snapshot.delete(0)
