"""One domain at a glance: what it is, its hardware as the guest meets it, and what waits for the next start."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.describe.hardware_tree import Part, hardware_tree
from holdfast.domainxml.describe.identity import Identity, identity_of
from holdfast.domainxml.fact import Rescue
from holdfast.domainxml.manager.nova_metadata import NovaInstance
from holdfast.domainxml.places.pci import hotplug_places, slot_count
from holdfast.domainxml.records.disk_record import unfinished
from holdfast.errors import Failed
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents
from holdfast.operations.managed_save import documents_of_guest
from holdfast.operations.session import OpenDomain, looking
from holdfast.operations.waiting import (
    device_notes,
    disks_being_copied,
    waiting,
    waiting_host_changes,
    waiting_password_changes,
)


@dataclass(frozen=True, kw_only=True)
class DomainView:
    """What ``show`` says about a domain.

    ``name``, ``uuid``  the domain's
    ``state``          in the words of ``virsh list``
    ``persistent``     False for a domain that is gone once it stops
    ``instance``       the instance of OpenStack Nova that it is; None for other domains
    ``rescue``         since when it runs as a rescue and what it was before; None for a domain that does not
    ``managed_save``   True when the next start restores saved memory, whatever config says
    ``identity``       what the guest reads about itself: UUID, machine, CPU, firmware, memory, vCPUs
    ``hardware``       of the running guest; of the next start while it is shut off, saved memory respected
    ``slots``          how many hot-plug places there are, taken or not
    ``free_slots``     the PCI addresses of those that a device can still be attached to, lowest first
    ``changes``        what waits: what the guest sees differ after its next cold start, or with saved memory after the
                       one that follows; empty for another domain that is shut off
    ``apart``          what waits, too, and the guest does not see: images, networks, limits, names
    ``unfinished``     in sentences: what was begun and is not finished, or was interrupted; images that are being made
    """

    name: str
    uuid: str
    state: str
    persistent: bool
    instance: NovaInstance | None
    rescue: Rescue | None
    managed_save: bool
    identity: Identity
    hardware: tuple[Part, ...]
    slots: int
    free_slots: tuple[str, ...]
    changes: tuple[Change, ...]
    apart: tuple[Change, ...]
    unfinished: tuple[str, ...]


def show_domain(connection: Connection, name: str) -> DomainView:
    """Read the domain ``name``, by name or UUID. Raises NO_DOMAIN. (virDomainGetState, virDomainGetXMLDesc)"""
    domain = looking(connection, name)
    state = domain.state()
    documents = _documents(domain)
    current = documents.live if documents.live is not None else documents.config
    assert current is not None  # a domain has at least one
    begun = (each for document in domain.documents.present.values() for each in unfinished(document))
    return DomainView(
        name=domain.name,
        uuid=domain.uuid,
        state=state,
        persistent=documents.config is not None,
        instance=documents.instance,
        rescue=documents.rescue,
        managed_save=documents.config is not None and domain.has_managed_save(),
        identity=identity_of(current),
        hardware=tuple(hardware_tree(current, device_notes(documents))),
        slots=slot_count(current),
        free_slots=tuple(str(place) for place in hotplug_places(current)),
        changes=tuple(waiting(documents)),
        apart=(*waiting_host_changes(documents), *waiting_password_changes(domain, documents)),
        unfinished=tuple(dict.fromkeys((*begun, *disks_being_copied(domain.documents)))),
    )


def _documents(domain: OpenDomain) -> Documents:
    """Those that the guest runs with, or continues with, where its saved memory can be read."""
    try:
        return documents_of_guest(domain)
    except Failed:  # damaged: the start will say so
        return domain.documents
