"""Whether a domain would run on its newest images, and whether another process has them open.

This is checked before a domain is started, and before an image is removed. libvirt may have died at the moment when a
guest switched to another image, and may have forgotten its QEMU, too (9.0: "unknown mirror job type"). What the files
and QEMU's locks then show is reported; nothing is guessed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from holdfast.domainxml.device import label, lookup
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import host_path, is_shared, source_of
from holdfast.domainxml.elements.mirror import copy_of, is_pivoting
from holdfast.domainxml.fact import Pivoting, Snapshotting
from holdfast.domainxml.host.image_files import named_paths, names_anywhere
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.records.disk_record import unsettled_pivot
from holdfast.errors import Failed, HoldfastError, disks, images, power
from holdfast.hostfiles.image_lock import (
    files_of,
    forbids_writing,
    holders,
    is_held_open,
    is_written,
    last_written,
    owner_of,
)
from holdfast.hostfiles.images.chain import files_below, holds_data
from holdfast.hostfiles.images.image import file_identity
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.documents import Documents
from holdfast.operations.facts import forget_fact
from holdfast.operations.session import OpenDomain


class LookedAt(Protocol):
    """What this module needs to know of a domain; an :class:`OpenDomain` is one."""

    @property
    def connection(self) -> Connection:
        """The connection to its libvirt."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def documents(self) -> Documents:
        """Both documents."""


def refuse_held_open(path: str) -> None:
    """Raise IMAGE_OPEN for a file that is about to be removed while a QEMU has it open.

    A qemu-img that goes on after its command was killed does not count: nobody needs what it writes.
    """
    if path.startswith("/") and _is(is_held_open, path) and set(holders(path).values()) != {"qemu-img"}:
        raise images.IMAGE_OPEN(path=path, who=_who_has(path))


def refuse_forgotten_qemu(domain: LookedAt) -> None:
    """Raise QEMU_FORGOTTEN where libvirt takes ``domain`` for shut off while its QEMU runs."""
    pid = None if domain.documents.live is not None else _qemu(domain)
    if pid is not None:
        raise power.QEMU_FORGOTTEN(name=domain.name, pid=pid or "unknown from here")


def refuse_older_image(domain: LookedAt) -> None:
    """Raise NEWEST_UNKNOWN, OVERLAY_IS_NEWER and GUEST_HAS_NEWER where config names an image that may not be the disk's
    newest.
    """
    config = domain.documents.config
    for disk in () if config is None else config.iterfind("devices/disk"):
        refuse_unsettled_pivot(domain, disk)
        for entry in overlays_written(domain, disk):
            raise disks.OVERLAY_IS_NEWER(
                name=domain.name,
                snapshot=entry.snapshot,
                target=label(disk),
                overlay=entry.file,
                image=source_of(disk),
            )
        if (newer := _overlay_in_live(domain, disk)) is not None:
            raise disks.GUEST_HAS_NEWER(name=domain.name, target=label(disk), overlay=newer, image=source_of(disk))


def _overlay_in_live(domain: LookedAt, disk: Element) -> str | None:
    """The overlay over the image of ``disk`` that the guest writes to now; None where it has none, or none can be seen.

    If libvirt (9.0) could not write config to disk, config names the image below again once its daemon has restarted.
    """
    live = None if domain.documents.live is None else lookup(domain.documents.live, label(disk), "disk")
    image, now = host_path(disk), None if live is None else host_path(live)
    if image is None or now in (None, image) or not domain.connection.is_local:
        return None
    return now if _is(partial(_rests_on, image=image), now) else None


def refuse_unsettled_pivot(domain: LookedAt, disk: Element) -> None:
    """Raise NEWEST_UNKNOWN for a ``disk`` of which nobody knows whether it has switched to its copy."""
    if (pivot := _unsettled(domain, disk)) is not None:
        raise _newest_unknown(domain, pivot.target, pivot.old, pivot.new)


def is_pivot_lost(domain: OpenDomain, live: Element) -> bool:
    """True for a disk of live that is marked as switching to a copy although QEMU's job is over.

    libvirt (9.0) leaves it so when it dies meanwhile. (virDomainGetBlockJobInfo)
    """
    if not is_pivoting(live) or block.copy_progress(domain, label(live)) is not None:
        return False
    domain.changed(Definition.LIVE)  # it may have ended just now
    now = None if domain.documents.live is None else lookup(domain.documents.live, label(live), "disk")
    return now is not None and is_pivoting(now)


def refuse_lost_pivot(domain: OpenDomain, live: Element) -> None:
    """Raise NEWEST_UNKNOWN for a disk of which :func:`is_pivot_lost` is true."""
    if is_pivot_lost(domain, live):
        raise _newest_unknown(domain, label(live), source_of(live) or "", copy_of(live) or "")


def _newest_unknown(domain: LookedAt, target: str, old: str, new: str) -> HoldfastError:
    written = [_last_written(domain, path) for path in (old, new)]
    return disks.NEWEST_UNKNOWN(name=domain.name, target=target, old=old, new=new, written=written)


