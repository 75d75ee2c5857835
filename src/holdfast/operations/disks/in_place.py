"""One disk of a domain in both documents, and the proof that what was done to its image changed nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.domainxml.device import describe, label, lookup
from holdfast.domainxml.document import Element, same
from holdfast.domainxml.elements.disk import is_shared, source_of, without_image
from holdfast.domainxml.elements.mirror import copy_of
from holdfast.errors import disks as errors
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import Answer, Step, ask_of_steps
from holdfast.operations.disks.newest_image import refuse_forgotten_qemu, refuse_unsettled_pivot
from holdfast.operations.documents import Documents
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.session import OpenDomain


@dataclass(frozen=True)
class DiskInPlace:
    """A disk as the documents of its domain have it now. ``live`` or ``config`` is None where one does not have it."""

    domain: OpenDomain
    documents: Documents
    live: Element | None
    config: Element | None

    @property
    def current(self) -> Element:
        """The disk as the guest has it, or while the domain is shut off will have it."""
        found = self.config if self.live is None else self.live
        assert found is not None  # else find_disk() has raised NO_DISK
        return found

    @property
    def target(self) -> str:
        """Its target: "vda"."""
        return label(self.current)

    @property
    def image(self) -> str | None:
        """Where its image is, in one word; None for an empty drive."""
        return source_of(self.current)

    @property
    def runs(self) -> bool:
        """True when a QEMU has it."""
        return self.live is not None

    @property
    def present(self) -> dict[Definition, Element]:
        """The disk in each document that has it, live first."""
        both = {Definition.LIVE: self.live, Definition.CONFIG: self.config}
        return {definition: disk for definition, disk in both.items() if disk is not None}

    def again(self) -> DiskInPlace:
        """The same disk as the documents have it by now. Raises NO_DISK when it is gone."""
        return find_disk_now(self.domain, self.target)


def find_disk_now(domain: OpenDomain, name: str) -> DiskInPlace:
    """As :func:`find_disk`, in the documents as they are now: where a copy, or somebody else, was at work meanwhile."""
    domain.look_again()
    return find_disk(domain, name)


def find_disk(domain: OpenDomain, name: str) -> DiskInPlace:
    """The disk ``name`` (target, alias or PCI address) of ``domain``. Raises NO_DISK. (virDomainGetXMLDesc)"""
    documents = domain.documents
    live, config = (
        None if document is None else lookup(document, name, "disk") for document in (documents.live, documents.config)
    )
    if live is None and config is None:
        disks = (disk for document in documents.present.values() for disk in document.iterfind("devices/disk"))
        raise errors.NO_DISK(name=domain.name, target=name, known=sorted(set(map(label, disks))) or "none")
    return DiskInPlace(domain, documents, live, config)


def refuse_without_image(disk: DiskInPlace) -> None:
    """Raise what is wrong where the image is not this domain's alone to be written to: NOT_A_DISK for a lun, IS_A_DRIVE
    for a CD or a floppy, NOT_ITS_OWN for a disk that is read-only or shareable, DISK_WITHOUT_IMAGE.
    """
    device = disk.current.get("device", "disk")
    if device != "disk":
        condition = errors.NOT_A_DISK if device == "lun" else errors.IS_A_DRIVE
        raise condition(name=disk.domain.name, target=disk.target, device=device)
    if is_shared(disk.current):
        raise errors.NOT_ITS_OWN(target=disk.target)
    if disk.image is None:
        raise errors.DISK_WITHOUT_IMAGE(target=disk.target)


def refuse_while_copied(disk: DiskInPlace) -> None:
    """Raise BEING_COPIED for a disk that is being copied elsewhere."""
    if (place := copy_of(disk.current)) is not None:
        raise errors.BEING_COPIED(name=disk.domain.name, target=disk.target, place=place)


def refuse_another_image(disk: DiskInPlace) -> None:
    """Raise what is wrong where the disk cannot have another image without losing something: QEMU_FORGOTTEN,
    MANAGED_SAVE, BEING_COPIED, NEWEST_UNKNOWN, ANOTHER_IMAGE_IN_CONFIG, DISK_HAS_SNAPSHOTS, ENCRYPTED.
    (virDomainSnapshotNum)
    """
    refuse_forgotten_qemu(disk.domain)
    refuse_managed_save(disk)
    refuse_while_copied(disk)
    refuse_unsettled_pivot(disk.domain, disk.current)
    name, target = disk.domain.name, disk.target
    if len({source_of(each) for each in disk.present.values()}) > 1:
        raise errors.ANOTHER_IMAGE_IN_CONFIG(name=name, target=target, image=disk.image)
    if disk.domain.snapshot_count():
        raise errors.DISK_HAS_SNAPSHOTS(name=name, target=target)
    if disk.current.find(".//encryption") is not None:
        raise errors.ENCRYPTED(target=target)


def refuse_managed_save(disk: DiskInPlace) -> None:
    """Raise MANAGED_SAVE for a domain that is shut off with a managed-save image."""
    if not disk.runs:
        refuse_with_managed_save(disk.domain, "its saved memory belongs to the disks as they are")


def ask_of_disk(disk: DiskInPlace, wanted: Element | None) -> Answer:
    """Whether libvirt would take ``wanted`` for the disk in config, for a dry run. Raises LibvirtRefused."""
    config = disk.documents.config
    if config is None or disk.config is None or wanted is None or same(disk.config, wanted):
        return Answer()
    return ask_of_steps(disk.domain.connection, Step("have", config), Step("update", wanted))


def prove_only_image_changed(before: DiskInPlace, image: str | None, where: Iterable[Definition]) -> DiskInPlace:
    """Read both documents again: in those of ``where`` the disk has ``image``, and nothing else has changed anywhere.

    Returns the disk as it is now. Raises GONE_MEANWHILE, NOT_THE_IMAGE, DISK_CHANGED_TOO, OTHERS_CHANGED_TOO.
    """
    after, name, device = before.again(), before.domain.name, describe(before.current)
    for definition, disk in before.present.items():
        now = after.present.get(definition)
        expected = (image if definition in where else source_of(disk)) or "nothing"
        if now is None:
            raise errors.GONE_MEANWHILE(name=name, device=device, image=expected, definition=definition)
        found = source_of(now) or "nothing"
        if found != expected:
            raise errors.NOT_THE_IMAGE(name=name, device=device, image=expected, found=found, definition=definition)
        if not same(without_image(disk), without_image(now)):
            raise errors.DISK_CHANGED_TOO(name=name, device=device, image=expected, definition=definition)
    itself = {describe(each) for each in before.present.values()}
    for definition in before.documents.present:
        changes = [line for line in after.documents.changed_since(before.documents, definition) if line not in itself]
        if changes:
            raise errors.OTHERS_CHANGED_TOO(name=name, device=device, definition=definition, changes=changes)
    return after
