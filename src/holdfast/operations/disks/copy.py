"""Copying a disk onto another image and letting it go on there: what moving and swapping have in common.

While the domain runs, QEMU copies (libvirt's block job). The domain's lock is held at the start and at the end, not in
the hours between, so each step looks afresh at how things stand. While it is shut off, qemu-img copies, and the lock is
held throughout.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from holdfast.domainxml.document import Element, element, same, serialize
from holdfast.domainxml.elements.disk import Source, source_of, stated_format, with_image
from holdfast.domainxml.elements.mirror import copy_is_ready, copy_of
from holdfast.domainxml.fact import Pivoting
from holdfast.domainxml.records.disk_record import unsettled_pivot
from holdfast.errors import LibvirtRefused, NoConnection, NotFound
from holdfast.errors import disks as errors
from holdfast.hostfiles.images import new_image
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img, refuse_exchanged
from holdfast.hostfiles.new_file import MadeFile
from holdfast.libvirtapi import block
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.asked_of_libvirt import Answer
from holdfast.operations.disks.image_size import disk_size, image_size
from holdfast.operations.disks.in_place import (
    DiskInPlace,
    ask_of_disk,
    find_disk,
    find_disk_now,
    prove_only_image_changed,
)
from holdfast.operations.disks.known_files import open_disk_for_qemu_img, refuse_unknown_below
from holdfast.operations.disks.newest_image import (
    forget_pivot,
    is_pivot_lost,
    is_pivot_unsettled,
    refuse_lost_pivot,
    refuse_unsettled_pivot,
)
from holdfast.operations.facts import record_fact
from holdfast.operations.session import OpenDomain, locked, telling_truly
from holdfast.text import size_in_words

_FIRST_LOOK, _LONGEST_WAIT = 0.02, 0.5
"""Seconds between two looks at the job."""


def nothing_to_do() -> None:
    """For a destination that exists: nothing is made before, and nothing goes after."""


@dataclass(frozen=True)
class Destination:
    """Where a disk is copied to. The three functions are called under the domain's lock.

    ``target``     the disk's
    ``disk``       a ``<disk>`` element with the image that it is copied to
    ``size``       that of the disk, in bytes
    ``make``       makes the image, if it is a new one
    ``take_back``  removes it again, when the disk does not have it in the end
    ``settle``     does what follows, when it has
    ``is_filled``  True where what makes the image puts in what the disk holds, too
    ``known``      what the image may rest on; None: whatever its header names, which is trusted
    ``seen``       what an existing image was seen to be (:func:`.file_identity`), before it was looked at more closely
    """

    domain: OpenDomain
    target: str
    disk: Element
    size: int
    make: Callable[[], MadeFile | None] = field(default=nothing_to_do)
    take_back: Callable[[], None] = field(default=nothing_to_do)
    settle: Callable[[], None] = field(default=nothing_to_do)
    is_filled: bool = False
    known: Container[str] | None = ()
    seen: str | None = None

    @property
    def place(self) -> str:
        """The image in one word."""
        return source_of(self.disk) or ""

    def given_to(self, disk: Element) -> Element:
        """``disk`` with this image, and else as it is."""
        source = Source(self.disk.get("type", "file"), self.disk.find("source"))
        return with_image(disk, source, stated_format(self.disk))

    def ask(self, disk: DiskInPlace) -> Answer:
        """Whether libvirt would take it for ``disk`` in config, for a dry run. Raises LibvirtRefused."""
        return ask_of_disk(disk, None if disk.config is None else self.given_to(disk.config))

    def prepare(self) -> MadeFile | None:
        """Make the image, and check its size. Returns the file that was made for it."""
        made = self.make()
        self.check_size()
        return made

    def check_size(self) -> None:
        """Raise OTHER_SIZE for an image that is not exactly as large as the disk. QEMU (7.2) copies to no other."""
        size = image_size(self.domain.connection, self.disk, self.known)
        if size is not None and size != self.size:
            now, wanted = size_in_words(size), size_in_words(self.size)
            raise errors.OTHER_SIZE(target=self.target, place=self.place, size=now, wanted=wanted)

    def give_up(self) -> None:
        """End the copying, and take back what was made unless the disk has it by now. The caller holds the lock.

        Where nobody can look any more, or knows whether it has, all stays as it is, as after a crash.
        """
        with contextlib.suppress(NoConnection):
            with contextlib.suppress(NotFound):  # a transient domain that has stopped
                disk = find_disk_now(self.domain, self.target)
                if self.place in map(source_of, disk.present.values()):
                    forget_pivot(self.domain, self.target)
                    return
                if is_pivot_unsettled(self.domain, disk.current) and not _is_copied(self, disk):
                    return
                if _is_copied(self, disk):
                    block.cancel(self.domain, self.target)
                    forget_pivot(self.domain, self.target)
            with contextlib.suppress(NotFound):
                self.take_back()


def size_to_copy(disk: DiskInPlace, *, by_libvirt: bool = False) -> int:
    """The size of a disk that is to be copied, in bytes; ``by_libvirt`` where qemu-img cannot, and it is shut off.

    Raises COPIED_ON_ITS_HOST, SIZE_UNKNOWN and RESTS_ELSEWHERE where only QEMU could copy it, which does not run, and
    NAMES_ANOTHER_NOW.
    """
    name, connection = disk.domain.name, disk.domain.connection
    if not (disk.runs or connection.is_local):
        raise errors.COPIED_ON_ITS_HOST(name=name, uri=connection.uri)
    size = disk_size(disk)
    if size is None:
        raise errors.SIZE_UNKNOWN(name=name, image=disk.image)
    if by_libvirt:
        refuse_unknown_below(disk)
    elif not disk.runs:
        with open_disk_for_qemu_img(disk):
            pass
    return size


def copy_shut_off(disk: DiskInPlace, to: Destination, progress: Progress | None = None) -> DiskInPlace:
    """Copy the image of a domain that is shut off, and let config name the copy. The caller holds the lock.

    Returns the disk as it is then. Nobody can start the domain while qemu-img copies a file, because QEMU's lock on it
    is taken. An image on the network has no such lock: that the domain was started is seen if it still runs in the end.
    Between the copy and the update of config there are a few milliseconds in which a start is not seen.
    (qemu-img convert, virDomainUpdateDeviceFlags)
    """
    try:
        made = to.prepare()
        if to.is_filled:
            return set_config_image(disk, to)
        percent = None if progress is None else lambda part: progress(int(to.size * part / 100), to.size)
        with (
            open_disk_for_qemu_img(disk) as source,
            open_for_qemu_img(to.place, stated_format(to.disk), to.known) as image,
        ):
            if made is not None:
                made.refuse_another(image.descriptors[0])
            elif to.seen is not None:
                refuse_exchanged(image, to.seen)
            new_image.copy_onto(source, image, percent)
        return set_config_image(disk, to)
    except BaseException:
        to.give_up()
        raise


def set_config_image(disk: DiskInPlace, to: Destination) -> DiskInPlace:
    """Have config name another image; nothing is copied. The caller holds the lock.

    Raises CHANGED_WHILE_COPIED, and what :func:`prove_only_image_changed` does. (virDomainUpdateDeviceFlags)
    """
    now = disk.again()
    if now.runs or now.config is None or not same(now.current, disk.current):
        raise errors.CHANGED_WHILE_COPIED(name=to.domain.name, target=to.target)
    to.domain.update(serialize(to.given_to(now.config)), Definition.CONFIG)
    after = prove_only_image_changed(now, to.place, [Definition.CONFIG])
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

    Returns the disk as it is then. Raises COPY_ENDED and SWITCHED_OFF_WHILE_COPIED: then, and when it is interrupted,
    the disk stays where it is and the copy goes. Raises LIBVIRT_GONE_WHILE_COPIED when the connection breaks: QEMU goes
    on copying. (virDomainGetBlockJobInfo, virDomainBlockJobAbort)
    """
    with telling_truly(to.domain):
        return _finished_copy(to, progress)


