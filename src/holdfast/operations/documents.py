"""Reading both documents of a domain afresh: what every operation on a device starts and ends with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import describe, find_device, label
from holdfast.domainxml.document import Element, canonical, devices, is_live, parse, serialize
from holdfast.domainxml.elements.mirror import without_copy
from holdfast.domainxml.fact import Rescue
from holdfast.domainxml.manager.nova_metadata import NovaInstance, nova_instance
from holdfast.domainxml.metadata import fact
from holdfast.libvirtapi.domain import Definition, Domain


@dataclass(frozen=True)
class Documents:
    """The two documents of a domain, parsed. ``live`` is None while it is shut off, ``config`` of a transient one."""

    live: Element | None
    config: Element | None

    def find(self, definition: Definition, device: Element) -> Element | None:
        """The device that is the same as ``device`` in one of the documents; None when it has none."""
        document = self.get(definition)
        return None if document is None else find_device(document, device)

    def find_live(self, device: Element) -> Element | None:
        """The device that is the same as ``device`` in live; None when live has none, or the domain is shut off."""
        return self.find(Definition.LIVE, device)

    def find_config(self, device: Element) -> Element | None:
        """The device that is the same as ``device`` in config; None when config has none."""
        return self.find(Definition.CONFIG, device)

    @property
    def rescue(self) -> Rescue | None:
        """The mark of a domain that runs as a rescue; None for any other."""
        return None if self.live is None else fact(self.live, Rescue)

    @property
    def instance(self) -> NovaInstance | None:
        """The instance of OpenStack Nova that the domain is; None for other domains."""
        document = self.config if self.config is not None else self.live
        return None if document is None else nova_instance(document)

    def is_of_rescue(self, device: Element) -> bool:
        """True for a device that only the rescue has."""
        return self.rescue is not None and f"{device.tag!s} {label(device)}" in self.rescue.devices

    def own(self) -> list[Element]:
        """The documents that tell what the domain itself has: those that exist, without live in a rescue."""
        found = self.present
        if self.rescue is not None:
            del found[Definition.LIVE]
        return list(found.values())

    def changed_since(self, before: Documents, definition: Definition) -> list[str]:
        """The devices of one document that are new, gone or different since ``before``, each in one line.

        How far a disk has been copied elsewhere is no difference.
        """
        then, now = _texts(before.get(definition)), _texts(self.get(definition))
        old = _described(then[text] for text in then.keys() - now.keys())
        new = _described(now[text] for text in now.keys() - then.keys())
        return sorted({(old | new)[form] for form in old.keys() ^ new.keys()})

    def guest_changes_since(self, before: Documents) -> list[str]:
        """What a guest sees differ since ``before``, in either document that there was and is, in sentences."""
        then = before.present
        pairs = [(then[definition], now) for definition, now in self.present.items() if definition in then]
        return [str(change) for old, new in pairs for change in visible(compare_documents(old, new))]

    def get(self, definition: Definition) -> Element | None:
        """One of the documents; None where the domain does not have it."""
        return self.live if definition is Definition.LIVE else self.config

    @property
    def present(self) -> dict[Definition, Element]:
        """The documents that the domain has, live first."""
        both = {Definition.LIVE: self.live, Definition.CONFIG: self.config}
        return {definition: document for definition, document in both.items() if document is not None}


def _texts(document: Element | None) -> dict[str, Element]:
    """Every device by its text: what libvirt wrote alike twice needs no canonical form to be the same."""
    return {} if document is None else {serialize(device): device for device in devices(document)}


def _described(found: Iterable[Element]) -> dict[bytes, str]:
    return {canonical(without_copy(device)): describe(device) for device in found}


def read(domain: Domain, secure: bool = False) -> Documents:
    """Read the documents that ``domain`` has now; ``secure`` includes passwords, which are not for keeping.

    Raises NotFound when it vanished in between. (virDomainGetXMLDesc)
    """
    live = read_live(domain, secure)
    # A domain that is shut off is always persistent.
    return Documents(live, read_config(domain, secure) if live is None or domain.is_persistent() else None)


def read_live(domain: Domain, secure: bool) -> Element | None:
    """The live document; None while the domain is shut off. (virDomainGetXMLDesc)"""
    live = parse(domain.xml(Definition.LIVE, secure))
    return live if is_live(live) else None


def read_config(domain: Domain, secure: bool = False) -> Element:
    """The config document of a persistent domain. (virDomainGetXMLDesc)"""
    return parse(domain.xml(Definition.CONFIG, secure))


def saved_memory_notes(domain: Domain, documents: Documents) -> tuple[str, ...]:
    """What to add to a change of config while a managed-save image waits; empty where none does."""
    if documents.live is not None or not domain.has_managed_save():
        return ()
    return ("the next start continues from the managed-save image, without this change; it comes with the one after",)
