"""Attaching a disk or an interface that is described in words rather than in XML."""

from __future__ import annotations

from contextlib import ExitStack

from holdfast.domainxml.disk import default_bus, new_disk, next_target
from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.interface import new_interface
from holdfast.domainxml.sides import value_at
from holdfast.errors import PartlyDone
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.attach_device import Attached, attach_device
from holdfast.operations.device_spec import DiskSpec, InterfaceSpec
from holdfast.operations.documents import read
from holdfast.operations.new_disk import existing_source, plan_disk


def attach_disk(
    connection: Connection, name: str, disk: DiskSpec, *, config_only: bool = False, dry_run: bool = False
) -> Attached:
    """Attach ``disk`` to the domain ``name``; all else is as :func:`attach_device` has it.

    An image that is made for it (``size``, ``copy_from``, ``overlay_of``) is removed again when the attach fails.
    """
    if disk.is_new:
        return _attach_new(connection, name, disk, config_only, dry_run)
    element = new_disk(
        existing_source(connection, disk),
        target=disk.target,
        bus=disk.bus or _usual_bus(connection.find_domain(name), disk),
        format=disk.format or "raw",
        device=disk.device,
        serial=disk.serial,
        cache=disk.cache,
        discard=disk.discard,
        readonly=disk.readonly,
        shareable=disk.shareable,
    )
    return _attach(connection, name, element, disk, config_only, dry_run)


def _attach_new(connection: Connection, name: str, disk: DiskSpec, config_only: bool, dry_run: bool) -> Attached:
    domain = connection.find_domain(name)
    documents = read(domain).all()
    bus = disk.bus or _usual_bus(domain, disk)
    target = disk.target or next_target(bus, documents.values())
    planned = plan_disk(connection, disk, name=domain.name, target=target, bus=bus)
    if dry_run:
        return Attached(serialize(planned.element), target, None, tuple(documents))
    with ExitStack() as undo:
        planned.make(connection, undo)
        try:
            attached = _attach(connection, name, planned.element, disk, config_only, dry_run)
        except PartlyDone:
            undo.pop_all()
            raise
        undo.pop_all()
        return attached


def _usual_bus(domain: Domain, disk: DiskSpec) -> str:
    document = next(iter(read(domain).all().values()))
    return default_bus(disk.device, value_at(document, "os/type@machine") or "")


def _attach(
    connection: Connection, name: str, element: Element, disk: DiskSpec, config_only: bool, dry_run: bool
) -> Attached:
    return attach_device(
        connection,
        name,
        serialize(element),
        config_only=config_only,
        trust_format=disk.trust_format or disk.is_new,  # what it was made from has been checked
        dry_run=dry_run,
    )


def attach_interface(
    connection: Connection, name: str, interface: InterfaceSpec, *, config_only: bool = False, dry_run: bool = False
) -> Attached:
    """Attach ``interface`` to the domain ``name``; all else is as :func:`attach_device` has it."""
    element = new_interface(interface.kind, interface.source, mac=interface.mac, model=interface.model)
    return attach_device(connection, name, serialize(element), config_only=config_only, dry_run=dry_run)
