"""Keeping the record of a disk (:class:`DiskRecord`) when an operation attaches, changes, copies or removes one.

How to use it, under the domain's lock:

- To read what is recorded: ``disk_record(document, disk)``. Each document has the records of its own disks.
- When a disk has come to some documents, or what is recorded of it has changed: ``record_disk(domain, record,
  definitions)``, with ``new_record(disk, role=…)`` or ``dataclasses.replace(old, id=…)``. The record names the disk by
  its alias, so the element needs one first (``attach_request.with_identifiers``).
- When a disk has left some documents: ``forget_disk(domain, disk, definitions)``.
- When a file or volume is made for a disk (a new image, a copy to move to): do it inside ``with
  image_in_making(domain, record, place=…, format=…)``, from before the file exists until a document names it. A crash
  then leaves a mark, and ``left_in_making`` lists what lies around: ``audit``, ``show`` and ``delete`` ask it.
  ``place`` is what ``source_of(disk)`` will return; ``record`` is what is recorded in the end.
- When only the source of a disk has changed, there is nothing to record, except ``volume``, which names the volume of a
  pool where the document has its path, and ``id`` and ``image`` where it is another volume now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from holdfast.domainxml import metadata
from holdfast.domainxml.document import Element
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.records.disk_record import disk_record as disk_record
from holdfast.domainxml.records.disk_record import has_image, is_of
from holdfast.domainxml.records.disk_record import left_in_making as left_in_making
from holdfast.domainxml.records.disk_record import new_record as new_record
from holdfast.domainxml.records.disk_record import usual_record as usual_record
from holdfast.errors import NoConnection
from holdfast.errors.disks import BEING_MOVED
from holdfast.hostfiles.images.image import file_identity
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disks.own_images import image_exists, refuse_used, remove_image
from holdfast.operations.facts import forget_fact, record_fact, rewrite
from holdfast.operations.session import OpenDomain


def record_disk(domain: OpenDomain, new: DiskRecord, definitions: Iterable[Definition]) -> None:
    """Record ``new`` in place of what was recorded of its disk; the caller holds the lock (virDomainSetMetadata)."""
    for definition in definitions:
        record_fact(domain, new, definition)


def forget_disk(domain: OpenDomain, disk: Element, definitions: Iterable[Definition]) -> None:
    """Remove what is recorded of ``disk``, where anything is; another device has no record (virDomainSetMetadata)."""
    for definition in definitions if disk.tag == "disk" else ():
        rewrite(domain, lambda ours: metadata.without_facts(ours, DiskRecord, lambda old: is_of(old, disk)), definition)


def _forget_record(domain: OpenDomain, old: DiskRecord, definitions: Iterable[Definition]) -> None:
    def without(ours: str | None) -> str | None:
        return metadata.without_facts(ours, DiskRecord, lambda each: metadata.same_subject(each, old))

    for definition in definitions:
        rewrite(domain, without, definition)


@dataclass(frozen=True)
class Making:
    """An image that is being made for a disk.

    ``record``   what is recorded meanwhile
    ``settled``  what is recorded in the end
    ``before``   what was recorded before
    """

    domain: OpenDomain
    record: DiskRecord
    settled: DiskRecord
    before: tuple[DiskRecord, ...]

    def conclude(self, finished: bool) -> None:
        """Record how things stand, under the domain's lock (virDomainSetMetadata).

        ``finished``: nothing is left to do, and the documents were read since. Else they are read again: where every
        document has the disk with the image, that is settled; an image that is gone again leaves what was recorded
        before; and one that lies around stays recorded as being made.
        """
        documents = (self.domain.documents if finished else self.domain.look_again()).present
        has = [definition for definition, document in documents.items() if has_image(document, self.record)]
        settles = finished or len(has) == len(documents)
        if has and settles and self.settled.is_worth_it:
            record_disk(self.domain, self.settled, has)
        elif has and settles:
            _forget_record(self.domain, self.settled, has)
        elsewhere = has and settles and _where(self.domain) not in has
        if elsewhere or (not has and not image_exists(self.domain.connection, self.record)):
            self.forget()

    def forget(self) -> None:
        """Record what was recorded before: nothing was made, or it is gone again. (virDomainSetMetadata)

        Nothing is written where the record is not there any more: somebody else has concluded, or begun anew.
        """

        def back(ours: str | None) -> str | None:
            rest = metadata.without_fact(ours, self.record)
            if rest != ours:
                for each in (each for each in self.before if each.is_worth_it):
                    ours = rest = metadata.with_fact(ours, each)  # in the place of ours
            return rest

        rewrite(self.domain, back, _where(self.domain))


def begin_making(domain: OpenDomain, making: DiskRecord, settled: DiskRecord) -> Making:
    """Record ``making`` of an image from before it exists, under the domain's lock; ``settled`` comes in the end.

    (virDomainSetMetadata)
    """
    where = _where(domain)
    document = domain.documents.present[where]
    before = tuple(each for each in metadata.facts(document, DiskRecord) if metadata.same_subject(each, settled))
    record_disk(domain, making, [where])
    return Making(domain, making, settled, before)


@contextlib.contextmanager
def image_in_making(
    domain: OpenDomain, settled: DiskRecord, *, place: str, format: str, size: int | None = None
) -> Iterator[None]:
    """Record that an image is being made at ``place`` for a disk, while it is; in the end record ``settled`` of it.

    ``place`` is a path or POOL/VOLUME, ``format`` the image's, ``size`` in bytes where it is known. When something
    raises, it is concluded as :meth:`Making.conclude` says. (virDomainSetMetadata)
    """
    record = replace(settled, place=place, format=format, size=str(size or ""))
    making = begin_making(domain, record, settled)
    try:
        yield
    except BaseException:
        with contextlib.suppress(NoConnection):  # the mark stays, as after a crash
            making.conclude(finished=False)
        raise
    making.conclude(finished=True)


def _where(domain: OpenDomain) -> Definition:
    return Definition.CONFIG if domain.is_persistent() else Definition.LIVE


def refuse_while_moved(domain: OpenDomain, disk: Element, documents: Iterable[Element]) -> None:
    """Raise BEING_MOVED for a disk whose move is under way or was interrupted: its record tells of a copy that nobody
    else knows of.
    """
    left = [
        each for document in documents for each in left_in_making(document) if disk.tag == "disk" and is_of(each, disk)
    ]
    if left:
        raise BEING_MOVED(name=domain.name, target=left[0].target, place=left[0].place)


def remove_half_made(domain: OpenDomain, left: DiskRecord) -> None:
    """Remove an image that was being made when something broke, and its record; no error when it is not there.

    Raises LEFT_IMAGE_IN_USE. (virStorageVolDelete, unlink, virDomainSetMetadata)
    """
    if image_exists(domain.connection, left):
        seen = file_identity(left.place)
        refuse_used(domain, left, seen)
        remove_image(domain.connection, left.place, seen)
    forget_fact(domain, left)
