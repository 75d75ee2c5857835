"""Cloning a domain: the same hardware at the same places, with an identity and images of its own.

A clone is created, once, from the document of another: its identity is renewed in
:mod:`holdfast.domainxml.make.clone`.
"""

from __future__ import annotations

import copy
import uuid as uuids
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import PurePosixPath

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import describe, label
from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.disk import Source, host_path, is_shared, set_source, source_of, stated_format
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.make.clone import renew_identity
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.errors import HoldfastError, NotFound, PartlyDone, Refused
from holdfast.errors.guard import UNASKED_CLONE, UNASKED_CLONED
from holdfast.hostfiles import new_image
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.volume import volume_at, volume_named
from holdfast.operations.disks.new import PlannedDisk, plan_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.create import Created, check_new_name, create_planned, free_cid
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.power.start import start as start_domain
from holdfast.operations.session import OpenDomain, changing

_IDENTITY = ("uuid", "genid", "sysinfo/", "devices/interface", "devices/vsock/cid")
"""Where a clone differs from the other domain, for the guest."""


def clone_domain(
    connection: Connection,
    name: str,
    new_name: str,
    *,
    new_serials: bool = False,
    fresh_nvram: bool = False,
    without: Collection[str] = (),
    start: bool = False,
    dry_run: bool = False,
) -> Created:
    """Create ``new_name`` with the hardware of ``name``, which must be shut off, and copies of its images.

    New are UUID, MAC addresses, generation id, vsock CID and, asked for by ``new_serials``, serials and WWNs of disks;
    the TPM begins empty; the NVRAM is copied, or with ``fresh_nvram`` begins from its template. Every other device
    stays as it is, at its place. Images are copied beside the old ones, in the same pool or folder; what is read-only,
    shareable or removable is shared. ``without`` leaves out disks, by target.

    Raises Refused for a domain that runs or has saved memory, and for a disk that cannot be copied here; NotFound;
    otherwise as :func:`.create_domain.create_domain` does. (virDomainGetXMLDesc, virDomainDefineXMLFlags)
    """
    check_new_name(connection, new_name, dry_run)
    with changing(connection, name, dry_run=dry_run) as domain:
        _refuse_unsettled(domain)
        before = parse(domain.xml(Definition.CONFIG, secure=True))
        after = copy.deepcopy(before)
        uuid = str(uuids.uuid4())
        cid = free_cid(connection, after)
        notes = renew_identity(after, name=new_name, uuid=uuid, serials=new_serials, vsock_cid=cid)
        _leave_out(after, domain.name, without)
        planned = [
            _plan_copy(connection, before, disk, domain.name, new_name)
            for disk in after.iterfind("devices/disk")
            if not is_shared(disk) and disk.get("device", "disk") == "disk" and source_of(disk) is not None
        ]
        if after.find("devices/tpm/backend[@type='emulator']") is not None:
            notes.append("its TPM begins empty: what the other guest sealed with its own cannot be opened here")
        asked = _asked(new_serials, without)
        refuse_unasked(new_name, compare_documents(before, after), asked, condition=UNASKED_CLONE)
        last = _copy_nvram(connection, after, domain.name, new_name, fresh_nvram)
        created = create_planned(connection, after, planned, notes, start=False, dry_run=dry_run, last=last)
        if dry_run:
            return created
        defined = compare_documents(before, parse(created.document))
        try:
            refuse_unasked(new_name, defined, asked, condition=UNASKED_CLONED)
            if start:
                start_domain(connection, created.uuid)
        except HoldfastError as error:
            raise PartlyDone(f"{new_name!r} is cloned; {error.message}", error.hint) from error
    return created


def _refuse_unsettled(domain: OpenDomain) -> None:
    if not domain.is_persistent():
        raise Refused(f"the domain {domain.name!r} is transient: it has no document to clone")
    if domain.is_active():
        raise Refused(
            f"the domain {domain.name!r} is running: copies of its images would not be whole",
            f"'holdfast shutdown {domain.name}' first",
        )
    if domain.has_managed_save():
        raise Refused(
            f"the domain {domain.name!r} has saved memory, without which its images are as after a power cut",
            f"'holdfast start {domain.name}' and shut it down first",
        )


