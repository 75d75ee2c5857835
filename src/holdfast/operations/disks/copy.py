"""Copying a disk onto another image and letting it go on there: what moving and swapping have in common.

While the domain runs QEMU copies (libvirt's block job). The lock is held at the start and at the end, not in the hours
between, so each step looks afresh at how things stand. Shut off, qemu-img copies, and the lock is held throughout.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.domainxml.document import Element, element, same, serialize
from holdfast.domainxml.elements.disk import Source, source_of, stated_format, with_image
from holdfast.domainxml.elements.mirror import copy_is_ready, copy_of
from holdfast.errors import Failed, LibvirtRefused, NoConnection, NotFound, PartlyDone, Refused
from holdfast.hostfiles import new_image
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disks.image_size import disk_size, image_size
from holdfast.operations.disks.in_place import DiskInPlace, find_disk_now, prove
from holdfast.operations.session import OpenDomain
from holdfast.text import size_in_words

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are copied, often at first and then twice a second."""

_FIRST_LOOK, _LONGEST_WAIT = 0.02, 0.5
"""Seconds between two looks at the job."""


def nothing_to_do() -> None:
    """For a destination that exists: nothing is made before, and nothing goes after."""


@dataclass(frozen=True)
class Destination:
    """Where a disk is copied to. ``disk`` is a ``<disk>`` element with the image, ``size`` that of the disk in bytes.

    ``make`` makes the image, ``take_back`` removes it again when the disk does not have it in the end, ``settle`` does
    what follows when it has. All are called under the domain's lock.
    """

    connection: Connection
    domain: OpenDomain
    target: str
    disk: Element
    size: int
    make: Callable[[], None] = field(default=nothing_to_do)
    take_back: Callable[[], None] = field(default=nothing_to_do)
    settle: Callable[[], None] = field(default=nothing_to_do)

    @property
    def place(self) -> str:
        """The image in one word."""
        return source_of(self.disk) or ""

    def given_to(self, disk: Element) -> Element:
        """``disk`` with this image, and else as it is."""
        return with_image(
            disk, Source(self.disk.get("type", "file"), self.disk.find("source")), stated_format(self.disk)
        )

    def prepare(self) -> None:
        """Make the image, and check its size."""
        self.make()
        self.check_size()

    def check_size(self) -> None:
        """Raise Refused for an image that is not exactly as large as the disk. QEMU 7.2 copies to no other, either."""
        size = image_size(self.connection, self.disk)
        if size is not None and size != self.size:
            raise Refused(
                f"{self.place} has {size_in_words(size)}, and the disk {self.target} {size_in_words(self.size)}: "
                "the guest would see it change",
                "it must be as large; 'holdfast disk extend' can make the disk larger first",
            )

    def give_up(self) -> None:
        """End the copying, and take back what was made unless the disk has it by now. The caller holds the lock.

        Where nobody can look any more all stays as it is, as after a crash.
        """
        with contextlib.suppress(NoConnection):
            with contextlib.suppress(NotFound):  # a transient domain that has stopped
                disk = find_disk_now(self.domain, self.target)
                if self.place in map(source_of, disk.present.values()):
                    return
                if disk.live is not None and copy_of(disk.live) == self.place:
                    block.cancel(self.domain, self.target)
            with contextlib.suppress(NotFound):
                self.take_back()


def size_to_copy(connection: Connection, disk: DiskInPlace) -> int:
    """The size of a disk that is to be copied, in bytes; raises Refused and Failed where only QEMU could do that."""
    let_qemu = f"let QEMU do it: 'holdfast start --paused {disk.domain.name}' first"
    if not (disk.runs or connection.is_local):
        raise Refused(
            f"while a domain is shut off its image is copied on its own host, and {connection.uri} is elsewhere",
            f"run holdfast there, or {let_qemu}",
        )
    size = disk_size(connection, disk)
    if size is None:
        raise Failed(f"how large {disk.image} is cannot be seen while {disk.domain.name!r} is shut off", let_qemu)
    return size


