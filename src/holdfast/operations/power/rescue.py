"""Rescue: another medium is booted on the very hardware of a domain, and leaving it leaves nothing behind.

An edited copy of the config document is started over the domain, which libvirt keeps for that one run
(virDomainCreateXML): config is not touched, so whatever ends the run, the next start is the domain's own. The copy
starts paused, and runs only once it is seen that libvirt put everything where config has it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.elements.disk import default_bus
from holdfast.domainxml.make.attach_request import complete, conflict, parse_device
from holdfast.domainxml.make.rescue import rescue_document, without_rescue
from holdfast.domainxml.places.behind_all import BUSES as BUSES
from holdfast.domainxml.platform import Platform
from holdfast.errors import Failed, HoldfastError, PartlyDone, Refused, UsageError
from holdfast.hostfiles.image import check_format_name
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.new import described_disk, existing_source
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.documents import read
from holdfast.operations.guard import look_before_start, record_foreign_start, refuse_unasked
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.power.rescue_nvram import NvramCopy
from holdfast.operations.power.start import PowerChange, start_locked
from holdfast.operations.proved_edit import Touch
from holdfast.operations.rescue_mark import in_rescue, refuse_in_rescue
from holdfast.operations.run_again import unwant

NAME = "rescue"
"""The serial of a rescue medium where none is given: what the rescue system finds itself by."""

_OLD_MEMORY = "the next start would restore old memory over changed disks"


@dataclass(frozen=True)
class Rescued:
    """A rescue that was started, or with ``dry_run`` would be.

    ``device`` is the element of the rescue medium, ``label`` its target, ``address`` its place in words. ``changes``
    are sentences on what the rescue system finds that config does not have, ``guest_changes`` on what the guest itself
    will find at its next start (as for a start), ``notes`` on what else is worth knowing.
    """

    name: str
    uuid: str
    before: str
    after: str
    device: str
    label: str
    address: str | None
    changes: tuple[str, ...]
    guest_changes: tuple[str, ...]
    notes: tuple[str, ...]
    dry_run: bool


def rescue(
    connection: Connection,
    name: str,
    medium: DiskSpec | str,
    *,
    trust_format: bool = False,
    force: bool = False,
    accept: bool = False,
    adapt: Touch | None = None,
    dry_run: bool = False,
) -> Rescued:
    """Boot the domain ``name`` from ``medium``, with all its own hardware at its places.

    ``medium`` is an existing image or a ``<disk>`` element; its bus is virtio, usb, sata, scsi or ide. It is the last
    of the devices and the first that is booted. ``force`` switches a running domain off first, which is Refused
    otherwise; ``accept`` then takes changes of its hardware that wait in config. A UEFI guest's NVRAM is copied for
    the rescue; a TPM's state is the guest's own. ``adapt`` may change the document that is started for the rescue.

    Raises Refused (3) for a running or transient domain, one in rescue, one with a managed-save image, and where no
    place is free; NotFound (4), UsageError (2) and Failed (1) as an attach does, and where the domain does not start.
    Nothing was changed then; PartlyDone (5): it was switched off, and the rescue did not start. (virDomainCreateXML)
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        _check(domain, force)
        before = domain.state()
        config = parse(domain.xml(Definition.CONFIG, secure=True))
        disk = _medium(connection, domain, config, medium, trust_format)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        copy = rescue_document(config, disk, since=now, before=before if domain.is_active() else "shut off")
        if adapt is not None:
            adapt(copy)
        changes = tuple(map(str, visible(compare_documents(config, copy))))
        nvram = NvramCopy(connection, config, copy)
        guest_changes = look_before_start(connection, domain, accept=accept, dry_run=dry_run)
        if not dry_run:
            _switch_over(connection, domain, copy, nvram)
        found = copy.findall("devices/disk")[-1]
        return Rescued(
            domain.name,
            domain.uuid,
            before,
            before if dry_run else domain.state(),
            serialize(found),
            label(found),
            describe_address(found),
            changes,
            guest_changes,
            nvram.notes,
            dry_run,
        )


