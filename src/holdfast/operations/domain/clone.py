"""Cloning a domain: the same hardware at the same places, with an identity and images of its own.

A clone is created, once, from the document of another: its identity is renewed in
:mod:`holdfast.domainxml.make.clone`.
"""

from __future__ import annotations

import copy
import uuid as uuids
from collections.abc import Callable, Collection, Container
from contextlib import ExitStack
from functools import partial
from pathlib import PurePosixPath

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import describe, label
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.disk import Source, host_path, is_shared, set_source, source_of, stated_format
from holdfast.domainxml.elements.firmware import nvram_of, set_nvram
from holdfast.domainxml.fact import Below
from holdfast.domainxml.host.state_files import StateKind
from holdfast.domainxml.make.aliases import name_devices
from holdfast.domainxml.make.clone import renew_identity
from holdfast.domainxml.make.identifiers import identifiers
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.errors import HoldfastError, NotFound, Refused, images
from holdfast.errors import creation as errors
from holdfast.errors.disks import NO_DISK
from holdfast.errors.guard import UNASKED_CLONE, UNASKED_CLONED
from holdfast.hostfiles.images import new_image
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.permission import may_create_in, may_open
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.volume import volume_at, volume_named
from holdfast.operations.disks.known_files import about_attached_image, known_files
from holdfast.operations.disks.missing_image import refuse_missing_images
from holdfast.operations.disks.new import PlannedDisk, plan_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.documents import read_config
from holdfast.operations.domain.create import check_new_name, free_cid, not_startable
from holdfast.operations.domain.make import Created, NewDomain, make_domain
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.image_access import volume_of_file
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import refuse_lost_state
from holdfast.operations.session import Need, changing

_IDENTITY = ("uuid", "genid", "sysinfo/", "devices/interface", "devices/vsock/cid")
"""Where a clone differs from the other domain, for the guest."""


