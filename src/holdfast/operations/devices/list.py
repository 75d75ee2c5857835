"""The disks, the interfaces or all devices of a domain, in both documents at once."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.device import label, user_alias
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.elements.interface import connected_to
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents
from holdfast.operations.session import looking
from holdfast.operations.waiting import device_notes


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

    Those of live first, in document order, then those that only config has. Raises NO_DOMAIN. (virDomainGetXMLDesc)
    """
    documents = looking(connection, name).documents
    notes = device_notes(documents)
    first, *rest = documents.present.values()
    found = list(devices(first))
    for document in rest:
        found += [item for item in devices(document) if documents.find_live(item) is None]
    return [_device(documents, item, notes.get(item)) for item in found if tag in (None, item.tag)]


def _device(documents: Documents, device: Element, waits: str | None) -> Device:
    model, target = device.find("model"), device.find("target")
    is_disk = device.tag == "disk"
    planned = documents.find_config(device)
    address, next_address = describe_address(device), None if planned is None else describe_address(planned)
    return Device(
        tag=str(device.tag),
        label=label(device),
        kind=device.get("device") or device.get("type"),
        model=target.get("bus") if is_disk and target is not None else None if model is None else model.get("type"),
        source=source_of(device) if is_disk else connected_to(device),
        format=stated_format(device) if is_disk and device.find("source") is not None else None,
        serial=device.findtext("serial"),
        alias=user_alias(device),
        address=address,
        next_address=next_address if next_address != address else None,
        waits=waits,
        record=_record(documents, device) if is_disk else None,
    )


def _record(documents: Documents, disk: Element) -> DiskRecord | None:
    """Each document has its own; only a crash between the two leaves one without."""
    found = (disk_record(document, disk) for document in documents.present.values())
    return next((record for record in found if record is not None), None)
