"""What the next cold start of a domain will change for its guest, on the host that it is on."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.host.cpu_outlook import model_of
from holdfast.domainxml.host.outlook import Effect as Effect
from holdfast.domainxml.host.outlook import Outlook as Outlook
from holdfast.domainxml.host.outlook import differs as differs
from holdfast.domainxml.manager.nova_metadata import NovaInstance, nova_instance
from holdfast.domainxml.metadata import Releasing, Started, fact, facts
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents
from holdfast.operations.host_outlook import HostOutlook, KnownGuest
from holdfast.operations.managed_save import saved_document
from holdfast.operations.session import looking


@dataclass(frozen=True)
class Plan:
    """What a cold start would do to one domain. ``state`` is in virsh's words, ``instance`` OpenStack Nova's."""

    name: str
    uuid: str
    state: str
    instance: NovaInstance | None
    outlooks: tuple[Outlook, ...]

    @property
    def differs(self) -> bool:
        """True when the guest would see something, or would not start."""
        return differs(self.outlooks)


def plan_reboot(connection: Connection, name: str) -> Plan:
    """Work out what the next cold start of ``name`` changes; nothing is touched.

    That is what waits in config, devices the guest has not released, a managed-save image that would win, a CPU that
    is expanded anew, another firmware build, and what this host lacks of the document. What nobody can tell is among
    the outlooks, as unknown. Raises NotFound.
    (virDomainGetXMLDesc, virDomainManagedSaveGetXMLDesc, virConnectGetDomainCapabilities)
    """
    domain = looking(connection, name)
    documents = domain.documents
    saved = None if documents.config is None else saved_document(domain)
    outlooks = [*waiting(documents, saved)]
    if documents.config is not None:
        known = known_guest(documents.live if documents.live is not None else saved, documents.config)
        outlooks += HostOutlook(connection).of(documents.config, known)
    return Plan(domain.name, domain.uuid, domain.state(), instance_of(documents), tuple(outlooks))


def instance_of(documents: Documents) -> NovaInstance | None:
    """The instance of OpenStack Nova that a domain is."""
    document = documents.config if documents.config is not None else documents.live
    return None if document is None else nova_instance(document)


def waiting(documents: Documents, saved: Element | None = None) -> list[Outlook]:
    """What the documents themselves say of the next cold start; ``saved`` is that of a managed-save image."""
    config, live = documents.config, documents.live
    if config is None:
        return [Outlook(Effect.BLOCKS, "domain", "it is transient: once it stops there is no document to start from")]
    found = []
    if saved is not None and live is not None:
        sentence = "a managed-save image would win: the next start restores its old memory over the disks of today"
        found.append(Outlook(Effect.CHANGES, "managed save", sentence))
    elif saved is not None:
        sentence = "the next start continues from the managed-save image; what follows comes with the one after it"
        found.append(Outlook(Effect.NOTE, "managed save", sentence))
    if documents.rescue is not None:
        found.append(Outlook(Effect.NOTE, "rescue", "it is in rescue, which ends with this start"))
    if live is None and saved is not None:
        return [*found, *_pending(compare_documents(saved, config), config)]
    return [*found, *_pending(documents.waiting(), config)]


def _pending(changes: list[Change], config: Element) -> list[Outlook]:
    releasing = {f"{item.device} {item.label}" for item in facts(config, Releasing)}
    found = []
    for change in visible(changes):
        part, sentence = change.where.removeprefix("devices/").partition("/")[0], str(change)
        if change.kind is ChangeKind.REMOVED and change.what in releasing:
            sentence += "; it was detached, and the guest has not released it"
        found.append(Outlook(Effect.CHANGES, part, sentence))
    return found


def known_guest(running: Element | None, config: Element) -> KnownGuest:
    """What is known of the guest: from the document that it runs with, else from what its last start recorded.

    A record that stands in the running document too was copied there by somebody else's start: it is of one before.
    """
    started = fact(config, Started)
    cpu = None if running is None else running.find("cpu")
    if running is None and started is not None and started.cpu:
        cpu = parse(started.cpu, "cpu")
    if cpu is not None and not model_of(cpu):
        cpu = None
    loader = None if running is None else (running.findtext("os/loader") or "").strip() or None
    stale = running is not None and fact(running, Started) is not None
    return KnownGuest(cpu, started.firmware or None if started is not None and not stale else None, loader)
