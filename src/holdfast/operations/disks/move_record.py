"""What is recorded of the move of a disk, and which image goes when it ends, one way or the other.

All is done under the domain's lock; :mod:`.move` says what the record means after a crash.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.records.disk_record import is_of, new_record, on_volume
from holdfast.errors import HoldfastError
from holdfast.errors.disks import OLD_IMAGE_LEFT
from holdfast.hostfiles.images.image import file_identity
from holdfast.hostfiles.new_file import MadeFile
from holdfast.operations.disks.image_size import in_pool
from holdfast.operations.disks.in_place import DiskInPlace
from holdfast.operations.disks.keep_record import Making, begin_making, disk_record
from holdfast.operations.disks.new import PlannedDisk
from holdfast.operations.disks.newest_image import refuse_held_open
from holdfast.operations.disks.own_images import image_exists, is_gone, refuse_used, remove_image, why_kept


def recorded_move(disk: DiskInPlace) -> DiskRecord | None:
    """The record of a move of this disk that is under way, or was interrupted; None where none is recorded."""
    records = [record for document in disk.documents.present.values() for record in facts(document, DiskRecord)]
    return next((record for record in records if record.in_making and is_of(record, disk.current)), None)


@dataclass
class MoveRecord:
    """The record of one move, and what becomes of the old image.

    ``making``   None before the image is recorded, and for a copy that somebody else began (virsh blockcopy)
    ``made``     True when the image exists and is ours to remove
    ``seen``     what was seen at its place, of a move that is taken up again; ``seen_old`` the same of the old image
    ``removed``  the old image, where it goes in the end
    ``kept``     why the old image stays, though it was to go
    ``notes``    that the old image, which was to go, was not there any more
    """

    disk: DiskInPlace
    making: Making | None = None
    made: bool = False
    file: MadeFile | None = None
    seen: str = ""
    seen_old: str = ""
    removed: str | None = None
    kept: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def resumed(cls, disk: DiskInPlace, left: DiskRecord) -> MoveRecord:
        """The record ``left`` of a move that was interrupted, to be taken up again."""
        before = on_volume(left.settled, disk.current, in_pool(disk.domain.connection, disk.current))
        return cls(
            disk, Making(disk.domain, left, _settled(left), (before,)), made=True, seen=file_identity(left.place)
        )

    def make(self, planned: PlannedDisk, size: int, *, delete_source: bool) -> MadeFile | None:
        """Record the new image, and make it. ``delete_source`` is recorded, too. Returns the file that it is."""
        documents = self.disk.documents.present.values()
        recorded = [
            record for document in documents if (record := disk_record(document, self.disk.current)) is not None
        ]
        known = next(iter(recorded), new_record(self.disk.current))
        making = replace(
            on_volume(known, planned.element, planned.record("").volume),
            place=source_of(planned.element) or "",
            format=stated_format(planned.element),
            size=str(size),
            old=self.disk.image or "" if delete_source else "",
        )
        self.making = begin_making(self.disk.domain, making, _settled(making))
        try:
            with ExitStack() as undo:
                self.file = planned.make(self.disk.domain.connection, undo)
                undo.pop_all()
                self.made = True
                return self.file
        finally:
            if not self.made:
                self.making.forget()

    def delete_source_too(self) -> None:
        """Record of a move that was begun without it that the old image is to go in the end."""
        if self.making is not None and not self.making.record.old:
            record = replace(self.making.record, old=self.disk.image or "")
            begin_making(self.disk.domain, record, _settled(record))
            self.making = replace(self.making, record=record, settled=_settled(record))

    def take_back(self) -> None:
        """Remove the copy, and record what was recorded before."""
        if self.making is not None and self.made:
            if self.file is not None:
                refuse_held_open(self.file.path)
                self.file.remove()
            else:
                remove_image(self.disk.domain.connection, self.making.record.place, self.seen)
            self.making.conclude(finished=False)

    def refuse_used(self) -> None:
        """Raise LEFT_IMAGE_IN_USE for the copy of a move that was interrupted, where another domain has it by now."""
        domain = self.disk.domain
        if self.making is not None and image_exists(domain.connection, self.making.record):
            refuse_used(domain, self.making.record, self.seen)

    def settle(self) -> None:
        """Remove the old image, where that was asked and nobody has it, and record that the disk has the new one.

        Raises OLD_IMAGE_LEFT.
        """
        if self.making is None:
            return
        if old := self.making.record.old:
            self.decide_old_image(old)
            if self.removed is not None:
                self._remove(old)
        self.making.conclude(finished=True)

    def decide_old_image(self, old: str) -> None:
        """Find out whether the image ``old`` can go: ``removed`` and ``kept`` say so afterwards."""
        self.seen_old = file_identity(old)
        self.kept = why_kept(self.disk, old, self.seen_old)
        self.removed = old if self.kept is None else None
        if self.kept is None and is_gone(self.disk.domain.connection, old):
            self._was_gone(old)

    def _was_gone(self, old: str) -> None:
        self.removed, self.notes = None, (f"the old image {old} was gone already",)

    def _remove(self, old: str) -> None:
        domain, target = self.disk.domain, self.disk.target
        try:
            if not remove_image(domain.connection, old, self.seen_old):
                self._was_gone(old)
        except HoldfastError as error:
            raise OLD_IMAGE_LEFT(name=domain.name, target=target, cause=error) from error


def _settled(record: DiskRecord) -> DiskRecord:
    """What is recorded in the end: a disk that was moved is no longer the volume that somebody knows by its id."""
    return replace(record.settled, id="")
