"""The medium in a CD or floppy drive: another one, or none. The drive itself stays as it is, in both documents."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element, serialize, value_at
from holdfast.domainxml.elements.disk import EMPTY, source_of, with_image
from holdfast.errors import Failed, HoldfastError, PartlyDone, TrayLocked, UsageError
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.in_place import DiskInPlace, disk_to_change, prove
from holdfast.operations.disks.new import existing_source
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.documents import saved_memory
from holdfast.operations.session import changing

_NEVER_OPENED = "blockdev-remove-medium"
"""What QEMU refuses where libvirt (9.0) did not ask for the tray to be opened: it learns of one at a start."""


@dataclass(frozen=True)
class MediumChange:
    """What was done with a drive: its target, the image in it before and after (None: empty), and in which documents.

    ``dry_run``: nothing was done, and ``after`` is what would be in it. ``notes`` are worth knowing.
    """

    name: str
    target: str
    before: str | None
    after: str | None
    definitions: tuple[Definition, ...]
    dry_run: bool
    notes: tuple[str, ...] = ()


def insert_medium(
    connection: Connection, name: str, target: str, medium: DiskSpec, *, force: bool = False, dry_run: bool = False
) -> MediumChange:
    """Put the existing image ``medium`` into the drive ``target``, in place of what is in it, in live and config.

    It is raw unless a format is stated. ``force`` takes the old one out though the guest has locked the tray. Raises
    UsageError (2) for what is no drive, NotFound (4), Refused (3) as an attach does, and PartlyDone (5) when the guest
    was asked to open the tray and has not: both documents are as before then. (virDomainUpdateDeviceFlags)
    """
    if medium.is_new or not (medium.path or medium.volume or medium.source):
        raise UsageError("a medium is an image that exists", "path=/x.iso or volume=POOL/NAME or source=URL")
    return _change(connection, name, target, medium, force, dry_run)


def eject_medium(
    connection: Connection, name: str, target: str, *, force: bool = False, dry_run: bool = False
) -> MediumChange:
    """Take the medium out of the drive ``target``; all else is as with :func:`insert_medium`."""
    return _change(connection, name, target, None, force, dry_run)


def _change(
    connection: Connection, name: str, target: str, medium: DiskSpec | None, force: bool, dry_run: bool
) -> MediumChange:
    with changing(connection, name, dry_run=dry_run) as domain:
        drive = disk_to_change(connection, domain, target, dry_run)
        if (device := drive.current.get("device", "disk")) not in ("cdrom", "floppy"):
            raise UsageError(
                f"{drive.target} is a {device}, whose image is not taken out",
                f"'holdfast disk swap {domain.name} {drive.target} …' puts another one in place",
            )
        source, format = (
            (EMPTY, None) if medium is None else (existing_source(connection, medium), medium.format or "raw")
        )
        wanted = {definition: with_image(disk, source, format) for definition, disk in drive.present.items()}
        after = source_of(wanted[next(iter(wanted))])
        if medium is not None:
            for disk in wanted.values():
                check_source(connection, domain.uuid, disk, trust_format=medium.trust_format)
        if not dry_run:
            for definition, disk in wanted.items():
                if source_of(disk) != source_of(drive.present[definition]):
                    _update(drive, disk, definition, force)
            prove(drive, after, wanted)
        notes = saved_memory(domain, drive.documents)
    return MediumChange(domain.name, drive.target, drive.image, after, tuple(wanted), dry_run, notes)


def _update(drive: DiskInPlace, changed: Element, definition: Definition, force: bool) -> None:
    """Live comes first: where the guest or QEMU refuse it, nothing has changed."""
    name, target, medium = drive.domain.name, drive.target, source_of(changed) or "nothing"
    try:
        drive.domain.update(serialize(changed), definition, force and definition is Definition.LIVE)
    except TrayLocked as error:
        raise PartlyDone(
            f"the guest of {name!r} has locked the tray of {target}; it was asked to open it",
            "repeat it when the guest has let go (unmount it there), or --force it open",
        ) from error
    except HoldfastError as error:
        if definition is Definition.LIVE:
            _put_back(drive, error)
        if _NEVER_OPENED in error.message:
            raise Failed(
                f"the medium of {target} cannot be changed: the drive was attached while the guest of {name!r} ran",
                "libvirt (9.0) does not open its tray before the next start of the domain or of libvirtd itself",
            ) from error
        if definition is Definition.LIVE or not drive.runs:
            raise
        raise PartlyDone(
            f"the drive {target} of {name!r} has {medium} now, but not in config: {error.message}", "repeat it"
        ) from error


def _put_back(drive: DiskInPlace, why: HoldfastError) -> None:
    """Close a tray that was opened for a medium that QEMU then could not open, with the old medium in it.

    libvirt 9.0 leaves it open and QEMU's drive empty, and yet names the old medium in live: it must go to come again.
    """
    now = drive.again().live
    if drive.live is None or now is None or value_at(now, "target@tray") != "open":
        return
    try:
        for disk in (with_image(drive.live, EMPTY), drive.live):
            drive.domain.update(serialize(disk), Definition.LIVE)
    except HoldfastError as error:
        raise PartlyDone(
            f"{why.message}; the tray of {drive.target} was opened for it, and {drive.image} does not go back in: "
            f"{error.message}",
            f"'holdfast disk media eject {drive.domain.name} {drive.target}', then insert what is to be in it",
        ) from error
