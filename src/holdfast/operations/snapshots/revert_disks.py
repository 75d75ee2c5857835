"""Bringing back what the disks held at a snapshot, into the hardware of today: no document is touched.

For internal snapshots of a domain that is shut off: libvirt has no call for it, so qemu-img does it, image by image.
After an interruption the same command finishes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.device import label
from holdfast.domainxml.elements.disk import stated_format
from holdfast.domainxml.snapshots.stored import StoredSnapshot, written_images
from holdfast.errors import HoldfastError
from holdfast.errors import snapshots as errors
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.images.internal_snapshot import revert_to_internal
from holdfast.operations.disks.known_files import about_attached_image, known_files
from holdfast.operations.session import Need, OpenDomain
from holdfast.operations.snapshots.plan import LeftOut, SnapshotDisk
from holdfast.operations.snapshots.revert_images import internal_snapshot_id, refuse_below_others, size_changes


@dataclass(frozen=True)
class RevertibleDisks:
    """What can be brought back into the hardware of today.

    ``disks``     today's disks whose content can be brought back
    ``left_out``  those whose cannot
    ``sizes``     what the guest sees of it: a disk that was extended since is as large as then
    ``notes``     sentences on what cannot be brought back
    """

    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...]
    sizes: tuple[Change, ...]
    notes: tuple[str, ...]


def find_revertible_disks(domain: OpenDomain, stored: StoredSnapshot) -> RevertibleDisks:
    """What of ``stored`` can come back to the disks that ``domain`` has today.

    Raises RUNNING, NOT_INSIDE, IMAGES_ELSEWHERE, NO_DISK_OF_IT, and what :func:`.images.refuse_below_others` raises.
    """
    domain.refuse_unless(Need.OFF)
    if stored.is_external:
        raise errors.NOT_INSIDE(snapshot=stored.name, images=list(stored.images().values()))
    if not domain.connection.is_local:
        raise errors.IMAGES_ELSEWHERE()
    config = domain.documents.config
    assert config is not None  # a domain that is shut off has one
    formats = {label(disk): stated_format(disk) for disk in config.iterfind("devices/disk")}
    today = written_images(config)
    images = {
        target: image
        for target, image in today.items()
        if formats[target] == "qcow2" and internal_snapshot_id(domain.connection, image, stored.name) is not None
    }
    if not images:
        raise errors.NO_DISK_OF_IT(name=domain.name, snapshot=stored.name)
    refuse_below_others(domain, images.values())
    return RevertibleDisks(
        disks=tuple(SnapshotDisk(target, image, None) for target, image in images.items()),
        left_out=tuple(LeftOut(target, "its image has no such snapshot") for target in today if target not in images),
        sizes=tuple(size_changes(domain, stored.name, images)),
        notes=_notes(stored, today.values()),
    )


def _notes(stored: StoredSnapshot, today: Collection[str]) -> tuple[str, ...]:
    detached = [
        f"the snapshot's disk {target} ({image}) is not attached today"
        for target, image in stored.images().items()
        if image not in today
    ]
    if stored.memory == "no":
        return tuple(detached)
    return *detached, "the snapshot's memory is not brought back: the disks are as after a power cut"


def revert_disks(domain: OpenDomain, snapshot: str, disks: Sequence[SnapshotDisk]) -> None:
    """Give each image the content that it had at ``snapshot``; what it has now is lost.

    Raises GONE_FROM_IMAGE and Failed with nothing changed, DISKS_IN_PART when it stopped after the first.
    """
    done: list[str] = []
    for disk in disks:
        try:
            id = internal_snapshot_id(domain.connection, disk.image, snapshot)
            if id is None:
                raise errors.GONE_FROM_IMAGE(image=disk.image, snapshot=snapshot)
            with (
                about_attached_image(domain.name),
                open_for_qemu_img(disk.image, "qcow2", known_files(domain)) as image,
            ):
                revert_to_internal(image, id)
        except HoldfastError as error:
            if not done:
                raise
            raise errors.DISKS_IN_PART(done=done, cause=error) from error
        done.append(disk.target)
