"""Bringing back what the disks held at a snapshot, into the hardware of today: no document is touched.

For internal snapshots of a domain that is shut off: libvirt has no call for it, so qemu-img does it, image by image.
After an interruption the same command finishes.
"""

from __future__ import annotations

from holdfast.domainxml.device import label
from holdfast.domainxml.elements.disk import stated_format
from holdfast.domainxml.snapshots.stored import StoredSnapshot, written_images
from holdfast.errors import Failed, HoldfastError, PartlyDone, Refused
from holdfast.hostfiles.internal_snapshot import bring_back
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents
from holdfast.operations.session import OpenDomain
from holdfast.operations.snapshots.images import id_in, refuse_below_others
from holdfast.operations.snapshots.plan import LeftOut, SnapshotDisk


def plan_disks(
    connection: Connection, domain: OpenDomain, documents: Documents, stored: StoredSnapshot
) -> tuple[tuple[SnapshotDisk, ...], tuple[LeftOut, ...], tuple[str, ...]]:
    """The disks of today whose content of then can come back, those whose cannot, and what else is worth knowing.

    Raises Failed and Refused where nothing can, or may.
    """
    if documents.live is not None or documents.config is None:
        raise Failed(
            f"the domain {domain.name!r} runs: its disks cannot change under it",
            f"'holdfast shutdown {domain.name}' first",
        )
    if stored.is_external:
        raise Failed(
            f"the snapshot {stored.name!r} is external: nothing of it is inside the images",
            f"the disks of then are in {', '.join(stored.images().values())}, which are kept as they were",
        )
    if not connection.is_local:
        raise Refused("images can be rewritten only on their own host", "run this command there")
    formats = {label(disk): stated_format(disk) for disk in documents.config.iterfind("devices/disk")}
    today = written_images(documents.config)
    disks = [
        SnapshotDisk(target, image, None)
        for target, image in today.items()
        if formats[target] == "qcow2" and id_in(image, stored.name) is not None
    ]
    if not disks:
        raise Failed(f"no disk that {domain.name!r} has today has the snapshot {stored.name!r} in its image")
    refuse_below_others(connection, domain, documents, [disk.image for disk in disks])
    left_out = [
        LeftOut(target, "its image has no such snapshot")
        for target in today
        if target not in {disk.target for disk in disks}
    ]
    notes = [
        f"the disk {target} of then ({image}) is not attached today"
        for target, image in stored.images().items()
        if image not in today.values()
    ]
    if stored.memory != "no":
        notes.append("the memory of then is not brought back: the disks are as after a power cut")
    return tuple(disks), tuple(left_out), tuple(notes)


def revert_disks(snapshot: str, disks: tuple[SnapshotDisk, ...]) -> None:
    """Give each image the content that it had at ``snapshot``; what it has now is lost.

    Raises Failed with nothing changed, PartlyDone when it stopped after the first.
    """
    done: list[str] = []
    for disk in disks:
        try:
            id = id_in(disk.image, snapshot)
            if id is None:
                raise Failed(f"{disk.image} does not have the snapshot {snapshot!r} any more")
            bring_back(disk.image, id)
        except HoldfastError as error:
            if not done:
                raise
            raise PartlyDone(
                f"only {', '.join(done)} of the disks {'is' if len(done) == 1 else 'are'} reverted: {error.message}",
                "remove the cause, then repeat the command",
            ) from error
        done.append(disk.target)
