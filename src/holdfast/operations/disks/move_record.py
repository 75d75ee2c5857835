"""What is recorded of the move of a disk, and which image goes when it ends, one way or the other.

All is done under the domain's lock; :mod:`.move_disk` says what the record means after a crash.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.metadata import DiskRecord, facts
from holdfast.domainxml.records.disk_record import is_of, new_record
from holdfast.errors import HoldfastError, PartlyDone
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.image_size import in_pool
from holdfast.operations.disks.in_place import DiskInPlace
from holdfast.operations.disks.keep_record import Making, begin_making, disk_record
from holdfast.operations.disks.new import PlannedDisk
from holdfast.operations.disks.own_images import Image, image_exists, refuse_used, remove_image, why_kept


def recorded_move(disk: DiskInPlace) -> DiskRecord | None:
    """The record of a move of this disk that is under way, or broke off; None where none is recorded."""
    records = [record for document in disk.documents.present.values() for record in facts(document, DiskRecord)]
    return next((record for record in records if record.in_making and is_of(record, disk.current)), None)


@dataclass
class MoveRecord:
    """The record of one move. ``removed`` and ``kept`` say in the end what became of the old image.

    ``making`` is None before the image is recorded, and for a copy that somebody else began (virsh blockcopy);
    ``made`` is true when the image exists and is ours to remove.
    """

    connection: Connection
    disk: DiskInPlace
    making: Making | None = None
    made: bool = False
    removed: bool = False
    kept: str | None = None

    @classmethod
    def resumed(cls, connection: Connection, disk: DiskInPlace, left: DiskRecord, delete_source: bool) -> MoveRecord:
        """The record ``left`` of a move that broke off, to be taken up again."""
        before = replace(left.settled, volume=in_pool(connection, disk.current))
        if delete_source and disk.image != left.place:
            left = replace(left, old=disk.image or "")
            begin_making(connection, disk.domain, left, _settled(left))
        making = Making(connection, disk.domain, left, _settled(left), (before,))
        return cls(connection, disk, making, made=True)

    def make(self, planned: PlannedDisk, size: int, delete_source: bool) -> None:
        """Record the new image, and make it."""
        documents = self.disk.documents.present.values()
        recorded = [
            record for document in documents if (record := disk_record(document, self.disk.current)) is not None
        ]
        known = next(iter(recorded), new_record(self.disk.current))
        making = replace(
            known,
            volume=planned.record("").volume,
            place=source_of(planned.element) or "",
            format=stated_format(planned.element),
            size=str(size),
            old=self.disk.image or "" if delete_source else "",
        )
        self.making = begin_making(self.connection, self.disk.domain, making, _settled(making))
        try:
            with ExitStack() as undo:
                planned.make(self.connection, undo)
                undo.pop_all()
                self.made = True
        finally:
            if not self.made:
                self.making.forget()

    def take_back(self) -> None:
        """Remove the copy, and record what was recorded before."""
        if self.making is not None and self.made:
            remove_image(self.connection, Image(self.disk.target, self.making.record.place, None))
            self.making.conclude(finished=False)

    def clear(self) -> None:
        """As :meth:`take_back`, for the copy of a move that broke off: by now another domain may have it (Refused)."""
        if self.making is not None and image_exists(self.connection, self.making.record):
            refuse_used(self.connection, self.disk.domain, self.making.record)
        self.take_back()

    def settle(self) -> None:
        """Remove the old image, where that was asked and nobody has it, and record that the disk has the new one."""
        if self.making is None:
            return
        if old := self.making.record.old:
            self.kept = why_kept(self.connection, old)
            if self.kept is None:
                self._remove(old)
        self.making.conclude(finished=True)

    def _remove(self, old: str) -> None:
        name, target = self.disk.domain.name, self.disk.target
        try:
            remove_image(self.connection, Image(target, old, None))
        except HoldfastError as error:
            raise PartlyDone(
                f"the disk {target} of {name!r} was moved, but its old image is still there: {error.message}",
                f"remove the cause, then 'holdfast disk move {name} {target}' finishes it",
            ) from error
        self.removed = True


def _settled(record: DiskRecord) -> DiskRecord:
    """What is recorded in the end: a disk that was moved is no longer the volume that somebody knows by its id."""
    return replace(record.settled, id="")