def _finished_copy(to: Destination, progress: Progress | None) -> DiskInPlace:
    domain = to.domain
    try:
        while True:
            _wait(to, progress)
            with locked(domain):
                if (after := _go_on_with_copy(to)) is not None:
                    return after
    except BaseException as error:
        with locked(domain):
            to.give_up()
        if not isinstance(error, NoConnection):
            raise
        raise errors.LIBVIRT_GONE_WHILE_COPIED(
            name=domain.name, target=to.target, place=to.place, cause=error
        ) from error


def _wait(to: Destination, progress: Progress | None) -> None:
    """Until the copy is ready, or nobody can tell. The longer it takes, the less often it is looked at."""
    begun = time.monotonic()
    while (copied := _copied(to)) is not None:
        to.domain.changed(Definition.LIVE)
        live = find_disk(to.domain, to.target).live
        is_ready = live is not None and copy_is_ready(live)
        if progress is not None:
            progress(copied[1] if is_ready else copied[0], copied[1])
        if is_ready:
            return
        time.sleep(min(max(_FIRST_LOOK, (time.monotonic() - begun) / 20), _LONGEST_WAIT))


def _copied(to: Destination) -> tuple[int, int] | None:
    try:
        return block.copy_progress(to.domain, to.target)
    except (LibvirtRefused, NotFound):
        return None  # the domain was switched off, the disk is gone, or QEMU is too busy to say: the next step looks


