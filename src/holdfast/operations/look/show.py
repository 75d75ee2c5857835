"""One domain at a glance: what it is, its hardware as the guest meets it, and what waits for the next start."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.describe.hardware_tree import Part as Part
from holdfast.domainxml.describe.hardware_tree import hardware_tree, waiting_devices
from holdfast.domainxml.describe.identity import Identity, identity_of
from holdfast.domainxml.document import Element
from holdfast.domainxml.manager.nova_metadata import NovaInstance as NovaInstance
from holdfast.domainxml.manager.nova_metadata import nova_instance
from holdfast.domainxml.metadata import Releasing, Rescue, facts
from holdfast.domainxml.places.pci import hotplug_places, slot_count
from holdfast.domainxml.records.disk_record import unfinished
from holdfast.errors import Failed
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import OF_RESCUE, Documents
from holdfast.operations.managed_save import saved_document
from holdfast.operations.session import OpenDomain, looking


@dataclass(frozen=True)
class DomainView:
    """What ``show`` tells.

    ``state``          in the words of ``virsh list``
    ``persistent``     False for a domain that is gone once it stops
    ``instance``       the instance of OpenStack Nova that it is; None for other domains
    ``rescue``         since when it runs as a rescue and what it was before; None for a domain that does not
    ``managed_save``   True when the next start restores saved memory, whatever config says
    ``identity``       what the guest reads about itself: UUID, machine, CPU, firmware, memory, vCPUs
    ``hardware``       of the running guest; of the next start while it is shut off, saved memory respected
    ``slots``          how many hot-plug places there are, taken or not
    ``free_slots``     the PCI addresses of those that a device can still be attached to, lowest first
    ``waiting``        the changes that the next start brings, or with saved memory the one after that; else empty
                       while the domain is shut off
    ``unfinished``     in sentences: what was begun and is not finished, or broke off; images that are being made
    """

    name: str
    state: str
    persistent: bool
    instance: NovaInstance | None
    rescue: Rescue | None
    managed_save: bool
    identity: Identity
    hardware: list[Part]
    slots: int
    free_slots: list[str]
    waiting: list[Change]
    unfinished: list[str]


def show_domain(connection: Connection, name: str) -> DomainView:
    """Read the domain ``name``, by name or UUID. Raises NotFound. (virDomainGetState, virDomainGetXMLDesc)"""
    domain = looking(connection, name)
    state = domain.state()
    now = domain.documents
    documents = _with_saved(domain, now)
    current = documents.live if documents.live is not None else documents.config
    assert current is not None  # read() raises NotFound when there is neither
    return DomainView(
        name=domain.name,
        state=state,
        persistent=documents.config is not None,
        instance=nova_instance(current),
        rescue=documents.rescue,
        managed_save=documents.config is not None and domain.has_managed_save(),
        identity=identity_of(current),
        hardware=hardware_tree(current, _notes(documents)),
        slots=slot_count(current),
        free_slots=[str(place) for place in hotplug_places(current)],
        waiting=documents.waiting(),
        unfinished=list(dict.fromkeys(each for document in now.present.values() for each in unfinished(document))),
    )


def _with_saved(domain: OpenDomain, documents: Documents) -> Documents:
    """The documents with that of a managed-save image as the live one: the guest of the next start runs with it."""
    if documents.live is not None:
        return documents
    try:
        return Documents(saved_document(domain), documents.config)
    except Failed:  # damaged: the start will say so
        return documents


def _notes(documents: Documents) -> dict[Element, str]:
    if documents.live is None or documents.config is None:
        return {}
    releasing = {entry.alias for entry in facts(documents.config, Releasing)}
    notes = waiting_devices(documents.live, documents.config, releasing)
    return {device: OF_RESCUE if documents.is_of_rescue(device) else note for device, note in notes.items()}
