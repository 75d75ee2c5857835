"""Rescue: another medium is booted on the very hardware of a domain, and leaving the rescue leaves nothing behind.

The domain is started from an edited copy of its config document, which libvirt keeps for that one run
(virDomainCreateXML). Config is not touched, so whatever ends the run, the next start is the domain's own. The copy
starts paused, and runs only once libvirt is seen to have put everything where config has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.elements.disk import default_bus
from holdfast.domainxml.fact import RunAgain
from holdfast.domainxml.make.attach_request import complete_request, conflict, parse_device, with_identifiers
from holdfast.domainxml.make.rescue import rescue_document, without_rescue
from holdfast.domainxml.metadata import fact
from holdfast.domainxml.places.behind_all import BUSES as BUSES
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.secret_parts import Shown, shown
from holdfast.errors import HoldfastError, NoConnection, power
from holdfast.hostfiles.images.image import check_format_name
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import RUNNING, SHUT_OFF, Definition
from holdfast.operations.asked_of_libvirt import Answer, Step, ask_of_steps
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.disks.known_files import look_at_images
from holdfast.operations.disks.missing_image import refuse_missing_images
from holdfast.operations.disks.new import described_disk, existing_source
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.guard import ColdStart, look_before_start, refuse_unasked
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import refuse_lost_state
from holdfast.operations.power.rescue_nvram import NvramCopy, remove_left_copy
from holdfast.operations.power.start import start_locked
from holdfast.operations.power.state_change import PowerChange, power_change
from holdfast.operations.power_record import record_missing, recorded_stop, unfinished_start, was_switched_off
from holdfast.operations.proved_edit import Touch
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing

NAME = "rescue"
"""The serial of a rescue medium where none is given: by it the rescue system finds its own disk."""

_OLD_MEMORY = "the next start would restore old memory over changed disks"


@dataclass(frozen=True, kw_only=True)
class Rescued(Result):
    """A rescue that was started; ``changes`` are what the rescue system sees that config does not have.

    ``waits`` is what the guest itself will see at its own next start.

    ``before``, ``after``  the states, in virsh's words
    ``switched_off``       True where the guest ran, and was switched off for it
    ``device``             the element of the rescue medium, without secrets; in a dry run without what is chosen at
                           random
    ``label``, ``address``  its target, and its place in words
    ``nvram_left``   the path of the copy of the NVRAM, where this user may not remove it
    """

    before: str
    after: str
    switched_off: bool
    device: Shown
    label: str
    address: str | None
    nvram_left: str | None = None


def rescue(
    connection: Connection,
    name: str,
    medium: DiskSpec | str,
    *,
    trust_format: bool = False,
    force: bool = False,
    accept: bool = False,
    fresh: Collection[str] = (),
    adapt: Touch | None = None,
    dry_run: bool = False,
) -> Rescued:
    """Boot the domain ``name`` from ``medium``, with all its own hardware at its places.

    ``medium`` is an existing image or a ``<disk>`` element; its bus is virtio, usb, sata, scsi or ide. It is the last
    of the devices and the first that is booted. ``force`` switches a running domain off first, which is Refused
    otherwise; ``accept`` then accepts changes of its hardware that wait in config. A UEFI guest's NVRAM is copied for
    the rescue; a TPM's state is the guest's own. ``fresh`` are the kinds of state, "nvram" and "tpm", that may be made
    anew where they are lost. ``adapt`` may change the document that is started for the rescue.

    Raises IN_RESCUE, TRANSIENT, RUNNING_BEFORE_RESCUE, MANAGED_SAVE, STATE_GONE, IMAGE_MISSING, and Refused
    where no place is free; NotFound, UsageError and Failed as an attach does, and where the domain does not start.
    Nothing was changed then; after RESCUE_NOT_STARTED it was switched off. (virDomainCreateXML)
    """
    with _not_in_rescue(connection, name, dry_run) as domain:
        was_active = domain.is_active()
        if was_active and not force:
            raise power.RUNNING_BEFORE_RESCUE(name=domain.name)
        refuse_with_managed_save(domain, _OLD_MEMORY)
        before = domain.state()
        config = parse(domain.xml(Definition.CONFIG, secure=True))
        asked = _medium(connection, domain, config, medium, trust_format)
        disk = asked if dry_run else with_identifiers(asked)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        copy = rescue_document(config, disk, since=now, before=before if was_active else _wanted_state(domain, config))
        if adapt is not None:
            adapt(copy)
        changes = tuple(visible(compare_documents(config, copy)))
        nvram = NvramCopy(connection, config, copy)
        unseen = look_at_images(domain)
        own_start = look_before_start(domain, accept=accept, fresh=fresh, dry_run=dry_run)
        answer = ask_of_steps(connection, Step("have", config), Step("have", copy)) if dry_run else Answer()
        if not dry_run:
            _switch_over(domain, copy, nvram)
        found = copy.findall("devices/disk")[-1]
        rescued = Rescued(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            changes=changes,
            waits=own_start.sees,
            notes=(*own_start.notes, *nvram.notes, *folder_risks(connection, [disk]), *unseen),
            before=before,
            after=RUNNING if dry_run else domain.state(),
            switched_off=was_active,
            device=shown(found),
            label=label(found),
            address=describe_address(found),
            nvram_left=nvram.left,
        )
        return answer.noted_in(rescued)


def _wanted_state(domain: OpenDomain, config: Element) -> str:
    """The state to return to after the rescue of a domain that is off.

    "running" where it is recorded to run and its guest has not shut it down: a rescue may have been cut off after it
    had switched the domain off.
    """
    if fact(config, RunAgain) is None or (was_switched_off(domain, config) and not domain.was_destroyed()):
        return SHUT_OFF
    return RUNNING


@contextmanager
def _not_in_rescue(connection: Connection, name: str, dry_run: bool) -> Iterator[OpenDomain]:
    """The domain, unless it is in rescue: then what a killed rescue has left is removed, and this one is refused."""
    with changing(connection, name, needs=Need.CONFIG, dry_run=dry_run) as domain:
        if domain.in_rescue and not dry_run:
            remove_left_copy(domain)
        domain.refuse_unless(Need.OWN_HARDWARE)
        yield domain


def unrescue(
    connection: Connection,
    name: str,
    *,
    start: bool | None = None,
    fresh: Collection[str] = (),
    dry_run: bool = False,
) -> PowerChange:
    """Switch the rescue of the domain ``name`` off, and start the domain itself again if it ran before the rescue, or
    was recorded to run.

    ``start`` True and False override that. Where it has been started again already, what is missing from the record of
    that start is recorded. Raises NOT_IN_RESCUE, UNDEFINED_IN_RESCUE, MANAGED_SAVE where the start would restore that,
    STATE_GONE where its own state is lost and not of a kind in ``fresh``, IMAGE_MISSING, and RESCUE_ENDED_NOT_STARTED
    when the rescue is off and the domain does not start. (virDomainDestroyFlags, virDomainCreateWithFlags)
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        before, documents = domain.state(), domain.documents
        mark = documents.rescue
        if mark is None and documents.live is not None and unfinished_start(documents):
            recorded = record_missing(domain, dry_run=dry_run)
            return power_change(domain, before, dry_run, foreseen=before, recorded_now=recorded)
        if mark is None:
            condition = power.NOT_IN_RESCUE_OFF if documents.live is None else power.NOT_IN_RESCUE
            raise condition(name=domain.name, state=before)
        if documents.config is None:
            raise power.UNDEFINED_IN_RESCUE(name=domain.name)
        starts = mark.before != SHUT_OFF if start is None else start
        if starts:
            refuse_with_managed_save(domain, _OLD_MEMORY)
            refuse_lost_state(connection, domain.name, documents.config, fresh)
            refuse_missing_images(domain, documents.config.iterfind("devices/disk"))
        started = None if dry_run else _leave(domain, starts, fresh)
        foreseen = RUNNING if starts else SHUT_OFF
        return power_change(domain, before, dry_run, started, foreseen=foreseen, left_rescue=True)


