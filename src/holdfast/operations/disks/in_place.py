"""One disk of a domain in both documents, and the proof that what was done to its image changed nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.domainxml.device import describe, label, lookup
from holdfast.domainxml.document import Element, same
from holdfast.domainxml.elements.disk import is_shared, source_of, without_image
from holdfast.domainxml.elements.mirror import copy_of
from holdfast.errors import NotFound, PartlyDone, Refused, UsageError
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.documents import Documents
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.session import Need, OpenDomain


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
        assert found is not None  # find_disk() raises NotFound when there is neither
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
        """The same disk as the documents have it by now. Raises NotFound when it is gone."""
        return find_disk_now(self.domain, self.target)


def find_disk_now(domain: OpenDomain, name: str) -> DiskInPlace:
    """As :func:`find_disk`, in the documents as they are now: where a copy, or somebody else, was at work meanwhile."""
    domain.look_again()
    return find_disk(domain, name)


def find_disk(domain: OpenDomain, name: str) -> DiskInPlace:
    """The disk ``name`` (target, alias or PCI address) of ``domain``. Raises NotFound. (virDomainGetXMLDesc)"""
    documents = domain.documents
    live, config = (
        None if document is None else lookup(document, name, "disk") for document in (documents.live, documents.config)
    )
    if live is None and config is None:
        known = sorted(
            {label(disk) for document in documents.present.values() for disk in document.iterfind("devices/disk")}
        )
        raise NotFound(f"the domain {domain.name!r} has no disk {name!r}", f"it has {', '.join(known) or 'none'}")
    return DiskInPlace(domain, documents, live, config)


def disk_to_change(connection: Connection, domain: OpenDomain, name: str, dry_run: bool) -> DiskInPlace:
    """The disk ``name`` of a domain where its image may be touched at all: not in rescue, not read-only.

    Raises NotFound, Refused and Failed. Asked before anything is copied: libvirt itself sees only the end of it.
    """
    domain.refuse_unless(Need.OWN_HARDWARE)
    return find_disk(domain, name)


def refuse_without_image(disk: DiskInPlace, verb: str) -> None:
    """Raise UsageError for what has no image of its own to be extended, moved or swapped: a CD, a floppy, a lun.

    Raises Refused for one that several domains may have.
    """
    device = disk.current.get("device", "disk")
    if device != "disk":
        hint = None if device == "lun" else f"'holdfast disk media insert {disk.domain.name} {disk.target}' changes it"
        raise UsageError(f"{disk.target} is a {device}: only an image that the guest writes can be {verb}", hint)
    if is_shared(disk.current):
        raise Refused(f"the disk {disk.target} is read-only or shareable: its image is not this domain's alone", None)
    if disk.image is None:
        raise UsageError(f"the disk {disk.target} has no image")


def refuse_while_copied(disk: DiskInPlace) -> None:
    """Raise Refused for a disk that is being copied elsewhere."""
    if (place := copy_of(disk.current)) is not None:
        raise Refused(
            f"the disk {disk.target} is being copied to {place}",
            f"'holdfast disk move {disk.domain.name} {disk.target}' finishes that, with --abort it ends",
        )


def refuse_another_image(disk: DiskInPlace) -> None:
    """Raise Refused where the disk cannot have another image without losing something: see the sentences."""
    refuse_managed_save(disk)
    refuse_while_copied(disk)
    images = {source_of(each) for each in disk.present.values()}
    if len(images) > 1:
        raise Refused(
            f"the disk {disk.target} has {source_of(disk.current)} in live and another image in config",
            "'holdfast reboot --hard' takes that of config; then repeat this",
        )
    if disk.domain.snapshot_count():
        raise Refused(
            f"the domain {disk.domain.name!r} has snapshots: they are of the image that {disk.target} has now",
            f"delete them first: 'holdfast snapshot list {disk.domain.name}' names them",
        )
    if disk.current.find(".//encryption") is not None:
        raise Refused(f"the disk {disk.target} is encrypted: Holdfast cannot say how its next image is", None)


def refuse_managed_save(disk: DiskInPlace) -> None:
    """Raise Refused for a domain that is shut off with a managed-save image."""
    if not disk.runs:
        refuse_with_managed_save(disk.domain, "its saved memory goes with the disks as they are")


def prove(before: DiskInPlace, image: str | None, where: Iterable[Definition]) -> DiskInPlace:
    """Read both documents again: in those of ``where`` the disk has ``image``, and nothing else has changed anywhere.

    Returns the disk as it is now. Raises PartlyDone, saying what stands, where somebody else changed it meanwhile.
    """
    after, what = before.again(), f"{describe(before.current)} of {before.domain.name!r}"
    for definition, disk in before.present.items():
        now = after.present.get(definition)
        expected = image if definition in where else source_of(disk)
        if now is None or source_of(now) != expected:
            found = "is gone" if now is None else f"has {source_of(now) or 'nothing'}"
            raise PartlyDone(f"{what} was to have {expected or 'nothing'}, but in {definition} it {found}", _ELSE)
        if not same(without_image(disk), without_image(now)):
            raise PartlyDone(f"{what} has {expected or 'nothing'} now, and more of it changed in {definition}", _ELSE)
    for definition in before.documents.present:
        others = [
            line for line in after.documents.changed_since(before.documents, definition) if line not in _lines(before)
        ]
        if others:
            raise PartlyDone(f"{what} is done, and {definition} changed elsewhere too: {', '.join(others)}", _ELSE)
    return after


_ELSE = "somebody else may have changed it meanwhile: see 'holdfast show'"


def _lines(disk: DiskInPlace) -> set[str]:
    return {describe(each) for each in disk.present.values()}
