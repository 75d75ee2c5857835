"""Attaching a disk or an interface that is described in words rather than in XML."""

from __future__ import annotations

from holdfast.domainxml.disk import block_source, file_source, new_disk, volume_source
from holdfast.domainxml.document import serialize
from holdfast.domainxml.interface import new_interface
from holdfast.errors import UsageError
from holdfast.hostfiles.image import is_block_device
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.attach_device import Attached, attach_device
from holdfast.operations.device_spec import DiskSpec, InterfaceSpec


def attach_disk(
    connection: Connection, name: str, disk: DiskSpec, *, config_only: bool = False, dry_run: bool = False
) -> Attached:
    """Attach ``disk`` to the domain ``name``; all else is as :func:`attach_device` has it.

    Its image must exist. Raises UsageError (2) when it describes one that is to be made.
    """
    if disk.is_new:
        raise UsageError("a disk to attach needs an image that exists", "make it first: qemu-img create -f qcow2 …")
    if disk.path is not None:
        is_block = connection.is_local and is_block_device(disk.path)
        source = block_source(disk.path) if is_block else file_source(disk.path)
    else:
        source = volume_source(disk.pool or "", disk.volume or "")
    element = new_disk(
        source,
        target=disk.target,
        bus=disk.bus or "virtio",
        format=disk.format or "raw",
        device=disk.device,
        serial=disk.serial,
        cache=disk.cache,
        discard=disk.discard,
        readonly=disk.readonly,
        shareable=disk.shareable,
    )
    return attach_device(
        connection,
        name,
        serialize(element),
        config_only=config_only,
        trust_format=disk.trust_format,
        dry_run=dry_run,
    )


def attach_interface(
    connection: Connection, name: str, interface: InterfaceSpec, *, config_only: bool = False, dry_run: bool = False
) -> Attached:
    """Attach ``interface`` to the domain ``name``; all else is as :func:`attach_device` has it."""
    element = new_interface(interface.kind, interface.source, mac=interface.mac, model=interface.model)
    return attach_device(connection, name, serialize(element), config_only=config_only, dry_run=dry_run)