def _leave_out(domain: Element, name: str, without: Collection[str]) -> None:
    parent = domain.find("devices")
    disks = {label(disk): disk for disk in domain.iterfind("devices/disk")}
    for target in without:
        if target not in disks or parent is None:
            raise NotFound(f"the domain {name!r} has no disk {target!r}", f"it has {', '.join(disks)}")
        parent.remove(disks.pop(target))


def _plan_copy(connection: Connection, before: Element, disk: Element, name: str, new_name: str) -> PlannedDisk:
    """The copy of one image: at the same place under another name, of the same format, and nothing below it."""
    pool, volume = value_at(disk, "source@pool"), value_at(disk, "source@volume")
    path, target = host_path(disk), label(disk)
    if disk.find("encryption") is not None or disk.find("source/encryption") is not None:
        raise Refused(f"{describe(disk)} is encrypted, and is not copied", f"leave it out: --without {target}")
    found = volume_at(connection, path) if path is not None else volume_named(connection, pool or "", volume or "")
    if found is not None and pool is None:
        pool, volume = found.pool_name(), found.path.rpartition("/")[2]
    if (pool is None or found is None) and (path is None or disk.get("type") == "block"):
        raise Refused(
            f"{describe(disk)} is on {source_of(disk)}, which cannot be copied here",
            f"leave it out (--without {target}) and attach another one",
        )
    format = stated_format(disk)
    record = disk_record(before, disk)
    spec = DiskSpec(
        path=None if pool else _renamed(path or "", name, new_name, target),
        pool=pool,
        volume=_renamed(volume or "", name, new_name, target) if pool else None,
        format=format,
        copy_from=path or (found.path if found is not None else ""),
        source_format=format,
        # What it rests on is the domain's own. Raw: the guest writes the first bytes, and a pool believes them.
        trust_format=format != "raw",
        role=(record.role if record is not None else "") or None,
        delete_with_domain={"yes": True, "no": False}.get(record.delete) if record is not None else None,
    )
    plan = plan_disk(connection, spec, name=new_name, target=target, bus=value_at(disk, "target@bus") or "virtio")
    set_source(disk, Source(plan.element.get("type", "file"), plan.element.find("source")))
    for below in disk.findall("backingStore"):
        disk.remove(below)
    return PlannedDisk(disk, spec, plan.image)


def _renamed(path: str, name: str, new_name: str, target: str) -> str:
    """A path or volume of the clone: the old name in it replaced, else named after the clone and the disk."""
    folder, slash, file = path.rpartition("/")
    return (
        f"{folder}{slash}{file.replace(name, new_name, 1) if name in file else f'{new_name}-{target}{_ending(file)}'}"
    )


def _ending(file: str) -> str:
    return PurePosixPath(file).suffix


def _copy_nvram(
    connection: Connection, domain: Element, name: str, new_name: str, fresh: bool
) -> Callable[[ExitStack], None] | None:
    """Name the NVRAM of the clone, and return what copies it there; None where there is nothing to copy."""
    path, node = nvram_of(domain), domain.find("os/nvram")
    if path is None or node is None:
        return None
    if not connection.is_local:
        raise Refused("an NVRAM can be copied only on its own host", "run 'holdfast clone' there, or add --fresh-nvram")
    folder, _, file = path.rpartition("/")
    new = f"{folder}/{file.replace(name, new_name, 1) if name in file else f'{new_name}_VARS.fd'}"
    node.text = new
    new_image.refuse_existing(new)

    def copy_file(undo: ExitStack) -> None:
        if new_image.copy_file(path, new):
            undo.callback(new_image.remove, new)

    return None if fresh else copy_file


def _asked(new_serials: bool, without: Collection[str]) -> Callable[[Change], bool]:
    """What a clone differs in: its identity, and the disks that were left out."""
    serials = ("devices/disk/serial", "devices/disk/wwn", "devices/disk") if new_serials else ()
    left_out = {f"disk {target}" for target in without}

    def asked(change: Change) -> bool:
        if change.kind is ChangeKind.REMOVED and change.what in left_out:
            return True
        return change.where.startswith(_IDENTITY) or (change.where in serials and change.kind is not ChangeKind.REMOVED)

    return asked
