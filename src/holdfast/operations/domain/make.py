"""Making a domain, once everything about it is decided: the one moment at which libvirt is given its hardware.

First a domain of this name is defined that has no devices and records which images are being made. Then the images are
made, and the whole document replaces the first one in one step. A failure on the way removes all of it again. After a
crash the record says which images are left, and deleting the domain with its storage removes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.describe.summary import DeviceLine, device_lines
from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, devices, parse, serialize
from holdfast.domainxml.elements.firmware import describe_firmware, nvram_of
from holdfast.domainxml.fact import Below, Creating, DiskRecord
from holdfast.domainxml.host.cpu_model import describe_cpu
from holdfast.domainxml.host.state_files import name_nvram
from holdfast.domainxml.make.aliases import alias_stem, name_devices
from holdfast.domainxml.make.identifiers import identifiers, without_identifiers
from holdfast.domainxml.make.new_domain import unfinished_domain
from holdfast.domainxml.metadata import fact, facts, same_subject, set_facts
from holdfast.domainxml.places.pci import hotplug_places
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.records.disk_record import is_of
from holdfast.domainxml.records.origin import guess_records
from holdfast.domainxml.secret_parts import Shown, secrets_of, shown_indented, shown_text
from holdfast.errors import HoldfastError, NoConnection, NotFound, NotRecorded
from holdfast.errors.creation import (
    CREATED_NOT_STARTED,
    CREATED_OTHERWISE,
    CREATED_UNSEALED,
    CREATION_CUT_OFF,
    NOT_AS_GIVEN,
)
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.asked_of_libvirt import Answer, ask_libvirt
from holdfast.operations.change_record import record_change
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.disks.new import PlannedDisk
from holdfast.operations.domain.adopt import adoption_of, now
from holdfast.operations.domain.delete import take_back_creation
from holdfast.operations.domain.unasked_parts import UnaskedParts, unasked_parts
from holdfast.operations.domain_name import refuse_taken, taking_name
from holdfast.operations.own_state import folders_of, look, state_of
from holdfast.operations.power.start import start as start_domain
from holdfast.operations.power_record import record_outcome, run_again_from_now
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.results import Result
from holdfast.operations.session import changing
from holdfast.operations.truthful_errors import concealing, telling_what_was_done


@dataclass(frozen=True, kw_only=True)
class Created(Result):
    """A new domain. In a dry run ``uuid`` is "" where it is yet to be chosen.

    ``document``           its config document without secrets; in a dry run the one it would have, also without what
                           is chosen at random when it is made: UUID and generation id, MAC addresses, serials that were
                           not given
    ``machine``            the versioned machine type
    ``cpu``, ``firmware``  in words; in a dry run the CPU can be "libvirt's default"
    ``nvram``              the path of its UEFI variables; None with BIOS, and where it is yet to be chosen
    ``devices``            those that a person asks for; without an address where libvirt is yet to choose it
    ``free_places``        how many PCI devices can be attached while it runs; None where libvirt is not asked in a dry
                           run: it has no places yet
    ``changes``            of a document that was handed in: see :class:`.unasked_parts.UnaskedParts`
    ``brought``            the devices that libvirt adds to what was asked for, with their places
    ``images``             what was made for it: paths, or POOL/VOLUME
    ``started``            True where it was started
    """

    document: Shown
    machine: str
    cpu: str
    firmware: str
    nvram: str | None
    devices: tuple[DeviceLine, ...]
    free_places: int | None
    images: tuple[str, ...]
    brought: tuple[str, ...] = ()
    started: bool = False


@dataclass(frozen=True, kw_only=True)
class NewDomain:
    """A domain of which everything is decided, and nothing made yet.

    ``document``    whole, and sealed
    ``given``       the document as somebody handed it in, with the identifiers that it did not state
    ``as_is``       True where libvirt is to make exactly this document, with no record of ours
    ``disks``       those that were planned here; some need an image to be made
    ``stated``      identifiers that somebody stated, as opposed to those chosen at random
    ``notes``       what cannot be sealed and what else is worth knowing, in sentences
    ``below``       files that its images rest on and that were accepted because they are trusted
    ``other_files`` makes the other files that its document names, right before the define: a copied NVRAM
    ``history``     joins what was recorded of it elsewhere to the history of this host, right after the define
    """

    document: Element
    given: Element | None = None
    as_is: bool = False
    disks: Sequence[PlannedDisk] = ()
    stated: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    below: Sequence[Below] = ()
    other_files: Callable[[ExitStack], None] | None = None
    history: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        """Its name."""
        return self.document.findtext("name") or ""

    @property
    def uuid(self) -> str:
        """Its UUID."""
        return self.document.findtext("uuid") or ""

    @property
    def makes_files(self) -> bool:
        """True where files are made before it is defined."""
        return bool(self.images) or self.other_files is not None

    @property
    def images(self) -> tuple[str, ...]:
        """What is to be made: paths, or POOL/VOLUME."""
        return tuple(str(disk.image) for disk in self.disks if disk.image is not None)


def make_domain(
    connection: Connection,
    new: NewDomain,
    *,
    start: bool,
    dry_run: bool,
    progress: Progress | None = None,
    prove: Callable[[Element, bool], None] = lambda _made, _is_made: None,
) -> Created:
    """Make the images of ``new``, define its document, read back what libvirt made of it, ``prove`` that, and start it.

    ``prove`` is given a document, and whether it is made, or what libvirt would make in a dry run. ``progress`` is
    called while an image is uploaded.

    Raises DOMAIN_EXISTS where the name or UUID is taken, what making an image raises, and LibvirtRefused; then nothing
    is left. Raises CREATION_CUT_OFF where the connection breaks at the wrong moment, CREATED_NOT_STARTED where it
    stands and does not start; NOT_AS_GIVEN, CREATED_OTHERWISE and CREATED_UNSEALED where libvirt makes more of it.
    (virDomainDefineXMLFlags, virDomainCreateWithFlags)
    """
    notes = [*new.notes, *_settle_state(connection, new)]
    if not new.as_is:
        wish = [run_again_from_now()] if start else []
        set_facts(new.document, adoption_of("holdfast"), *_records(new), *new.below, *wish)
    elif start:
        notes.append("nothing is recorded of it, so it stays off after the host has booted, unless it is adopted")
    besides = [nvram_of(new.document), *(disk.spec.overlay_of for disk in new.disks)]
    notes += folder_risks(connection, new.document.iterfind("devices/disk"), besides)
    new = replace(new, notes=notes)
    with concealing(lambda: secrets_of(new.document)):
        if dry_run:
            refuse_taken(connection, new.uuid)
        answer = ask_libvirt(connection, new.document) if dry_run or new.as_is else Answer()
        if answer.document is not None and new.as_is:
            _prove_as_given(new, answer.document)
        if dry_run:
            if answer.document is not None:
                prove(answer.document, False)
            return answer.noted_in(_foreseen(connection, new, answer.document, start))
        defined = _make_and_define(connection, new, progress)
        with telling_what_was_done(new.name, lambda: ["it is created"]):
            new.history()
            return _finish(connection, new, defined, start, prove)


def _finish(
    connection: Connection, new: NewDomain, defined: Domain, start: bool, prove: Callable[[Element, bool], None]
) -> Created:
    """What :func:`make_domain` does with a domain that is ``defined``."""
    if new.as_is:
        _prove_as_given(new, parse(defined.xml(Definition.CONFIG), "domain"), is_made=True)
    text = _named(connection, new, defined)
    config = parse(text, "domain")
    unasked = unasked_parts(connection, new.document, new.given, config)
    prove(config, True)
    if start:
        _start(connection, defined)
    return _result(new, config, shown_text(text), unasked, free_places=len(hotplug_places(config)), started=start)


def _foreseen(connection: Connection, new: NewDomain, made: Element | None, start: bool) -> Created:
    """What :func:`make_domain` will return. ``made`` is what libvirt would have, where it was asked."""
    domain = new.document if made is None else made
    if not new.as_is:
        name_devices(domain)
    unasked = UnaskedParts() if made is None else unasked_parts(connection, new.document, new.given, made)
    promised = without_identifiers(domain, but=new.stated)
    unasked = unasked.without(identifiers(domain) - new.stated)
    places = None if made is None else len(hotplug_places(made))
    text = shown_indented(promised)
    return _result(new, promised, text, unasked, free_places=places, started=start, dry_run=True)


def _prove_as_given(new: NewDomain, made: Element, *, is_made: bool = False) -> None:
    """Raise NOT_AS_GIVEN where the guest would see of ``made`` anything but what the document says; CREATED_OTHERWISE
    where it ``is_made`` already.
    """
    if changes := visible(compare_documents(new.document, made)):
        condition = CREATED_OTHERWISE if is_made else NOT_AS_GIVEN
        raise condition(name=new.name, changes=changes)


def _named(connection: Connection, new: NewDomain, defined: Domain) -> str:
    """The config document, in which what libvirt added at the define has an alias of ours too.

    Raises CREATED_UNSEALED.
    """
    text = defined.xml(Definition.CONFIG, secure=True)
    config = parse(text, "domain")
    nameless = [each for each in devices(config) if alias_stem(each) is not None and user_alias(each) is None]
    if new.as_is or not nameless:
        record_change(connection, defined.uuid, None, lambda: config)
        return text
    try:
        with changing(connection, defined.uuid) as domain:
            domain.config_change.is_new = True
            apply_edit(domain, plan_edit(domain, name_devices))
            return domain.xml(Definition.CONFIG, secure=True)
    except HoldfastError as error:
        raise CREATED_UNSEALED(name=defined.name, cause=error) from error


def _settle_state(connection: Connection, new: NewDomain) -> Iterator[str]:
    """Name its NVRAM, where its document does not; what of its state is there already is used, and said."""
    folders = folders_of(connection)
    if folders is not None:
        name_nvram(new.document, folders)
    for file in state_of(connection, new.document):
        if look(connection, file).there:
            yield f"its {file} exists already, and is used"


def _records(new: NewDomain) -> list[DiskRecord]:
    """What is to be recorded of each disk: what was said, else what the document itself records, else a guess."""
    records = []
    for guess in guess_records(new.document):
        said = [disk.record(guess.role) for disk in new.disks if is_of(guess, disk.element)]
        known = [old for old in facts(new.document, DiskRecord) if same_subject(old, guess) and not old.place]
        records.append(next(iter([*said, *known]), guess))
    return records


def _make_and_define(connection: Connection, new: NewDomain, progress: Progress | None) -> Domain:
    with domain_lock(new.uuid, new.name, connection.lock_timeout):
        refuse_taken(connection, new.uuid)
        try:
            with ExitStack() as undo:
                if new.makes_files:
                    _make_images(connection, new, undo, progress)
                if new.other_files is not None:
                    new.other_files(undo)
                return _define(connection, new, undo)
        except NoConnection as error:
            raise CREATION_CUT_OFF(uuid=new.uuid, cause=error) from error


def _make_images(connection: Connection, new: NewDomain, undo: ExitStack, progress: Progress | None) -> None:
    """Make the images; before the first of them exists, libvirt knows of them all, and of an NVRAM to be made."""
    unfinished = unfinished_domain(new.document, with_nvram=new.other_files is not None)
    making = [disk.making(disk.record("")) for disk in new.disks if disk.image is not None]
    set_facts(unfinished, Creating(now()), *making)
    undo.push(lambda kind, _error, _trace: take_back_creation(connection, new.uuid, kind is KeyboardInterrupt))
    with taking_name(connection, new.name, new.uuid):
        connection.define(serialize(unfinished))
    for disk in new.disks:
        disk.make(connection, undo, progress)


def _define(connection: Connection, new: NewDomain, undo: ExitStack) -> Domain:
    """Define, and keep the images from then on: also when the answer was lost, or came together with a Ctrl-C."""
    wanted = () if new.makes_files else (new.name, new.uuid)  # else the unfinished domain has them by now
    try:
        with taking_name(connection, *wanted):
            defined = connection.define(serialize(new.document))
    except NoConnection:
        undo.pop_all()
        raise
    except KeyboardInterrupt:
        if _is_whole(connection, new.uuid):
            undo.pop_all()
        raise
    undo.pop_all()
    return defined


def _is_whole(connection: Connection, uuid: str) -> bool:
    """False for a domain that does not exist, or whose creation is not finished (virDomainGetXMLDesc)."""
    try:
        return fact(parse(connection.find_domain(uuid).xml(Definition.CONFIG)), Creating) is None
    except NotFound:
        return False


def _start(connection: Connection, domain: Domain) -> None:
    try:
        start_domain(connection, domain.uuid)
    except NotRecorded:
        raise
    except NoConnection as error:
        raise CREATION_CUT_OFF(uuid=domain.uuid, cause=error) from error
    except HoldfastError as error:
        with suppress(HoldfastError), changing(connection, domain.uuid) as created:
            record_outcome(created)
        raise CREATED_NOT_STARTED(name=domain.name, cause=error) from error


def _result(
    new: NewDomain,
    domain: Element,
    document: Shown,
    unasked: UnaskedParts,
    *,
    free_places: int | None,
    started: bool = False,
    dry_run: bool = False,
) -> Created:
    return Created(
        name=domain.findtext("name") or "",
        uuid=domain.findtext("uuid") or "",
        dry_run=dry_run,
        changes=unasked.changes,
        notes=tuple(new.notes),
        document=document,
        machine=Platform.of(domain).machine,
        cpu=describe_cpu(domain),
        firmware=describe_firmware(domain),
        nvram=nvram_of(domain),
        devices=tuple(device_lines(domain)),
        free_places=free_places,
        images=new.images,
        brought=unasked.brought,
        started=started,
    )
