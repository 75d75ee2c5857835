"""Reverting to a snapshot: its disks, its memory and its hardware, live and config, as they were when it was made.

libvirt brings the old documents back, silently. Here it is computed first what the guest would see differ, and
refused unless it is accepted; what would make libvirt stop in the middle is looked for; and title, description and
metadata of today are put into the snapshot's documents beforehand, so that not even a crash loses them.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.snapshots.carry_metadata import with_metadata_after_revert
from holdfast.domainxml.snapshots.stored import StoredSnapshot, read_snapshot, written_images
from holdfast.errors import LibvirtRefused, NotFound
from holdfast.errors import snapshots as errors
from holdfast.errors.guard import UNASKED_REVERT, UNASKED_REVERT_HARDWARE, UNASKED_REVERT_SIZES
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import PAUSED, RUNNING, SHUT_OFF
from holdfast.libvirtapi.snapshot import Snapshot, find_snapshot, redefine_snapshot
from holdfast.operations.asked_of_libvirt import Answer, Step, ask_of_steps
from holdfast.operations.disks.known_files import look_at_images
from holdfast.operations.documents import Documents
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import refuse_state_of_others, state_of
from holdfast.operations.power_record import record_outcome, run_again_from_now
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.snapshots.plan import LeftOut, SnapshotDisk, no_external_revert
from holdfast.operations.snapshots.revert_changes import changes_of_revert
from holdfast.operations.snapshots.revert_disks import find_revertible_disks, revert_disks
from holdfast.operations.snapshots.revert_images import check_images, size_changes


@dataclass(frozen=True, kw_only=True)
class SnapshotReverted(Result):
    """A revert; ``changes`` are what the guest sees of it: with ``disks_only`` at most that disks have another size.

    ``snapshot``          its name
    ``before``, ``after``  the states, in virsh's words
    ``switched_off``      True where the guest ran, and was switched off for it: then the domain was shut off
    ``disks_only``        True where only the content of disks came back, into the hardware of today
    ``disks``             those whose content comes from the snapshot
    ``left_out``          disks of today whose content stays, and why
    ``detached``          disks of today that the domain does not have any more; their images are kept
    """

    snapshot: str
    before: str
    after: str
    switched_off: bool = False
    disks_only: bool
    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...] = ()
    detached: tuple[SnapshotDisk, ...] = ()


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

    ``disks_only`` brings back the content of the disks alone, into the hardware of today: for a domain that is shut
    off, and an internal snapshot. Either way a disk that was extended since is as large as then.

    Raises UNASKED_REVERT, UNASKED_REVERT_HARDWARE or UNASKED_REVERT_SIZES where the guest would see its hardware
    change or would be switched off, unless ``accept`` takes it; NO_SNAPSHOT, IN_RESCUE, MANAGED_SAVE; NotFound, Failed
    and Refused where it cannot be done (see :mod:`.images` and :mod:`.revert_disks`); REVERT_STOPPED, DISKS_IN_PART
    and REVERTED_AND_CHANGED. (virDomainRevertToSnapshot; qemu-img snapshot -a)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        found = find_snapshot(domain, snapshot)
        stored = read_snapshot(found.xml())
        refuse_with_managed_save(domain, "it belongs to today's disks")
        if disks_only:
            return _revert_disks(domain, stored, accept=accept, dry_run=dry_run)
        return _revert_domain(domain, found, stored, accept=accept, dry_run=dry_run)


def _revert_disks(domain: OpenDomain, stored: StoredSnapshot, *, accept: bool, dry_run: bool) -> SnapshotReverted:
    then = find_revertible_disks(domain, stored)
    if not (accept or dry_run):
        refuse_unasked(domain.name, then.sizes, condition=UNASKED_REVERT_SIZES)
    if not dry_run:
        revert_disks(domain, stored.name, then.disks)
    return SnapshotReverted(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=then.sizes,
        notes=then.notes,
        snapshot=stored.name,
        before=domain.state(),
        after=domain.state(),
        disks_only=True,
        disks=then.disks,
        left_out=then.left_out,
    )


def _revert_domain(
    domain: OpenDomain, found: Snapshot, stored: StoredSnapshot, *, accept: bool, dry_run: bool
) -> SnapshotReverted:
    _refuse_impossible(domain, stored)
    unseen = look_at_images(domain, stored.taken, may_lack=stored.live is None)
    if not stored.is_external:
        check_images(domain, stored)
    today, before = domain.documents, domain.state()
    hardware = changes_of_revert(today, stored)
    changes = (*hardware, *size_changes(domain, stored.name, stored.images_inside()))
    switched_off = today.live is not None and stored.live is None
    blocks = _newly_blocks(domain, stored) if hardware else []
    if not (accept or dry_run):
        condition = UNASKED_REVERT_HARDWARE if hardware else UNASKED_REVERT
        also = [*blocks, *(["the running guest is switched off"] if switched_off else [])]
        refuse_unasked(domain.name, changes, also=also, condition=condition)
    answer = Answer()
    if not dry_run:
        _revert(domain, found, stored, force=bool(changes) or switched_off)
    elif hardware and today.config is not None and stored.config is not None:
        answer = ask_of_steps(domain.connection, Step("have", today.config), Step("have", stored.config))
    reverted = SnapshotReverted(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=changes,
        notes=(*unseen, *(f"it would not start here with that: {reason}" for reason in blocks)),
        snapshot=stored.name,
        before=before,
        after=_foreseen(stored) if dry_run else domain.state(),
        switched_off=switched_off,
        disks_only=False,
        disks=tuple(SnapshotDisk(target, image, None) for target, image in stored.images_inside().items()),
        detached=_detached(today, stored),
    )
    return answer.noted_in(reverted)


def _newly_blocks(domain: OpenDomain, stored: StoredSnapshot) -> list[str]:
    """Why the snapshot's hardware would not start here, for reasons that today's does not have."""
    today = domain.documents.config
    if today is None or stored.config is None:
        return []
    return HostOutlook(domain.connection).newly_blocks(today, stored.config)


def _foreseen(stored: StoredSnapshot) -> str:
    """The state in which a revert leaves a domain."""
    if stored.live is None:
        return SHUT_OFF
    return PAUSED if stored.state == PAUSED else RUNNING


def _refuse_impossible(domain: OpenDomain, stored: StoredSnapshot) -> None:
    """Raise NO_EXTERNAL_REVERT, NO_EXTERNAL_REVERT_IMAGES, HARDWARE_UNKNOWN and STATE_IN_USE."""
    impossible = no_external_revert(domain.connection, list(stored.images().values())) if stored.is_external else None
    if impossible is not None:
        raise impossible
    if stored.config is None:
        raise errors.HARDWARE_UNKNOWN(name=domain.name, snapshot=stored.name)
    config = domain.documents.config
    of_today = [] if config is None else state_of(domain.connection, config)
    if set(state_of(domain.connection, stored.config)) - set(of_today):
        refuse_state_of_others(domain.connection, stored.config)


def _detached(today: Documents, stored: StoredSnapshot) -> tuple[SnapshotDisk, ...]:
    """The disks of today that then were not there; the overlay of one that was, libvirt removes (9.9 and later)."""
    then = {
        image
        for document in (stored.live, stored.config)
        if document is not None
        for image in written_images(document).items()
    }
    now = dict.fromkeys(image for document in today.present.values() for image in written_images(document).items())
    return tuple(
        SnapshotDisk(target, image, None)
        for target, image in now
        if (target, image) not in then and target not in stored.overlays
    )


def _revert(domain: OpenDomain, found: Snapshot, stored: StoredSnapshot, *, force: bool) -> None:
    """Let libvirt revert, and prove that its hardware is back. Raises REVERT_STOPPED, REVERTED_AND_CHANGED."""
    before = domain.documents
    wish = None if stored.live is None else run_again_from_now()
    text = with_metadata_after_revert(found.xml(secure=True), before.live, before.config, wish)
    redefine_snapshot(domain, text)
    try:
        found.revert(force)
    except (LibvirtRefused, NotFound) as error:
        now = domain.documents
        if not now.guest_changes_since(before) and (now.live is None) == (before.live is None):
            raise
        raise errors.REVERT_STOPPED(snapshot=stored.name, state=domain.state(), cause=error) from error
    after = domain.documents
    record_outcome(domain)
    wrong = _differing(stored, after)
    if wrong:
        raise errors.REVERTED_AND_CHANGED(snapshot=stored.name, changes=wrong)


def _differing(stored: StoredSnapshot, after: Documents) -> list[Change]:
    """What a guest sees differ between the snapshot's hardware and what the domain has now."""
    return [
        change
        for then, now in ((stored.live, after.live), (stored.config, after.config))
        if then is not None and now is not None
        for change in visible(compare_documents(then, now))
    ]
