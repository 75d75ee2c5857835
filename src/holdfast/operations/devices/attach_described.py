"""Attaching a disk or an interface that is described in words rather than in XML."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import replace

from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.elements.disk import default_bus, next_target
from holdfast.domainxml.elements.interface import new_interface
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.records.disk_record import has_image, left_in_making, recorded_disk, usual_role
from holdfast.errors import HoldfastError, NoConnection
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.devices.attach import (
    Attached,
    already_attached,
    attach_device,
    attach_element,
    carry_out_attach,
    expected_attach,
)
from holdfast.operations.devices.attach_plan import plan_attach
from holdfast.operations.devices.attach_record import begin_attach, begun_attach, settle_attach
from holdfast.operations.disks.folder_risk import folder_risks
from holdfast.operations.disks.keep_record import Making, image_in_making, remove_half_made
from holdfast.operations.disks.known_files import record_below
from holdfast.operations.disks.new import DEFAULT_POOL, described_disk, described_record, existing_source, plan_disk
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.documents import Documents, read
from holdfast.operations.session import Need, OpenDomain, changing


def attach_disk(
    connection: Connection,
    name: str,
    disk: DiskSpec,
    *,
    config_only: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Attached:
    """Attach ``disk`` to the domain ``name``; otherwise as :func:`attach_device`.

    An image that is made for it (``size``, ``copy_from``, ``overlay_of``) is recorded before it exists, and removed
    again when the attach fails. Repeating an attach that was interrupted finishes it. ``progress`` is called while it
    is uploaded to a pool.
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        before = domain.documents
        machine = Platform.of(next(iter(before.present.values()))).machine
        bus = disk.bus or default_bus(disk.device, machine)
        if disk.is_new:
            return _attach_new(domain, before, disk, bus, config_only, progress, dry_run)
        element = described_disk(disk, existing_source(connection, disk), bus)
        return attach_element(
            domain,
            element,
            config_only=config_only,
            trust_format=disk.trust_format,
            dry_run=dry_run,
            described=lambda attached: described_record(disk, attached, usual_role(attached)),
        )


def _attach_new(
    domain: OpenDomain,
    before: Documents,
    disk: DiskSpec,
    bus: str,
    config_only: bool,
    progress: Progress | None,
    dry_run: bool,
) -> Attached:
    finished = _finished(domain, before, disk, config_only, dry_run)
    if finished is not None:
        return finished
    connection, documents = domain.connection, list(before.present.values())
    left = {record.where: record for document in documents for record in left_in_making(document)}
    target = disk.target or next_target(bus, documents)
    planned = plan_disk(connection, disk, name=domain.name, target=target, bus=bus, left=left)
    attach = plan_attach(domain, planned.element, config_only=config_only, image_is_new=True)
    overlaid = folder_risks(connection, [], [disk.overlay_of])
    if dry_run:
        promised = expected_attach(domain, attach)
        return replace(promised, notes=(*promised.notes, *overlaid))
    if str(planned.image) in left:
        remove_half_made(domain, left[str(planned.image)])
    asked = planned.element
    planned = replace(planned, element=attach.request)  # which gets the image, once that is made
    settled = planned.record(usual_role(planned.element))
    making = planned.making(settled)
    in_making = image_in_making(domain, settled, place=making.place, format=making.format, size=disk.size)
    with in_making, ExitStack() as undo:
        planned.make(connection, undo, progress)
        entry = begin_attach(domain, attach, asked)
        try:
            attached = carry_out_attach(domain, attach, entry)
            settle_attach(domain, entry)
        except BaseException:
            if _is_attached(domain, making):
                undo.pop_all()
                with suppress(HoldfastError):  # the first error is raised; this is found when the attach is repeated
                    domain.look_again()
                    settle_attach(domain, entry)
            raise
        undo.pop_all()
    if disk.trust_format:
        record_below(domain, [planned.element])
    return replace(attached, notes=tuple(dict.fromkeys([*attached.notes, *overlaid])))


def _finished(
    domain: OpenDomain, before: Documents, disk: DiskSpec, config_only: bool, dry_run: bool
) -> Attached | None:
    """The end of an attach of such an image that was interrupted once the image was made; None where none was."""
    waiting = None if config_only else _waiting_for_live(before, disk)
    if waiting is not None:  # what its image was made from has been checked
        return attach_element(domain, waiting, trust_format=True, dry_run=dry_run)
    unsettled = _attached_before(before, disk, domain.targets(config_only))
    if unsettled is None:
        return None
    record, element = unsettled
    if not dry_run:
        settle_attach(domain, begun_attach(before, element))
        Making(domain, record, record.settled, ()).conclude(finished=True)
    return already_attached(domain, element, dry_run=dry_run)


def _waiting_for_live(before: Documents, disk: DiskSpec) -> Element | None:
    """The disk of an attach of such an image that was interrupted between config and live."""
    if before.live is None or before.config is None:
        return None
    for record in facts(before.config, DiskRecord):
        waits = record.in_making and has_image(before.config, record) and recorded_disk(before.live, record) is None
        if waits and _is_for(record, disk):
            return recorded_disk(before.config, record)
    return None


def _attached_before(
    before: Documents, disk: DiskSpec, targets: tuple[Definition, ...]
) -> tuple[DiskRecord, Element] | None:
    """The record and the disk of an attach of such an image that was interrupted when all documents had it."""
    concerned = [before.present[definition] for definition in targets]
    for record in (each for document in before.present.values() for each in facts(document, DiskRecord)):
        is_whole = record.in_making and not record.old and all(has_image(document, record) for document in concerned)
        element = recorded_disk(concerned[-1], record)
        if is_whole and element is not None and _is_for(record, disk):
            return record, element
    return None


def _is_for(record: DiskRecord, disk: DiskSpec) -> bool:
    pool, _, volume = record.where.partition("/")
    place = (disk.path or "") == record.where if not pool else (disk.pool or DEFAULT_POOL) == pool and not disk.path
    given = (disk.target, record.target), (disk.volume, volume), (disk.role, record.role), (disk.format, record.format)
    return (
        place
        and all(wanted in (None, there) for wanted, there in given)
        and (str(disk.size or ""), disk.made_from, disk.id or "") == (record.size, record.image, record.id)
    )


def _is_attached(domain: OpenDomain, making: DiskRecord) -> bool:
    """True when a document has the disk with its image; also where the connection broke and nobody can look."""
    try:
        return any(has_image(document, making) for document in read(domain).present.values())
    except NoConnection:
        return True


def attach_interface(
    connection: Connection, name: str, interface: InterfaceSpec, *, config_only: bool = False, dry_run: bool = False
) -> Attached:
    """Attach ``interface`` to the domain ``name``; otherwise as :func:`attach_device`."""
    element = new_interface(interface.kind, interface.source, mac=interface.mac, model=interface.model)
    return attach_device(connection, name, serialize(element), config_only=config_only, dry_run=dry_run)
