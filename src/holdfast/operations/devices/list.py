"""The disks, the interfaces or all devices of a domain, in both documents at once."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.address import address_of, describe_address, same_place
from holdfast.domainxml.device import alias, label, user_alias
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.elements.interface import connected_to
from holdfast.domainxml.elements.mirror import copy_of
from holdfast.domainxml.metadata import DiskRecord, Releasing, facts
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import OF_RESCUE, Documents
from holdfast.operations.session import looking


@dataclass(frozen=True)
class Device:
    """One device. ``address`` is where the guest has it, ``next_address`` where the next start puts it if elsewhere.

    ``waits`` says in words what the next start or the guest still has to do; None where live and config agree.
    ``model`` is a disk's bus or an interface's model, ``source`` what of the host is behind it, ``format`` an image's.
    ``record`` is what is recorded of a disk; None where nothing is.
    """

    tag: str
    label: str
    kind: str | None
    model: str | None
    source: str | None
    format: str | None
    serial: str | None
    alias: str | None
    address: str | None
    next_address: str | None = None
    waits: str | None = None
    record: DiskRecord | None = None

    @property
    def role(self) -> str | None:
        """What a disk is for, where that is recorded."""
        return None if self.record is None else self.record.role or None


def list_devices(connection: Connection, name: str, tag: str | None = None) -> list[Device]:
    """The devices of the domain ``name``, of element ``tag`` where it is given ("disk", "interface" …).

    Those of live first, in document order, then those that only config has. Raises NotFound. (virDomainGetXMLDesc)
    """
    documents = looking(connection, name).documents
    first, *rest = documents.present.values()
    found = [_device(documents, item) for item in devices(first) if tag in (None, item.tag)]
    for document in rest:
        only_config = [item for item in devices(document) if documents.find_live(item) is None]
        found += [_device(documents, item) for item in only_config if tag in (None, item.tag)]
    return found


def _device(documents: Documents, device: Element) -> Device:
    model, target = device.find("model"), device.find("target")
    is_disk = device.tag == "disk"
    planned = documents.find_config(device)
    waits = _waits(documents, device, planned)
    moves = waits is not None and planned is not None and documents.find_live(device) is not None
    return Device(
        tag=str(device.tag),
        label=label(device),
        kind=device.get("device") or device.get("type"),
        model=target.get("bus") if is_disk and target is not None else None if model is None else model.get("type"),
        source=source_of(device) if is_disk else connected_to(device),
        format=stated_format(device) if is_disk and device.find("source") is not None else None,
        serial=device.findtext("serial"),
        alias=user_alias(device),
        address=describe_address(device),
        next_address=describe_address(planned) if moves and planned is not None else None,
        waits=waits,
        record=_record(documents, device) if is_disk else None,
    )


def _record(documents: Documents, disk: Element) -> DiskRecord | None:
    """Each document has its own; only a crash between the two leaves one without."""
    found = (disk_record(document, disk) for document in documents.present.values())
    return next((record for record in found if record is not None), None)


def _waits(documents: Documents, device: Element, planned: Element | None) -> str | None:
    if documents.live is None or documents.config is None:
        return None
    if planned is None:
        if any(entry.alias == alias(device) for entry in facts(documents.config, Releasing)):
            return "detached; the guest has not released it"
        return OF_RESCUE if documents.is_of_rescue(device) else "in live only: gone at the next start"
    current = documents.find_live(device)
    if current is None:
        return "in config only: comes with the next start"
    place, next_place = address_of(current), address_of(planned)
    if place is not None and next_place is not None and not same_place(place, next_place):
        return f"moves to {describe_address(planned)} at the next start"
    if device.tag == "disk" and source_of(current) != source_of(planned):
        return f"has {source_of(planned) or 'nothing'} at the next start"
    return None if (copy := copy_of(current)) is None else f"is being copied to {copy}"
