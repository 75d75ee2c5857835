"""Keeping the domains of instances, while Nova thinks that it undefines them and defines them anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import nova.conf
import nova.privsep.path
from nova import exception
from nova.virt.libvirt import driver as libvirt_driver
from nova.virt.libvirt import utils as libvirt_utils
from oslo_concurrency import lockutils
from oslo_log import log as logging

from holdfast.errors import HoldfastError, NotFound, OtherMachine
from holdfast.errors.hosts import CPU_NOT_GIVEN
from holdfast.operations.domain.adopt import adopt_domain
from holdfast.operations.files import file_exists, read_document, remove_file, write_private
from holdfast.operations.look.document import document as document_of
from holdfast.operations.manager.addresses import keep_addresses
from holdfast.operations.manager.create import create_in_place
from holdfast.operations.manager.follow import follow_document
from holdfast.operations.manager.follow_cpu import follow_cpu
from holdfast.operations.manager.foreign_start import record_start, refuse_start
from holdfast.operations.manager.instance import is_of_instance, last_request
from holdfast.operations.manager.rescue import is_rescue_by_define, rescue_from_template
from holdfast.operations.manager.restore import restore_document
from holdfast.operations.manager.seal import seal_document
from holdfast.operations.power.save import discard_save
from holdfast_nova.before import Before
from holdfast_nova.conf import FOLLOW
from holdfast_nova.connection import HardwareNotKept, NovaConnection, in_nova_terms

if TYPE_CHECKING:
    from nova.objects.instance import Instance
    from nova.virt.driver import BlockDeviceInfo
    from nova.virt.libvirt.host import Host

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF

_BEFORE = "holdfast-before-resize.xml"
"""The document as it was: beside the disks that Nova keeps for a revert, with which it goes."""


class Purpose(Enum):
    """Why Nova would define a domain that exists."""

    AS_IT_IS = "it is started as it is"
    FOLLOW = "its document follows what Nova asks for"
    RESIZE = "as FOLLOW, and the document from before is kept for a revert"
    REVERT = "as FOLLOW, after the document from before the resize has taken its place again"
    RESCUE = "a rescue is started over it"
    SUSPEND = "it is saved, and its config document waits for the resume"
    UNRESCUE = "it is started as it is, unless the stock driver had defined a rescue over it"


_FOLLOWING = (Purpose.FOLLOW, Purpose.RESIZE, Purpose.REVERT)

AsBefore = Callable[["BlockDeviceInfo | None"], Before | None]
"""Gives what Nova asked for before, from the block device info of today; None where that is the same."""


@dataclass
class Kept:
    """A domain that is being kept. ``old`` is the document that Nova would have generated before, once it is made."""

    purpose: Purpose
    before: AsBefore | None = None
    old: str | None = None


class Keeper:
    """Which domains are kept just now, and what becomes of their documents. ``host`` is Nova's libvirt host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._mine = threading.local()  # most of Nova's operations hold no lock: another thread may be at the instance

    def connection(self) -> NovaConnection:
        """Nova's own connection, for Holdfast's operations."""
        return NovaConnection(self._host)

    def has_domain(self, instance: Instance) -> bool:
        """True when libvirt has the domain. Raises InternalError where it cannot say: that is not "gone"."""
        try:
            self._host.get_guest(instance)
        except exception.InstanceNotFound:
            return False
        return True

    def of(self, instance: Instance) -> Kept | None:
        """How the domain of ``instance`` is kept just now; None when it is not."""
        return self._kept().get(instance.uuid)

    def suspends(self, uuid: str) -> bool:
        """True while this thread suspends the domain ``uuid``."""
        kept = self._kept().get(uuid)
        return kept is not None and kept.purpose is Purpose.SUSPEND

    @property
    def is_at_work(self) -> bool:
        """True while this thread keeps a domain."""
        return bool(self._kept())

    def _kept(self) -> dict[str, Kept]:
        found: dict[str, Kept] = self._mine.__dict__.setdefault("kept", {})
        return found

    @contextmanager
    def keep(self, instance: Instance, purpose: Purpose, before: AsBefore | None = None) -> Iterator[None]:
        """Keep the domain of ``instance`` for one operation of this thread; another one waits until it has ended.

        A domain that is truly gone cannot be kept: it is generated anew, as the stock driver does.
        """
        if self.of(instance) is not None:
            yield
            return
        with lockutils.lock(f"holdfast-{instance.uuid}"):
            if not self.has_domain(instance):
                LOG.warning("The instance has no domain on this host: it is generated anew.", instance=instance)
                yield
                return
            self._kept()[instance.uuid] = Kept(purpose, before)
            try:
                yield
            finally:
                del self._kept()[instance.uuid]

    @contextmanager
    def connected(self) -> Iterator[None]:
        """The volumes of what this thread generates meanwhile are connected already."""
        self._mine.is_connected = True
        try:
            yield
        finally:
            self._mine.is_connected = False

    @property
    def is_connected(self) -> bool:
        """True inside of :meth:`connected`, for the thread that asks."""
        return getattr(self._mine, "is_connected", False)

    def prepare(self, instance: Instance, xml: str, kept: Kept) -> None:
        """Make of the kept document what ``kept.purpose`` says; ``xml`` is what Nova would define.

        Raises HardwareNotKept with nothing changed.
        """
        with in_nova_terms():
            self._prepare(instance, xml, kept)

    def _prepare(self, instance: Instance, xml: str, kept: Kept) -> None:
        connection, purpose = self.connection(), kept.purpose
        if purpose is Purpose.UNRESCUE and is_rescue_by_define(connection, instance.uuid):
            restore_document(connection, xml)
        if purpose is Purpose.RESIZE:
            self._record_before(instance)
        if purpose in _FOLLOWING:
            self._follow(instance, xml, kept.old)
            discard_save(connection, instance.uuid, missing_ok=True)  # as stock, which undefines the domain with it
        if purpose is Purpose.REVERT:
            remove_file(_document_before(instance))
        if CONF.holdfast.cpu_policy == FOLLOW and (purpose in _FOLLOWING or purpose is Purpose.RESCUE):
            for sentence in follow_cpu(connection, instance.uuid, xml):
                LOG.warning("The CPU follows: %s", sentence, instance=instance)

    def _follow(self, instance: Instance, xml: str, old: str | None = None) -> None:
        connection = self.connection()
        try:
            followed = follow_document(
                connection, instance.uuid, xml, old=old, is_own=lambda each: is_of_instance(each, instance.uuid)
            )
        except OtherMachine as error:
            LOG.warning("The domain is made anew, as was asked for: %s", error.message, instance=instance)
            create_in_place(connection, self.sealed(instance, xml))
            self.record_new(instance)
            return
        for sentence in (*map(str, followed.changes), *followed.host):
            LOG.info("The domain follows: %s", sentence, instance=instance)

    def follow(self, instance: Instance, xml: str) -> None:
        """Let the domain have today's host side and devices, before something else is started over it."""
        with in_nova_terms():
            self._follow(instance, xml)

    def _record_before(self, instance: Instance) -> None:
        """Keep the document from before a resize, unless this is a repetition and the resize is in it already."""
        request, recorded = last_request(self.connection(), instance.uuid), _document_before(instance)
        if request is not None and request.flavor == instance.flavor.name and file_exists(recorded):
            return
        write_private(recorded, document_of(self.connection(), instance.uuid, secure=True))

    def restore_before(self, instance: Instance) -> None:
        """Let the document from before a resize take its place again, where it is kept."""
        recorded = _document_before(instance)
        if file_exists(recorded):
            with in_nova_terms():
                restore_document(self.connection(), read_document(recorded))

    def refuse_start(self, instance: Instance, *, may_follow: bool = False) -> None:
        """Raise HardwareNotKept where a start would make lost NVRAM or TPM state anew, or the host lacks the CPU.

        Where the CPU ``may_follow`` what Nova generates, it stops nothing if that is the policy. A domain that is not
        there has lost all, and is generated anew. The log tells of the refusal, too: Nova shows nobody the fault of an
        instance that runs on.
        """
        try:
            with in_nova_terms(), suppress(NotFound):
                other_cpu = may_follow and CONF.holdfast.cpu_policy == FOLLOW
                refuse_start(self.connection(), instance.uuid, other_cpu=other_cpu)
        except HardwareNotKept as refusal:
            LOG.error("It is not started: %s", refusal, instance=instance)
            raise

    def keep_addresses(self, instance: Instance) -> None:
        """Before the guest is switched off, let it come back with its devices where they are now.

        It is switched off whatever comes of that.
        """
        try:
            kept = keep_addresses(self.connection(), instance.uuid)
        except NotFound:
            return
        except (HoldfastError, libvirt_driver.libvirt.libvirtError) as error:
            LOG.warning("Its devices may be elsewhere at its next start: %s", error, instance=instance)
            return
        for change in kept.changes:
            LOG.warning("It stays as the guest has it, and config had it elsewhere: %s", change, instance=instance)
        for device in kept.stay:
            LOG.warning("The %s comes back elsewhere: config lacks its place.", device, instance=instance)

    def needs_other_cpu(self, instance: Instance) -> bool:
        """True where the domain cannot have its CPU any more, and is to follow Nova's."""
        try:
            refuse_start(self.connection(), instance.uuid)
        except HoldfastError as error:
            return error.code == CPU_NOT_GIVEN.code and CONF.holdfast.cpu_policy == FOLLOW
        return False

    def record_new(self, instance: Instance) -> None:
        """Adopt a domain that was defined just now, and record what its guest has been given where it runs."""
        try:
            adopt_domain(self.connection(), instance.uuid)
        except HoldfastError as error:
            LOG.warning(
                "The domain could not be adopted; it is kept all the same: %s", error.message, instance=instance
            )
            return
        self.record_start(instance)

    def record_start(self, instance: Instance) -> None:
        """Record what the guest has been given; a start that cannot be recorded is one all the same."""
        try:
            record_start(self.connection(), instance.uuid)
        except HoldfastError as error:
            LOG.warning("The start is not recorded in the domain: %s", error.message, instance=instance)

    def rescue(self, instance: Instance, xml: str) -> None:
        """Start the rescue that ``xml`` describes over the domain. Raises HardwareNotKept."""
        with in_nova_terms():
            left = rescue_from_template(self.connection(), instance.uuid, xml).nvram_left
        if left is not None:
            _remove_as_root(instance, left)

    def sealed(self, instance: Instance, xml: str) -> str:
        """``xml`` with nothing left to a later start; as it is where this host cannot say what it would choose."""
        try:
            sealed = seal_document(self.connection(), xml, root_ports=CONF.holdfast.spare_root_ports)
        except HoldfastError as error:
            LOG.warning("The domain is defined without being sealed: %s", error.message, instance=instance)
            return xml
        for note in sealed.notes:
            LOG.info("Not sealed: %s", note, instance=instance)
        return sealed.document