def unrescue(connection: Connection, name: str, *, start: bool | None = None, dry_run: bool = False) -> PowerChange:
    """Switch the rescue of the domain ``name`` off, and start the domain itself again if it ran before the rescue.

    ``start`` True and False decide that otherwise. Raises Failed (1) for a domain that is not in rescue, Refused (3)
    where the start would restore a managed-save image, PartlyDone (5) when the rescue is off and the domain does not
    start. (virDomainDestroyFlags, virDomainCreateWithFlags)
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        before, documents = domain.state(), read(domain)
        mark = documents.rescue
        if mark is None:
            hint = f"'holdfast start {domain.name}' starts it as its own self" if documents.live is None else None
            raise Failed(f"the domain {domain.name!r} is not in rescue, it is {before}", hint)
        if documents.config is None:
            raise Refused(
                f"the domain {domain.name!r} was undefined while in rescue: nothing would be left to start",
                f"'holdfast destroy {domain.name}' ends the rescue, and with it the domain",
            )
        starts = mark.before != "shut off" if start is None else start
        if starts:
            refuse_with_managed_save(domain, _OLD_MEMORY)
        changes: tuple[str, ...] = ()
        if not dry_run:
            if not starts:
                unwant(domain)
            domain.destroy()
            if starts:
                changes = _start_again(connection, domain)
        return PowerChange(
            domain.name, domain.uuid, before, domain.state(), dry_run, guest_changes=changes, left_rescue=True
        )


def _start_again(connection: Connection, domain: Domain) -> tuple[str, ...]:
    try:
        return start_locked(connection, domain).guest_changes
    except HoldfastError as error:
        raise PartlyDone(
            f"the rescue of {domain.name!r} was switched off, but the domain does not start: {error.message}",
            f"its config document is unchanged; remove the cause, then 'holdfast start {domain.name}'",
        ) from error


def _check(domain: Domain, force: bool) -> None:
    refuse_in_rescue(domain)
    if not domain.is_persistent():
        raise Refused(
            f"the domain {domain.name!r} is transient: it has no config document to come back to",
            f"'virsh dumpxml --security-info {domain.name}' shows the only document it has",
        )
    if domain.is_active() and not force:
        raise Refused(
            f"the domain {domain.name!r} is running",
            f"'holdfast shutdown {domain.name}' first, or --force to switch it off as pulling the plug does",
        )
    refuse_with_managed_save(domain, _OLD_MEMORY)


def _medium(
    connection: Connection, domain: Domain, config: Element, medium: DiskSpec | str, trust_format: bool
) -> Element:
    """The element of the medium, checked and without an address."""
    given = parse_device(medium) if isinstance(medium, str) else _from_spec(connection, config, medium)
    for place in given.findall("address"):
        given.remove(place)  # it gets the last one there is
    disk = complete(given, [config])
    if disk.tag != "disk" or disk.get("device", "disk") not in ("disk", "cdrom"):
        raise UsageError("a rescue medium is a disk or a CD", "device=disk or device=cdrom")
    if disk.find("source") is None:
        raise UsageError("a rescue needs an image to boot from", "path=… or volume=POOL/NAME")
    taken = conflict(disk, config)
    if taken is not None:
        raise Refused(f"{taken[0]} is taken by {label(taken[1])} of the domain itself", "choose another")
    trust = trust_format or (isinstance(medium, DiskSpec) and medium.trust_format)
    check_source(connection, domain.uuid, disk, trust_format=trust)
    return disk


def _from_spec(connection: Connection, config: Element, spec: DiskSpec) -> Element:
    if spec.is_new:
        raise UsageError("a rescue medium is an image that exists already", "path=… or volume=POOL/NAME")
    check_format_name(spec.format or "raw")
    bus = spec.bus or default_bus(spec.device, Platform.of(config).machine)
    named = spec if spec.serial or spec.device != "disk" else replace(spec, serial=NAME)
    return described_disk(named, existing_source(connection, spec), bus)


def _switch_over(connection: Connection, domain: Domain, copy: Element, nvram: NvramCopy) -> None:
    was_active = domain.is_active()
    if was_active:
        record_foreign_start(domain)
        domain.destroy()
    try:
        nvram.start(lambda: _start(connection, domain, copy))
    except HoldfastError as error:
        if not was_active:
            raise
        raise PartlyDone(
            f"the domain {domain.name!r} was switched off, but its rescue does not start: {error.message}",
            f"'holdfast start {domain.name}' starts it as it was; or remove the cause and repeat the rescue",
        ) from error


def _start(connection: Connection, domain: Domain, copy: Element) -> None:
    """Start ``copy`` over the domain; let it run once libvirt is seen to have put everything where config has it."""
    try:
        connection.start_copy(serialize(copy))
        documents = read(domain)
        if documents.live is None or documents.config is None or documents.rescue is None:
            raise Failed(f"somebody else stopped or undefined {domain.name!r} while it was started")
        changes = without_rescue(compare_documents(copy, documents.live), documents.rescue)
        refuse_unasked(domain.name, changes, hint="it was switched off again; report this, with 'holdfast xml'")
        domain.resume()
    except BaseException:
        with suppress(HoldfastError):
            if in_rescue(domain):
                domain.destroy()
        raise