_NOT_COPIED = tuple(
    condition.code
    for condition in (
        images.NOT_RAW,
        images.ANOTHER_FORMAT,
        images.NOT_OF_FORMAT,
        images.VOLUME_OF_ANOTHER_FORMAT,
        images.BACKING_FORMAT_NOT_STATED,
        images.UNCHECKED_HEADER,
        images.RESTS_ELSEWHERE,
    )
)
"""What is wrong with an image for which a clone has nothing to be told, as a new disk has."""


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

    Raises TRANSIENT, RUNNING, MANAGED_SAVE, IMAGE_MISSING, NO_DISK for a disk to be left out that is not there,
    NOT_STARTABLE_HERE where it is to ``start`` and could not, ENCRYPTED_NOT_CLONED, NOT_CLONED_HERE, IMAGE_NOT_CLONED,
    NVRAM_ELSEWHERE and NVRAM_NOT_READABLE for what cannot be copied, STATE_GONE for an NVRAM that is lost, and as
    :func:`.create.create_domain` does.
    (virDomainGetXMLDesc, virDomainDefineXMLFlags)
    """
    check_new_name(connection, new_name, dry_run, to_start=start)
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG | Need.OFF, dry_run=dry_run) as domain:
        refuse_with_managed_save(domain, "without that memory its images are as after a power cut")
        before = read_config(domain, secure=True)
        asked = _asked(new_serials, without)
        known = known_files(domain)
        try:
            new = _plan(connection, before, new_name, new_serials, fresh_nvram, without, known, start)
        except NotFound:
            own = (disk for disk in before.iterfind("devices/disk") if _is_own(disk) and label(disk) not in without)
            refuse_missing_images(domain, own)
            raise
        refuse_unasked(new_name, compare_documents(before, new.document), asked, condition=UNASKED_CLONE)
        prove = partial(_prove, before, new_name, asked)
        return make_domain(connection, new, start=start, dry_run=dry_run, prove=prove)


def _plan(
    connection: Connection,
    before: Element,
    new_name: str,
    new_serials: bool,
    fresh_nvram: bool,
    without: Collection[str],
    known: Container[str] | None,
    start: bool,
) -> NewDomain:
    """The clone of the domain with the document ``before``, decided and not made."""
    name = before.findtext("name") or ""
    after = copy.deepcopy(before)
    _leave_out(after, name, without)
    cid = free_cid(connection, after)
    notes = renew_identity(after, name=new_name, uuid=str(uuids.uuid4()), serials=new_serials, vsock_cid=cid)
    name_devices(after)
    notes += not_startable(connection, after, start, is_new=False)
    own = [disk for disk in after.iterfind("devices/disk") if _is_own(disk)]
    disks = [_plan_copy(connection, before, disk, new_name, known) for disk in own]
    if after.find("devices/tpm/backend[@type='emulator']") is not None:
        notes.append("its TPM begins empty: what the other guest sealed with its own cannot be opened here")
    return NewDomain(
        document=after,
        disks=disks,
        stated=frozenset(identifiers(before)),
        notes=notes,
        below=facts(before, Below),
        other_files=_copy_nvram(connection, before, after, fresh_nvram),
    )


def _prove(before: Element, new_name: str, asked: Callable[[Change], bool], clone: Element, is_made: bool) -> None:
    """Compare what libvirt made of the clone, or would make of it, with the other domain.

    Raises CLONED_IN_PART, and UNASKED_CLONE where nothing is made.
    """
    if not is_made:
        refuse_unasked(new_name, compare_documents(before, clone), asked, condition=UNASKED_CLONE)
        return
    try:
        refuse_unasked(new_name, compare_documents(before, clone), asked, condition=UNASKED_CLONED)
    except HoldfastError as error:
        raise errors.CLONED_IN_PART(name=new_name, cause=error) from error


def _leave_out(domain: Element, name: str, without: Collection[str]) -> None:
    parent = domain.find("devices")
    disks = {label(disk): disk for disk in domain.iterfind("devices/disk")}
    for target in without:
        if target not in disks or parent is None:
            raise NO_DISK(name=name, target=target, known=list(disks))
        parent.remove(disks.pop(target))


def _is_own(disk: Element) -> bool:
    """True for a disk whose image the clone has a copy of."""
    return not is_shared(disk) and disk.get("device", "disk") == "disk" and source_of(disk) is not None


def _plan_copy(
    connection: Connection, before: Element, disk: Element, new_name: str, known: Container[str] | None
) -> PlannedDisk:
    """The copy of one image: at the same place under another name, of the same format, and nothing below it."""
    spec, format = _describe_copy(connection, before, disk, new_name), stated_format(disk)
    if format == "raw":
        known = ()  # the guest writes the first bytes, and a pool believes them
    bus = value_at(disk, "target@bus") or "virtio"
    try:
        with about_attached_image(before.findtext("name") or ""):
            plan = plan_disk(connection, spec, name=new_name, target=label(disk), bus=bus, known=known)
            if plan.image is not None and plan.image.in_pool is None:
                with open_for_qemu_img(spec.made_from, format, known):
                    pass
    except Refused as error:
        if error.code not in _NOT_COPIED:
            raise
        raise errors.IMAGE_NOT_CLONED(device=describe(disk), target=label(disk), cause=error) from error
    set_source(disk, Source(plan.element.get("type", "file"), plan.element.find("source")))
    for below in disk.findall("backingStore"):
        disk.remove(below)
    return PlannedDisk(disk, spec, plan.image)


def _describe_copy(connection: Connection, before: Element, disk: Element, new_name: str) -> DiskSpec:
    """The copy of the image of ``disk``, as somebody could ask for it."""
    if disk.find("encryption") is not None or disk.find("source/encryption") is not None:
        raise errors.ENCRYPTED_NOT_CLONED(device=describe(disk), target=label(disk))
    path, pool, volume = _place(connection, disk)
    format = stated_format(disk)
    record = disk_record(before, disk)

    def renamed(old: str) -> str:
        return _renamed(old, before.findtext("name") or "", new_name, f"-{label(disk)}{PurePosixPath(old).suffix}")

    return DiskSpec(
        path=None if pool else renamed(path),
        pool=pool,
        volume=renamed(volume) if pool else None,
        format=format,
        copy_from=path,
        source_format=format,
        role=(record.role if record is not None else "") or None,
        delete_with_domain={"yes": True, "no": False}.get(record.delete) if record is not None else None,
    )


def _place(connection: Connection, disk: Element) -> tuple[str, str | None, str]:
    """Where the image of ``disk`` is: its path, and its pool and volume where a pool has it. Raises NOT_CLONED_HERE."""
    path, pool, volume = host_path(disk), value_at(disk, "source@pool"), value_at(disk, "source@volume")
    if path is None:
        found = volume_named(connection, pool or "", volume or "")
    else:
        is_ours = may_create_in(str(PurePosixPath(path).parent))
        found = volume_at(connection, path) if is_ours else volume_of_file(connection, path)
    if found is not None:
        return path or found.path, pool or found.pool_name(), volume or found.path.rpartition("/")[2]
    if path is None or disk.get("type") == "block":
        raise errors.NOT_CLONED_HERE(device=describe(disk), source=source_of(disk), target=label(disk))
    return path, pool, volume or ""


def _copy_nvram(
    connection: Connection, before: Element, domain: Element, fresh: bool
) -> Callable[[ExitStack], None] | None:
    """Name the NVRAM of the clone after its UUID, and return what copies it there; None where nothing is to be copied.

    Raises NVRAM_ELSEWHERE, NVRAM_NOT_READABLE, and STATE_GONE where what is to be copied is lost.
    """
    path = nvram_of(domain)
    if path is None:
        return None
    if not connection.is_local and not fresh:
        raise errors.NVRAM_ELSEWHERE()
    refuse_lost_state(connection, before.findtext("name") or "", before, [*StateKind] if fresh else [StateKind.TPM])
    if not fresh and new_image.file_exists(path) is not False and not may_open(path):
        raise errors.NVRAM_NOT_READABLE(path=path)
    old = PurePosixPath(path)
    new = str(old.with_name(f"{domain.findtext('uuid')}_VARS{old.suffix}"))
    set_nvram(domain, new)

    def copy_file(undo: ExitStack) -> None:
        if (made := new_image.copy_file(path, new)) is not None:
            undo.callback(made.remove)

    return None if fresh else copy_file


def _renamed(path: str, name: str, new_name: str, ending: str) -> str:
    """A path or volume of the clone: the old name in its last part replaced, else the new name with ``ending``."""
    folder, slash, file = path.rpartition("/")
    return f"{folder}{slash}{file.replace(name, new_name, 1) if name in file else f'{new_name}{ending}'}"


def _asked(new_serials: bool, without: Collection[str]) -> Callable[[Change], bool]:
    """What a clone differs in: its identity, the disks that were left out, and what libvirt boots in their place."""
    serials = ("devices/disk/serial", "devices/disk/wwn", "devices/disk") if new_serials else ()
    left_out = {f"disk {target}" for target in without}

    def asked(change: Change) -> bool:
        if change.kind is ChangeKind.REMOVED and change.what in left_out:
            return True
        if left_out and change.where.startswith("os/boot"):
            return True
        return change.where.startswith(_IDENTITY) or (change.where in serials and change.kind is not ChangeKind.REMOVED)

    return asked
