"""Reverting to a snapshot: its disks, its memory and its hardware, live and config, as they were when it was made.

libvirt brings the old documents back, silently. Here it is computed first what the guest would find changed, and
refused unless it is accepted; what would make libvirt stop in the middle is looked for; and title, description and
metadata of today are put into the snapshot's documents beforehand, so that not even a crash loses them.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element
from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot, with_metadata_of, written_images
from holdfast.errors import Failed, LibvirtRefused, PartlyDone, Refused
from holdfast.errors.guard import UNASKED_REVERT, UNASKED_REVERT_HARDWARE, UNASKED_REVERT_SIZES
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import Snapshot, find_snapshot, redefine_snapshot
from holdfast.operations.documents import Documents, read
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.run_again import unwant, want
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.snapshots.images import check_images, size_changes
from holdfast.operations.snapshots.plan import LeftOut, SnapshotDisk, why_no_external_revert
from holdfast.operations.snapshots.revert_changes import changes_of_revert
from holdfast.operations.snapshots.revert_disks import plan_disks, revert_disks


@dataclass(frozen=True)
class SnapshotReverted:
    """A revert that was done, or with ``dry_run`` would be.

    ``before``, ``after``  the states of the domain, in virsh's words; equal in a dry run
    ``disks``     whose content is that of then; ``left_out``: those of today whose content stays, and why
    ``changes``   sentences: what the guest finds changed of its hardware; with ``disks_only`` at most sizes of disks
    ``detached``  disks of today that the domain does not have any more; their images are kept
    ``notes``     sentences on what else is worth knowing
    """

    name: str
    uuid: str
    snapshot: str
    before: str
    after: str
    disks_only: bool
    dry_run: bool
    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...] = ()
    changes: tuple[str, ...] = ()
    detached: tuple[SnapshotDisk, ...] = ()
    notes: tuple[str, ...] = ()


def revert_to_snapshot(
    connection: Connection,
    name: str,
    snapshot: str,
    *,
    disks_only: bool = False,
    accept: bool = False,
    dry_run: bool = False,
) -> SnapshotReverted:
    """Revert the domain ``name`` to ``snapshot``; what its disks and memory hold today is lost, its metadata is not.

    Raises Refused (3), listing it, where the guest would find its hardware changed or would be switched off, unless
    ``accept`` takes it. ``disks_only`` brings back the content of the disks alone, into the hardware of today: for a
    domain that is shut off, and an internal snapshot. Either way a disk that was extended since is as large as then.
    Raises NotFound and Failed where it cannot be done, PartlyDone when it stopped in the middle.
    (virDomainRevertToSnapshot; qemu-img snapshot -a)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        documents, before = domain.documents, domain.state()
        found = find_snapshot(domain, snapshot)
        stored = read_snapshot(found.xml())
        refuse_with_managed_save(domain, "it belongs to the disks of today")
        what = domain.name, domain.uuid, snapshot, before
        if disks_only:
            disks, left_out, notes = plan_disks(connection, domain, documents, stored)
            sizes = size_changes(connection, snapshot, {disk.target: disk.image for disk in disks})
            if not (accept or dry_run):
                refuse_unasked(domain.name, sizes, condition=UNASKED_REVERT_SIZES)
            if not dry_run:
                revert_disks(snapshot, disks)
            changes = tuple(map(str, sizes))
            return SnapshotReverted(*what, before, True, dry_run, disks, left_out, changes, notes=notes)
        _refuse_impossible(connection, domain, stored)
        if not stored.is_external:
            check_images(connection, domain, documents, stored)
        sizes = size_changes(connection, snapshot, stored.images_inside())
        changes = _changes(domain, documents, stored, sizes, accept or dry_run)
        if not dry_run:
            _revert(domain, documents, found, stored, force=bool(changes))
        return SnapshotReverted(
            *what,
            domain.state(),
            False,
            dry_run,
            tuple(SnapshotDisk(target, image, None) for target, image in stored.images_inside().items()),
            changes=changes,
            detached=_detached(documents, stored),
        )


def _refuse_impossible(connection: Connection, domain: OpenDomain, stored: StoredSnapshot) -> None:
    sentence = why_no_external_revert(connection) if stored.is_external else None
    if sentence:
        images = ", ".join(stored.images().values())
        raise Failed(sentence, f"the disks of then are in {images}, kept as they were" if images else None)
    if stored.config is None:
        raise Refused(
            f"the snapshot {stored.name!r} does not say what hardware it was made with",
            f"'virsh snapshot-revert --force {domain.name} {stored.name}' reverts to it blindly",
        )


def _changes(
    domain: OpenDomain, documents: Documents, stored: StoredSnapshot, sizes: list[Change], accept: bool
) -> tuple[str, ...]:
    """What the guest would find changed, in sentences. Raises Refused unless that is taken with ``accept``."""
    hardware = changes_of_revert(documents, stored)
    off = ["the running guest is switched off"] if documents.live is not None and stored.live is None else []
    if not accept:
        condition = UNASKED_REVERT_HARDWARE if hardware else UNASKED_REVERT
        refuse_unasked(domain.name, [*hardware, *sizes], also=off, condition=condition)
    return (*map(str, hardware), *map(str, sizes), *off)


def _detached(documents: Documents, stored: StoredSnapshot) -> tuple[SnapshotDisk, ...]:
    """The disks of today that then were not there; the overlay of one that was, libvirt removes (9.9 and later)."""
    then = {image for document in (stored.live, stored.config) if document is not None for image in _images(document)}
    today = dict.fromkeys(image for document in documents.present.values() for image in _images(document))
    return tuple(
        SnapshotDisk(target, image, None)
        for target, image in today
        if (target, image) not in then and target not in stored.overlays
    )


def _images(document: Element) -> list[tuple[str, str]]:
    return list(written_images(document).items())


def _revert(domain: OpenDomain, documents: Documents, found: Snapshot, stored: StoredSnapshot, *, force: bool) -> None:
    text = found.xml(secure=True)
    redefine_snapshot(domain, with_metadata_of(text, documents.live, documents.config))
    try:
        found.revert(force)
    except LibvirtRefused as error:
        if not read(domain).guest_changes_since(documents) and domain.is_active() == (documents.live is not None):
            raise
        raise PartlyDone(
            f"libvirt stopped in the middle of reverting to {stored.name!r}, and the domain is {domain.state()}: "
            f"{error.message}",
            "remove the cause, then repeat the command; 'holdfast show' says how it stands",
        ) from error
    after = domain.documents
    if after.live is None:
        unwant(domain)
    elif after.config is not None:
        want(domain)
    pairs = ((stored.live, after.live), (stored.config, after.config))
    wrong = [
        str(change)
        for then, now in pairs
        if then is not None and now is not None
        for change in visible(compare_documents(then, now))
    ]
    if wrong:
        raise PartlyDone(
            f"the domain is reverted to {stored.name!r}, but its hardware is not that of then: {'; '.join(wrong)}",
            "somebody else may have changed it meanwhile: see 'holdfast show'",
        )
