"""What the next cold start of a domain will change for its guest, on the host that it is on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.device import short_name
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.host.outlook import differs as differs
from holdfast.domainxml.manager.nova_metadata import NovaInstance
from holdfast.domainxml.records.garbled import garbled_facts
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.known_files import images_outlook
from holdfast.operations.documents import Documents
from holdfast.operations.host.by_version import version_outlook
from holdfast.operations.host.outlook import HostOutlook, known_guest
from holdfast.operations.managed_save import documents_of_guest
from holdfast.operations.own_state import state_outlook
from holdfast.operations.session import OpenDomain, looking
from holdfast.operations.waiting import unreleased, waiting


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a cold start would do to one domain.

    ``name``, ``uuid``  the domain's
    ``state``           in virsh's words
    ``instance``        the instance of OpenStack Nova that it is; None for other domains
    ``changes``         what waits in config: what the guest sees differ after the cold start
    ``outlooks``        what else the guest sees of it, why there would be none, what nobody can tell, what is worth
                        knowing
    """

    name: str
    uuid: str
    state: str
    instance: NovaInstance | None
    changes: tuple[Change, ...] = ()
    outlooks: tuple[Outlook, ...] = ()

    @property
    def differs(self) -> bool:
        """True when the guest would see something, or would not start."""
        return bool(self.changes) or differs(self.outlooks)


def plan_reboot(connection: Connection, name: str) -> Plan:
    """Work out what the next cold start of ``name`` changes; nothing is touched.

    That is what waits in config, devices the guest has not released, a managed-save image that would win, a CPU
    that is expanded anew, another firmware build, and what this host lacks of the document, and headers of images
    that a start refuses. What nobody can tell is among the outlooks, as unknown. Raises NO_DOMAIN,
    MANAGED_SAVE_UNREADABLE.
    (virDomainGetXMLDesc, virDomainManagedSaveGetXMLDesc, virConnectGetDomainCapabilities)
    """
    domain = looking(connection, name)
    documents = documents_of_guest(domain)
    outlooks = [*_of_domain(domain, documents)]
    if documents.config is not None:
        known = known_guest(documents.live, documents.config)
        host = HostOutlook(connection)
        outlooks += host.of(documents.config, known)
        outlooks += version_outlook(documents.config, known.versions, host)
        outlooks += state_outlook(connection, documents.config, live=documents.live)
        outlooks += images_outlook(connection, domain, documents)
    return Plan(
        name=domain.name,
        uuid=domain.uuid,
        state=domain.state(),
        instance=documents.instance,
        changes=tuple(waiting(documents)),
        outlooks=tuple(outlooks),
    )


def _of_domain(domain: OpenDomain, documents: Documents) -> Iterator[Outlook]:
    """What there is to know of its next cold start besides what waits in config."""
    if documents.config is None:
        sentence = "it is transient: once it stops there is no document to start from"
        yield Outlook(Effect.BLOCKS, "domain", sentence)
        return
    if domain.has_managed_save() and domain.is_active():
        sentence = "a managed-save image takes precedence: the next start restores its old memory over today's disks"
        yield Outlook(Effect.CHANGES, "managed save", sentence)
    elif domain.has_managed_save():
        sentence = "the next start continues from the managed-save image; what changes comes with the one after it"
        yield Outlook(Effect.NOTE, "managed save", sentence)
    if domain.in_rescue:
        yield Outlook(Effect.NOTE, "rescue", "it is in rescue, which ends with this start")
    for sentence in garbled_facts(documents.config):
        yield Outlook(Effect.NOTE, "record", sentence)
    for device in unreleased(documents):
        sentence = f"{short_name(device)} was detached, and the guest has not released it"
        yield Outlook(Effect.NOTE, str(device.tag), sentence)
