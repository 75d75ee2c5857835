"""Saved memory that waits for the next start: what restoring it means for the hardware, and what it forbids."""

from __future__ import annotations

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import Element, parse
from holdfast.errors import Failed, LibvirtRefused, power
from holdfast.operations.disk_source import check_source
from holdfast.operations.session import OpenDomain


def refuse_with_managed_save(domain: OpenDomain, why: str) -> None:
    """Raise MANAGED_SAVE, with the reason ``why``, while a managed-save image waits."""
    if domain.has_managed_save():
        condition = power.MANAGED_SAVE_RUNNING if domain.is_active() else power.MANAGED_SAVE
        raise condition(name=domain.name, why=why)


def saved_document(domain: OpenDomain) -> Element | None:
    """The document inside the managed-save image, with which the next start continues; None where there is no image.

    Raises Failed for an image that is damaged. (virDomainManagedSaveGetXMLDesc)
    """
    if not domain.has_managed_save():
        return None
    try:
        return parse(domain.managed_save_xml())
    except LibvirtRefused as error:
        raise power.MANAGED_SAVE_UNREADABLE(name=domain.name, cause=error) from error


def look_before_restore(domain: OpenDomain) -> tuple[str, ...]:
    """What waits in config until the cold start after the restore, in sentences: the guest continues as it was saved.

    Raises Failed for a damaged image, NotFound or Refused where a disk that was detached meanwhile would come back
    without its image, or with one that another domain uses by now.
    """
    saved, config = saved_document(domain), domain.documents.config
    if saved is None or config is None:
        return ()
    for disk in saved.iterfind("devices/disk"):
        if find_device(config, disk) is None:
            check_source(domain.connection, domain.uuid, disk, trust_format=True)
    return tuple(map(str, visible(compare_documents(saved, config))))


def lost_by_discarding(domain: OpenDomain) -> tuple[Change, ...]:
    """What the guest sees differ once the saved memory is dropped; nothing where the image cannot be read."""
    try:
        saved = saved_document(domain)
    except Failed:
        return ()  # which could not be restored either
    config = domain.documents.config
    return () if saved is None or config is None else tuple(visible(compare_documents(saved, config)))