def is_pivot_unsettled(domain: LookedAt, disk: Element) -> bool:
    """True for a ``disk`` of which :func:`refuse_unsettled_pivot` raises."""
    return _unsettled(domain, disk) is not None


def _unsettled(domain: LookedAt, disk: Element) -> Pivoting | None:
    config = domain.documents.config
    return None if config is None else unsettled_pivot(config, disk)


def overlays_written(domain: LookedAt, disk: Element) -> Iterator[Snapshotting]:
    """The records of interrupted snapshots whose overlay over the image of ``disk`` the guest has written to."""
    config, image = domain.documents.config, host_path(disk)
    if config is None or image is None or not domain.connection.is_local:
        return
    for entry in facts(config, Snapshotting):
        if entry.file and was_written(entry.file) and _is(partial(_rests_on, image=image), entry.file) is not False:
            yield entry


def was_written(overlay: str) -> bool:
    """True when a guest has written to a new overlay, or may have: it holds something, or a QEMU writes to it."""
    try:
        return holds_data(overlay) or is_written(overlay)
    except Failed:
        return True


def refuse_unless_newest(domain: LookedAt, document: Element | None = None) -> None:
    """Refuse a start of ``document``, else of config, that would not be on the newest images, or on images in use.

    Raises QEMU_FORGOTTEN, NEWEST_UNKNOWN, OVERLAY_IS_NEWER, GUEST_HAS_NEWER, WRITTEN_ELSEWHERE and IMAGE_OPEN. Files of
    another host, and those that this user may not look at, are not judged.
    """
    refuse_forgotten_qemu(domain)
    if document is None:
        refuse_older_image(domain)
    started, live = document if document is not None else domain.documents.config, domain.documents.live
    if not domain.connection.is_local:
        return
    if others := written_elsewhere(domain):
        raise disks.WRITTEN_ELSEWHERE(name=domain.name, others=others)
    for path in _written_files(started) if live is None else ():
        if _is(forbids_writing, path):
            raise images.IMAGE_OPEN(path=path, who=_who_has(path))


def _qemu(domain: LookedAt) -> int | None:
    """The QEMU of ``domain``, whether libvirt knows it or not; 0 where it cannot be seen from here."""
    folder = domain.connection.run_folder
    return None if folder is None else owner_of(f"{folder}/{domain.name}.pid")


def written_elsewhere(domain: LookedAt) -> list[str]:
    """The images that the QEMU of ``domain`` writes to and that none of its documents names anywhere.

    QEMU may also keep an image open for writing that it no longer uses (a qcow2 one, 7.2). Where an image is not where
    live says, it was moved under the running guest: that is reported as a missing image, and not here.
    """
    documents, live = list(domain.documents.present.values()), domain.documents.live
    if live is None or any(each.find("devices/disk/transient") is not None for each in documents):
        return []
    if any(file_exists(path) is False for path in _written_files(live)):
        return []
    named = {file_identity(path) for document in documents for path in named_paths(document)}
    found = [
        path for path in files_of(_qemu(domain) or 0) if file_identity(path) not in named and _is(is_written, path)
    ]
    return sorted(path for path in found if not any(names_anywhere(document, path) for document in documents))


def forget_pivot(domain: OpenDomain, target: str) -> None:
    """Remove the fact that the disk ``target`` is switching to a copy: that is over (virDomainSetMetadata)."""
    config = domain.documents.config
    for pivot in () if config is None else facts(config, Pivoting):
        if pivot.target == target:
            forget_fact(domain, pivot, Definition.CONFIG)


def _written_files(document: Element | None) -> Iterator[str]:
    """The image files to which only QEMU writes while it runs with ``document``.

    Block devices are left out: QEMU opens them at a node of libvirt's own making, so its locks cannot be seen here.
    """
    for disk in () if document is None else document.iterfind("devices/disk[@type='file']"):
        path = host_path(disk)
        if path and disk.get("device", "disk") == "disk" and not is_shared(disk) and disk.find("transient") is None:
            yield path


def _is(look: Callable[[str], bool], path: str) -> bool | None:
    """What ``look`` says of a file; None where this user may not look."""
    with contextlib.suppress(Failed):
        return look(path)
    return None


def _who_has(path: str) -> str:
    found = [f"process {pid} ({program})" for pid, program in holders(path).items()]
    return " and ".join(found) or "a process that cannot be seen from here"


def _rests_on(overlay: str, image: str) -> bool:
    return file_identity(image) in map(file_identity, files_below(overlay))


def _last_written(domain: LookedAt, path: str) -> str:
    if not (domain.connection.is_local and path.startswith("/")):
        return path
    time = last_written(path)
    if time is None:
        return f"{path}: not here"
    return f"{path}: {time}" + (f", open in {_who_has(path)}" if _is(is_written, path) else "")
