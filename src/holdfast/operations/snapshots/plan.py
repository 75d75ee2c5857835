"""What a snapshot would consist of, or why it cannot be made: worked out before anything is done.

Where this libvirt cannot do it, one sentence names the version that can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.host.image_files import has_tpm_state
from holdfast.domainxml.host.security import security_models
from holdfast.domainxml.snapshots.new import CandidateDisk, candidate_disks
from holdfast.errors import HoldfastError
from holdfast.errors import snapshots as errors
from holdfast.errors.disk_spec import CONTROL_CHARACTERS
from holdfast.errors.disks import NO_DISK
from holdfast.hostfiles.images.new_image import check_file_name
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.session import OpenDomain
from holdfast.text import has_control_characters

_LONGEST_NAME = 255 - len(".xml.new")
"""In bytes: libvirt writes a file NAME.xml.new, and only once the images are done (9.0)."""

_EXTERNAL_REVERT = (9, 9, 0)
"""The first libvirt that reverts to external snapshots (its NEWS)."""
_INTERNAL_UEFI_OFF = (9, 3, 0)
"""The first that makes internal snapshots of domains with UEFI firmware while they are shut off (its NEWS)."""
_INTERNAL_UEFI = (10, 10, 0)
"""The first that also does so while they run, if their NVRAM is qcow2 (its NEWS)."""
_MERGE_UNDER_APPARMOR = (12, 1, 0)
"""The first whose AppArmor profiles let QEMU write to an image that another one rested on when the domain was started
(libvirt's work item 806; seen with 11.3: block-commit is refused, and the profile denies writing whatever is added).
"""


@dataclass(frozen=True, kw_only=True)
class SnapshotWish:
    """The snapshot that is asked for.

    ``snapshot``     its name
    ``external``     the images are left as they are, and each disk is written to an overlay from then on
    ``memory``       the guest's memory is part of it, where the domain runs
    ``without``      the targets of disks that are no part of it
    ``folder``       where new files go; None for beside each image
    ``quiesce``      the guest agent freezes the file systems meanwhile
    ``description``  what it is for; "" for nothing
    """

    snapshot: str
    external: bool
    memory: bool
    without: Collection[str]
    folder: str | None
    quiesce: bool
    description: str


@dataclass(frozen=True)
class SnapshotDisk:
    """A disk in a snapshot: its target, its image, and the file that is written since; None for an internal one."""

    target: str
    image: str
    overlay: str | None


@dataclass(frozen=True)
class LeftOut:
    """A disk that is not part of a snapshot, and why."""

    target: str
    why: str


@dataclass(frozen=True)
class SnapshotPlan:
    """What a snapshot is made of.

    ``memory_file``         where the guest's memory goes; None for inside the first image, or nowhere
    ``disks``, ``left_out``  what is part of it, and what is not
    ``notes``               sentences on what else is not part of it, or cannot be done with it
    """

    memory: bool
    memory_file: str | None
    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """The files that would be made."""
        return [disk.overlay for disk in self.disks if disk.overlay] + ([self.memory_file] if self.memory_file else [])


def check_snapshot_name(name: str) -> None:
    """Raise BAD_SNAPSHOT_NAME, NAME_IS_NUMBER or LONG_SNAPSHOT_NAME for what libvirt, QEMU or a shell misreads."""
    if not name or not name.isprintable() or "/" in name or name[0] in ".-" or name != name.strip():
        raise errors.BAD_SNAPSHOT_NAME(snapshot=name)
    if name.isdecimal():
        raise errors.NAME_IS_NUMBER(snapshot=name)
    if len(name.encode()) > _LONGEST_NAME:
        raise errors.LONG_SNAPSHOT_NAME(beginning=name[:20], most=_LONGEST_NAME)


def no_external_revert(connection: Connection, images: Collection[str] = ()) -> HoldfastError | None:
    """The error to raise where this libvirt cannot revert to external snapshots; None where it can.

    NO_EXTERNAL_REVERT, or, with the snapshot's ``images``, NO_EXTERNAL_REVERT_IMAGES. (virConnectGetLibVersion)
    """
    version = connection.libvirt_version()
    if version >= _EXTERNAL_REVERT:
        return None
    condition = errors.NO_EXTERNAL_REVERT_IMAGES if images else errors.NO_EXTERNAL_REVERT
    return condition(version=_dotted(version), since=_dotted(_EXTERNAL_REVERT), images=images)


def apparmor_forbids_merging(connection: Connection) -> bool:
    """True where AppArmor keeps QEMU from merging an overlay, once the domain was started with it.

    (virConnectGetCapabilities, virConnectGetLibVersion)
    """
    return connection.libvirt_version() < _MERGE_UNDER_APPARMOR and "apparmor" in security_models(
        connection.capabilities()
    )


def plan_snapshot(domain: OpenDomain, wish: SnapshotWish) -> SnapshotPlan:
    """What the snapshot ``wish`` of ``domain`` is made of.

    Raises UsageError, NotFound and Failed where it cannot be made: see the functions that it calls.
    """
    live, config = domain.documents.live, domain.documents.config
    document = live if live is not None else config
    assert document is not None  # a domain has at least one
    runs = live is not None
    if wish.quiesce and not (wish.external and runs and not wish.memory):
        raise errors.NOT_QUIET()
    candidates = candidate_disks(document, external=wish.external)
    _check_without(domain, candidates, wish)
    if wish.external:
        _check_external(domain, runs and wish.memory)
    else:
        _check_internal(domain, document, wish.memory)
    taken = [each for each in candidates if not each.left_out and each.target not in wish.without]
    _check_taken(domain, taken, wish.external)
    return SnapshotPlan(
        memory=runs and wish.memory,
        memory_file=_memory_file(domain, taken[0], wish) if wish.external and runs and wish.memory else None,
        disks=tuple(SnapshotDisk(each.target, each.source, _overlay(domain, each, wish)) for each in taken),
        left_out=tuple(
            LeftOut(each.target, each.left_out or "as asked for") for each in candidates if each not in taken
        ),
        notes=tuple(_notes(domain.connection, document, wish.external, runs and not wish.memory)),
    )


def _check_without(domain: OpenDomain, candidates: list[CandidateDisk], wish: SnapshotWish) -> None:
    """Raise NOT_ALL_DISKS, or NO_DISK for a disk to be left out that is not there."""
    if wish.without and not wish.external:
        raise errors.NOT_ALL_DISKS()
    for target in wish.without:
        if target not in [each.target for each in candidates]:
            known = sorted(each.target for each in candidates) or "none"
            raise NO_DISK(name=domain.name, target=target, known=known)


def _check_external(domain: OpenDomain, with_memory: bool) -> None:
    """Raise MEMORY_OF_PAUSED."""
    if with_memory and domain.state() != "running":
        raise errors.MEMORY_OF_PAUSED(name=domain.name, state=domain.state())


def _check_internal(domain: OpenDomain, document: Element, memory: bool) -> None:
    """Raise DISKS_ALONE, NO_INTERNAL_WITH_UEFI and NO_INTERNAL_WITH_RAW_NVRAM."""
    runs = domain.is_active()
    if runs and not memory:
        raise errors.DISKS_ALONE(name=domain.name)
    if document.find("os/loader[@type='pflash']") is None:
        return
    version = domain.connection.libvirt_version()
    if version < (_INTERNAL_UEFI if runs else _INTERNAL_UEFI_OFF):
        raise errors.NO_INTERNAL_WITH_UEFI(
            version=_dotted(version), off=_dotted(_INTERNAL_UEFI_OFF), running=_dotted(_INTERNAL_UEFI)
        )
    if runs and value_at(document, "os/nvram@format") != "qcow2":
        raise errors.NO_INTERNAL_WITH_RAW_NVRAM(name=domain.name, version=_dotted(version))


def _check_taken(domain: OpenDomain, taken: list[CandidateDisk], external: bool) -> None:
    """Raise UNFIT_FOR_EXTERNAL, UNFIT_FOR_INTERNAL and NO_DISK_TO_TAKE."""
    unfit = [each for each in taken if each.impossible]
    if unfit:
        condition = errors.UNFIT_FOR_EXTERNAL if external else errors.UNFIT_FOR_INTERNAL
        disks = [f"disk {each.target}: {each.impossible}" for each in unfit]
        raise condition(name=domain.name, disks=disks, targets=[each.target for each in unfit])
    if not taken:
        raise errors.NO_DISK_TO_TAKE(name=domain.name)


def _overlay(domain: OpenDomain, disk: CandidateDisk, wish: SnapshotWish) -> str | None:
    if not wish.external:
        return None
    return _beside(disk, wish.folder, f"{domain.name}-{disk.target}.{wish.snapshot}.qcow2")


def _memory_file(domain: OpenDomain, first: CandidateDisk, wish: SnapshotWish) -> str:
    return _beside(first, wish.folder, f"{domain.name}-memory.{wish.snapshot}.save")


def _beside(disk: CandidateDisk, folder: str | None, file: str) -> str:
    """The path of a new file: in ``folder``, else where the image of ``disk`` is.

    Raises BESIDE_DEVICE, RELATIVE_FOLDER and CONTROL_CHARACTERS.
    """
    check_file_name(file)
    if folder is None and disk.is_device:
        raise errors.BESIDE_DEVICE(image=disk.source)
    if folder is not None and not folder.startswith("/"):
        raise errors.RELATIVE_FOLDER(folder=folder)
    if folder is not None and has_control_characters(folder):
        raise CONTROL_CHARACTERS(text=folder)
    return str(PurePath(folder or PurePath(disk.source).parent, file))


def _notes(connection: Connection, document: Element, external: bool, without_memory: bool) -> Iterator[str]:
    """What the snapshot does not include, and what cannot be done with it."""
    nvram = nvram_of(document)
    inside = not external and document.find("os/nvram[@format='qcow2']") is not None
    if (nvram or document.find("os[@firmware='efi']") is not None) and not inside:
        yield f"the UEFI variables{f' ({nvram})' if nvram else ''} are not part of it"
    if has_tpm_state(document):
        yield "the TPM's state is not part of it"
    if without_memory:
        yield "the memory of the running guest is not part of it: its disks are as after a power cut"
    no_revert = no_external_revert(connection) if external else None
    if no_revert is not None:
        yield str(no_revert)
    if external and apparmor_forbids_merging(connection):
        yield (
            f"once the domain was started anew, libvirt {_dotted(connection.libvirt_version())} cannot delete it under "
            f"AppArmor; {_dotted(_MERGE_UNDER_APPARMOR)} and later can"
        )


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
