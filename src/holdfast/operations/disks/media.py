"""The medium in a CD or floppy drive: another one, or none. The drive itself stays as it is, in both documents."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element, serialize, value_at
from holdfast.domainxml.elements.disk import EMPTY, source_of, with_image
from holdfast.errors import HoldfastError, TrayLocked
from holdfast.errors import disks as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import Answer
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.disks.in_place import DiskInPlace, ask_of_disk, find_disk, prove_only_image_changed
from holdfast.operations.disks.known_files import record_below
from holdfast.operations.disks.new import existing_source
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.documents import saved_memory_notes
from holdfast.operations.results import Result
from holdfast.operations.session import Need, changing

_NEVER_OPENED = "blockdev-remove-medium"
"""What QEMU refuses where libvirt (9.0) did not ask for the tray to be opened: it learns of one at a start."""


@dataclass(frozen=True, kw_only=True)
class MediumChange(Result):
    """A change of the medium in a drive.

    ``target``           the drive's
    ``before``, ``after``  the image in it, in one word; None: it is empty
    ``definitions``      the documents that have the drive
    """

    target: str
    before: str | None
    after: str | None
    definitions: tuple[Definition, ...]


def insert_medium(
    connection: Connection, name: str, target: str, medium: DiskSpec, *, force: bool = False, dry_run: bool = False
) -> MediumChange:
    """Put the existing image ``medium`` into the drive ``target``, in place of what is in it, in live and config.

    It is raw unless a format is stated. ``force`` takes the old one out though the guest has locked the tray.

    Raises NOT_A_MEDIUM, IN_RESCUE, NO_DISK, NOT_A_DRIVE, and what an attach does for an image that is missing, of
    another format or in use; TRAY_STAYS_SHUT when the guest was asked to open the tray and has not, and
    TRAY_NEVER_OPENED: both documents are as before then. After MEDIUM_NOT_IN_CONFIG live has the medium, after
    MEDIUM_NOT_BACK the drive is empty. (virDomainUpdateDeviceFlags)
    """
    if medium.is_new or not medium.has_image:
        raise errors.NOT_A_MEDIUM()
    return _change(connection, name, target, medium, force, dry_run)


def eject_medium(
    connection: Connection, name: str, target: str, *, force: bool = False, dry_run: bool = False
) -> MediumChange:
    """Take the medium out of the drive ``target``; otherwise as :func:`insert_medium`."""
    return _change(connection, name, target, None, force, dry_run)


def _change(
    connection: Connection, name: str, target: str, medium: DiskSpec | None, force: bool, dry_run: bool
) -> MediumChange:
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        drive = find_disk(domain, target)
        if (device := drive.current.get("device", "disk")) not in ("cdrom", "floppy"):
            raise errors.NOT_A_DRIVE(name=domain.name, target=drive.target, device=device)
        source, format = (
            (EMPTY, None) if medium is None else (existing_source(connection, medium), medium.format or "raw")
        )
        wanted = {definition: with_image(disk, source, format) for definition, disk in drive.present.items()}
        after = source_of(wanted[next(iter(wanted))])
        if medium is not None:
            for disk in wanted.values():
                check_source(connection, domain.uuid, disk, trust_format=medium.trust_format)
        answer = ask_of_disk(drive, wanted.get(Definition.CONFIG)) if dry_run else Answer()
        if not dry_run:
            for definition, disk in wanted.items():
                if source_of(disk) != source_of(drive.present[definition]):
                    _update(drive, disk, definition, force)
            prove_only_image_changed(drive, after, wanted)
            if medium is not None and medium.trust_format:
                record_below(domain, wanted.values())
        change = MediumChange(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            notes=(*saved_memory_notes(domain, drive.documents), *folder_risks(connection, wanted.values())),
            target=drive.target,
            before=drive.image,
            after=after,
            definitions=tuple(wanted),
        )
        return answer.noted_in(change)


def _update(drive: DiskInPlace, changed: Element, definition: Definition, force: bool) -> None:
    """Live comes first: where the guest or QEMU refuse it, nothing has changed."""
    name, target = drive.domain.name, drive.target
    try:
        drive.domain.update(serialize(changed), definition, force and definition is Definition.LIVE)
    except TrayLocked as error:
        raise errors.TRAY_STAYS_SHUT(name=name, target=target) from error
    except HoldfastError as error:
        if definition is Definition.LIVE:
            _put_back(drive, error)
        if _NEVER_OPENED in error.message:
            raise errors.TRAY_NEVER_OPENED(name=name, target=target) from error
        if definition is Definition.LIVE or not drive.runs:
            raise
        medium = source_of(changed) or "nothing"
        raise errors.MEDIUM_NOT_IN_CONFIG(name=name, target=target, medium=medium, cause=error) from error


def _put_back(drive: DiskInPlace, error: HoldfastError) -> None:
    """Close a tray that was opened for a medium that QEMU then could not open, with the old medium in it.

    libvirt 9.0 leaves it open and QEMU's drive empty, and yet names the old medium in live: it must go to come again.
    """
    now = drive.again().live
    if drive.live is None or now is None or value_at(now, "target@tray") != "open":
        return
    try:
        for disk in (with_image(drive.live, EMPTY), drive.live):
            drive.domain.update(serialize(disk), Definition.LIVE)
    except HoldfastError as another:
        raise errors.MEDIUM_NOT_BACK(
            name=drive.domain.name, target=drive.target, medium=drive.image, cause=error, why=another.message
        ) from another
