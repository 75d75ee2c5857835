"""Saved memory that waits for the next start: what restoring it means for the hardware, and what it forbids."""

from __future__ import annotations

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import Element, parse
from holdfast.errors import Failed, LibvirtRefused, Refused
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.disk_source import check_source


def refuse_with_managed_save(domain: Domain, why: str) -> None:
    """Raise Refused, with the reason ``why``, while a managed-save image waits."""
    if domain.has_managed_save():
        drop = f"'holdfast discard-save {domain.name}' drops it"
        restore = "" if domain.is_active() else f"'holdfast restore {domain.name}' continues from it, "
        raise Refused(f"the domain {domain.name!r} has a managed-save image: {why}", restore + drop)


def saved_document(domain: Domain) -> Element | None:
    """The document inside the managed-save image, with which the next start continues; None where there is no image.

    Raises Failed for an image that is damaged. (virDomainManagedSaveGetXMLDesc)
    """
    if not domain.has_managed_save():
        return None
    try:
        return parse(domain.managed_save_xml())
    except LibvirtRefused as error:
        raise Failed(
            f"the managed-save image of {domain.name!r} cannot be read: {error.message}",
            f"'holdfast discard-save {domain.name}' drops it; the next start boots then",
        ) from error


def look_before_restore(connection: Connection, domain: Domain) -> tuple[str, ...]:
    """What waits in config until the cold start after the restore, in sentences: the guest continues as it was saved.

    Raises Failed for a damaged image, NotFound or Refused where a disk that was detached meanwhile would come back
    without its image, or with one that another domain uses by now.
    """
    saved, config = saved_document(domain), parse(domain.xml(Definition.CONFIG))
    if saved is None:
        return ()
    for disk in saved.iterfind("devices/disk"):
        if find_device(config, disk) is None:
            check_source(connection, domain.uuid, disk, trust_format=True)
    return _waiting(saved, config)


def lost_by_discarding(domain: Domain) -> tuple[str, ...]:
    """What the guest finds changed once the saved memory is dropped; nothing where the image cannot be read."""
    try:
        saved = saved_document(domain)
    except Failed:
        return ()  # which could not be restored either
    return () if saved is None else _waiting(saved, parse(domain.xml(Definition.CONFIG)))


def _waiting(saved: Element, config: Element) -> tuple[str, ...]:
    return tuple(map(str, visible(compare_documents(saved, config))))