def copy_shut_off(disk: DiskInPlace, to: Destination, progress: Progress | None = None) -> DiskInPlace:
    """Copy the image of a domain that is shut off, and let config name the copy. The caller holds the lock.

    Returns the disk as it is then. Nobody can start the domain while qemu-img copies a file: QEMU's lock on it is
    taken. A domain that was started with an image on the network is seen if it still runs in the end. Between the copy
    and the update of config there are a few milliseconds in which nobody can be seen.
    (qemu-img convert, virDomainUpdateDeviceFlags)
    """
    try:
        to.prepare()
        told = None if progress is None else lambda percent: progress(int(to.size * percent / 100), to.size)
        new_image.copy_onto(disk.image or "", stated_format(disk.current), to.place, stated_format(to.disk), told)
        return give_image(disk, to)
    except BaseException:
        to.give_up()
        raise


def give_image(disk: DiskInPlace, to: Destination) -> DiskInPlace:
    """Let config name another image; nothing is copied. The caller holds the lock. (virDomainUpdateDeviceFlags)"""
    now = disk.again()
    if now.runs or now.config is None or not same(now.current, disk.current):
        raise Refused(
            f"the domain {to.domain.name!r} was started, or its disk {to.target} changed, by somebody else meanwhile",
            "look at it with 'holdfast show', then repeat the command",
        )
    to.domain.update(serialize(to.given_to(now.config)), Definition.CONFIG)
    after = prove(now, to.place, [Definition.CONFIG])
    to.settle()
    return after


def start_copy(disk: DiskInPlace, to: Destination) -> None:
    """Let QEMU begin to copy the disk of a running domain. The caller holds the lock. (virDomainBlockCopy)"""
    try:
        to.prepare()
        driver = element("driver", {"name": "qemu", "type": stated_format(to.disk)})
        wanted = element("disk", {"type": to.disk.get("type", "file")}, driver)
        wanted.extend(to.given_to(disk.current).findall("source"))
        block.start_block_copy(to.domain, to.target, serialize(wanted))
    except BaseException:
        to.give_up()
        raise


def finish_copy(to: Destination, progress: Progress | None = None) -> DiskInPlace:
    """Wait until the copy is whole, and let the disk go on with it, in live and config. The caller holds no lock.

    Returns the disk as it is then. When it cannot end so, or is interrupted, the disk stays where it is and the copy
    goes. Raises Failed then, and PartlyDone when the connection breaks: QEMU goes on copying.
    (virDomainGetBlockJobInfo, virDomainBlockJobAbort)
    """
    name = to.domain.name
    try:
        while True:
            _wait(to, progress)
            with domain_lock(to.domain.uuid, to.connection.lock_timeout):
                if (taken := _take(to)) is not None:
                    return taken
    except BaseException as error:
        with domain_lock(to.domain.uuid, to.connection.lock_timeout):
            to.give_up()
        if not isinstance(error, NoConnection):
            raise
        raise PartlyDone(
            f"libvirt is gone while the disk {to.target} of {name!r} is copied to {to.place}: {error.message}",
            f"QEMU goes on; 'holdfast disk move {name} {to.target}' finishes it, with --abort it ends",
        ) from error


def _wait(to: Destination, progress: Progress | None) -> None:
    """Until the copy is ready, or nobody can tell. The longer it takes, the less often it is looked at."""
    begun = time.monotonic()
    while (copied := _copied(to)) is not None:
        if progress is not None:
            progress(*copied)
        live = find_disk_now(to.domain, to.target).live
        if live is not None and copy_is_ready(live):
            return
        time.sleep(min(max(_FIRST_LOOK, (time.monotonic() - begun) / 20), _LONGEST_WAIT))


def _copied(to: Destination) -> tuple[int, int] | None:
    try:
        return block.copied(to.domain, to.target)
    except (LibvirtRefused, NotFound):
        return None  # the domain was switched off, the disk is gone, or QEMU is too busy to say: _take() looks


def _take(to: Destination) -> DiskInPlace | None:
    """Let the disk go on with its copy; None while that is not ready."""
    disk = find_disk_now(to.domain, to.target)
    if disk.live is not None and copy_of(disk.live) == to.place:
        if not copy_is_ready(disk.live):
            return None
        block.pivot(to.domain, to.target)
    elif disk.image != to.place:
        why = "the copying ended" if disk.runs else "the domain was switched off"
        log = f"is there room for it at {to.place}? libvirt's log of the domain says what QEMU said"
        raise Failed(
            f"{why} before all of the disk {to.target} was copied: it stays at {disk.image}, and the copy is gone",
            log if disk.runs else None,
        )
    after = prove(disk, to.place, disk.present)
    to.settle()
    return after