def _leave(domain: OpenDomain, starts: bool, fresh: Collection[str]) -> ColdStart | None:
    remove_left_copy(domain)
    with recorded_stop(domain, for_good=not starts):
        domain.destroy()
    return _start_again(domain, fresh) if starts else None


def _start_again(domain: OpenDomain, fresh: Collection[str]) -> ColdStart:
    try:
        change = start_locked(domain, fresh=fresh)
    except NoConnection:  # nobody knows whether it runs
        raise
    except HoldfastError as error:
        raise power.RESCUE_ENDED_NOT_STARTED(name=domain.name, cause=error) from error
    return ColdStart(change.changes, change.outlooks, change.notes)


def _medium(
    connection: Connection, domain: OpenDomain, config: Element, medium: DiskSpec | str, trust_format: bool
) -> Element:
    """The element of the medium, checked, without an address and without what is chosen at random."""
    given = parse_device(medium) if isinstance(medium, str) else _from_spec(connection, config, medium)
    for place in given.findall("address"):
        given.remove(place)  # it gets the last one there is
    disk = complete_request(given, [config])
    if disk.tag != "disk" or disk.get("device", "disk") not in ("disk", "cdrom"):
        raise power.RESCUE_NO_DISK()
    if disk.find("source") is None:
        raise power.RESCUE_NO_IMAGE()
    taken = conflict(with_identifiers(disk), config)
    if taken is not None:
        raise power.RESCUE_TAKEN(what=taken[0], device=label(taken[1]))
    trust = trust_format or (isinstance(medium, DiskSpec) and medium.trust_format)
    check_source(connection, domain.uuid, disk, trust_format=trust)
    return disk


def _from_spec(connection: Connection, config: Element, spec: DiskSpec) -> Element:
    if spec.is_new:
        raise power.RESCUE_NEW_IMAGE()
    check_format_name(spec.format or "raw")
    bus = spec.bus or default_bus(spec.device, Platform.of(config).machine)
    named = spec if spec.serial or spec.device != "disk" else replace(spec, serial=NAME)
    return described_disk(named, existing_source(connection, spec), bus)


def _switch_over(domain: OpenDomain, copy: Element, nvram: NvramCopy) -> None:
    was_active = domain.is_active()
    if was_active:
        with recorded_stop(domain, for_good=False):
            domain.destroy()
    try:
        nvram.start(lambda: _start(domain, copy))
        domain.lacks = nvram.lacks or domain.lacks
    except NoConnection:  # nobody knows whether it runs
        raise
    except HoldfastError as error:
        if not was_active:
            raise
        raise power.RESCUE_NOT_STARTED(name=domain.name, cause=error) from error


def _start(domain: OpenDomain, copy: Element) -> None:
    """Start ``copy`` over the domain; let it run once libvirt is seen to have put everything where config has it."""
    try:
        domain.conceal(copy)
        domain.connection.start_from(serialize(copy))
        documents = domain.look_again()
        if documents.live is None or documents.config is None or documents.rescue is None:
            raise power.RESCUE_INTERRUPTED(name=domain.name)
        changes = without_rescue(compare_documents(copy, documents.live), documents.rescue)
        refuse_unasked(domain.name, changes, condition=power.RESCUE_CHANGED)
        domain.resume()
    except BaseException:
        with suppress(HoldfastError):
            if domain.look_again().rescue is not None:
                domain.destroy()
        raise
