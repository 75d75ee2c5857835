"""Saved memory that waits for the next start: what restoring it means for the hardware, and what it forbids."""

from __future__ import annotations

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import parse
from holdfast.errors import Failed, LibvirtRefused, power
from holdfast.operations.disk_source import check_source
from holdfast.operations.documents import Documents
from holdfast.operations.session import OpenDomain
from holdfast.operations.waiting import waiting


def refuse_with_managed_save(domain: OpenDomain, why: str) -> None:
    """Raise MANAGED_SAVE, or MANAGED_SAVE_RUNNING, with the reason ``why``, while a managed-save image waits."""
    if domain.has_managed_save():
        condition = power.MANAGED_SAVE_RUNNING if domain.is_active() else power.MANAGED_SAVE
        raise condition(name=domain.name, why=why)


def documents_of_guest(domain: OpenDomain) -> Documents:
    """The documents, with that of a managed-save image as live: the one with which the guest runs, or continues.

    Raises MANAGED_SAVE_UNREADABLE. (virDomainManagedSaveGetXMLDesc)
    """
    documents = domain.documents
    if documents.live is not None or not domain.has_managed_save():
        return documents
    try:
        return Documents(parse(domain.managed_save_xml()), documents.config)
    except LibvirtRefused as error:
        raise power.MANAGED_SAVE_UNREADABLE(name=domain.name, cause=error) from error


def look_before_restore(domain: OpenDomain) -> tuple[str, ...]:
    """What waits until the cold start after the restore, in sentences: the guest continues as it was saved.

    Raises MANAGED_SAVE_UNREADABLE, and NotFound or Refused where a disk that was detached meanwhile would come back
    without its image, or with one that another domain uses by now.
    """
    documents = documents_of_guest(domain)
    saved, config = documents.live, documents.config
    if saved is None or config is None:
        return ()
    for disk in saved.iterfind("devices/disk"):
        if find_device(config, disk) is None:
            drops = ("optional", "requisite") if disk.get("device") in ("cdrom", "floppy") else ()  # libvirt 9.0
            check_source(domain.connection, domain.uuid, disk, trust_format=True, may_lack=drops)
    return tuple(map(str, waiting(documents)))


def lost_by_discarding(domain: OpenDomain) -> tuple[Change, ...]:
    """What the guest sees differ once the saved memory is dropped; nothing where the image cannot be read."""
    try:
        return tuple(waiting(documents_of_guest(domain)))
    except Failed:
        return ()  # which could not be restored either