def _is_copied(to: Destination, disk: DiskInPlace) -> bool:
    """True while a job copies the disk there, of which libvirt knows how it stands."""
    is_there = disk.live is not None and copy_of(disk.live) == to.place
    return is_there and disk.live is not None and not is_pivot_lost(to.domain, disk.live)


def _go_on_with_copy(to: Destination) -> DiskInPlace | None:
    """Let the disk go on with its copy, and return it as it is then; None while the copy is not ready."""
    disk = find_disk_now(to.domain, to.target)
    if disk.live is not None and copy_of(disk.live) == to.place:
        if not copy_is_ready(disk.live):
            refuse_lost_pivot(to.domain, disk.live)
            return None
        record_fact(
            to.domain, Pivoting(to.target, disk.image or "", to.place, stated_format(to.disk)), Definition.CONFIG
        )
        try:
            block.pivot(to.domain, to.target)
        except (LibvirtRefused, NotFound):  # libvirt knows how it ended
            forget_pivot(to.domain, to.target)
            raise
    elif disk.image != to.place:
        refuse_unsettled_pivot(to.domain, disk.current)
        condition = errors.COPY_ENDED if disk.runs else errors.SWITCHED_OFF_WHILE_COPIED
        raise condition(target=to.target, image=disk.image, place=to.place)
    after = prove_only_image_changed(disk, to.place, disk.present)
    forget_pivot(to.domain, to.target)
    to.settle()
    return after


def switch_config_to_copy(disk: DiskInPlace) -> DiskInPlace:
    """Have config name the copy that the guest has switched to, where it still names the old image.

    libvirt (9.0) reports no error when it could not write config then: its daemon reads the old one when it restarts.
    Raises what :func:`prove_only_image_changed` does. (virDomainUpdateDeviceFlags)
    """
    config, image = disk.documents.config, disk.image
    pivot = None if config is None or disk.config is None else unsettled_pivot(config, disk.config)
    if disk.live is None or disk.config is None or pivot is None or pivot.new != image:
        return disk
    copied = copy.deepcopy(disk.live)
    for source in copied.findall("source"):
        source.attrib.pop("index", None)
    to = Destination(disk.domain, disk.target, copied, 0)
    disk.domain.update(serialize(to.given_to(disk.config)), Definition.CONFIG)
    return prove_only_image_changed(disk, image, [Definition.CONFIG])