def _remove_as_root(instance: Instance, nvram: str) -> None:
    """Remove the copy of the NVRAM that a rescue runs with: QEMU has it open, and needs no name for it.

    As root Nova can move a file, and not remove one. What cannot be removed is the next rescue's to remove.
    """
    here = f"{libvirt_utils.get_instance_path(instance)}/nvram.rescue"
    try:
        nova.privsep.path.move_tree(nvram, here)
        remove_file(here)
    except OSError as error:
        LOG.warning("The copy of its NVRAM that the rescue runs with stays: %s", error, instance=instance)


def waits_for_revert(instance: Instance) -> bool:
    """True when the document from before a resize is kept here, so that a revert takes it back."""
    return bool(file_exists(_document_before(instance)))


def forget_resize(instance: Instance) -> None:
    """Remove a document from before a resize that the stock driver has reverted meanwhile."""
    if instance.task_state is None and not file_exists(_folder_before(instance)):
        remove_file(_document_before(instance))


def _folder_before(instance: Instance) -> str:
    """Where Nova keeps the disks from before a resize, which a revert renames back."""
    return f"{libvirt_utils.get_instance_path(instance)}_resize"


def _document_before(instance: Instance) -> str:
    """The path of the document from before a resize: with those disks, else with the instance's own."""
    folder = _folder_before(instance)
    return f"{folder if file_exists(folder) else libvirt_utils.get_instance_path(instance)}/{_BEFORE}"
