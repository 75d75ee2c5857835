"""Mending the host side of a domain: what its hardware is provided with, and never the hardware itself.

Each fault that is found is a :class:`Fault`: a sentence, and the act that mends it, or none where only a person can. An
image is looked for where the record of its disk says, as long as the document still names what was recorded; nothing is
guessed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import describe, find_device, label
from holdfast.domainxml.document import Element, child, parse, remove_children, serialize, value_at
from holdfast.domainxml.elements.disk import (
    Source,
    block_source,
    file_source,
    host_path,
    is_optional,
    is_shared,
    set_source,
    source_of,
    stated_format,
)
from holdfast.domainxml.fact import DiskRecord, Pivoting, Snapshotting
from holdfast.domainxml.host.volume import pool_folder
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.records.disk_record import has_recorded_volume, is_of, on_volume
from holdfast.errors import Failed, HoldfastError, LibvirtRefused, NoConnection, NotFound, disks, power
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.image import file_identity, real_path
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.hostfiles.permission import lacks_permission, permit
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.provisions import (
    Presence,
    inactive_pools,
    network_presence,
    pool_presence,
    refresh_pool,
    start_network,
    start_pool,
)
from holdfast.libvirtapi.volume import volume_named
from holdfast.operations.asked_of_libvirt import Step, ask_of_steps
from holdfast.operations.disk_source import check_source, local_path
from holdfast.operations.disks.image_size import in_pool
from holdfast.operations.disks.keep_record import disk_record, record_disk
from holdfast.operations.disks.known_files import known_files, record_below
from holdfast.operations.disks.missing_image import images_missing
from holdfast.operations.disks.new import existing_source
from holdfast.operations.disks.newest_image import (
    forget_pivot,
    is_pivot_unsettled,
    overlays_written,
    written_elsewhere,
)
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.facts import forget_fact
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.provides import NOT_MENDABLE, HostProvides
from holdfast.operations.image_access import by_pool, sees_our_files
from holdfast.operations.proved_edit import apply_edit, ask_of_edit, plan_edit
from holdfast.operations.session import Need, OpenDomain


@dataclass(frozen=True)
class Fault:
    """One fault: a sentence on what is done about it, and ``mend``, which does so; None where nothing can be done here.

    ``check`` changes nothing, and raises what ``mend`` would raise, as far as that is known beforehand.
    """

    sentence: str
    mend: Callable[[], None] | None = None
    check: Callable[[], object] | None = None


@dataclass(frozen=True)
class HostSide:
    """What was mended, or in a dry run would be, and what ``remains``, in sentences."""

    mended: tuple[str, ...] = ()
    remains: tuple[str, ...] = ()


def mend_host_side(domain: OpenDomain, sources: Mapping[str, str] | None = None, *, dry_run: bool = False) -> HostSide:
    """Mend what can be mended of the host side of ``domain``; the caller holds its lock.

    ``sources`` says where the images of disks are now, by target: a path, POOL/VOLUME or URL; each keeps its format.
    Nothing of what a guest sees is changed. Raises TRANSIENT, NO_DISK for a target that no disk has, IMAGE_IN_PLACE for
    a disk whose image is where it was. (virNetworkCreate, virStoragePoolCreate, virStoragePoolRefresh,
    virDomainUpdateDeviceFlags, virDomainDefineXMLFlags)
    """
    mended, remains = [], []
    domain.refuse_unless(Need.CONFIG)
    config = domain.documents.config
    assert config is not None
    known = {label(disk) for disk in config.iterfind("devices/disk")}
    if unknown := set(sources or {}) - known:
        raise disks.NO_DISK(name=domain.name, target=min(unknown), known=sorted(known) or "none")
    for fault in _faults(domain, config, sources or {}):
        if fault.mend is None:
            remains.append(fault.sentence)
            continue
        try:
            if dry_run:
                if fault.check is not None:
                    fault.check()
            else:
                fault.mend()
                domain.done_besides.append(f"mended: {fault.sentence}")
            mended.append(fault.sentence)
        except NoConnection:
            raise
        except HoldfastError as error:
            remains.append(f"{fault.sentence}: {error.message}")
    return HostSide(tuple(mended), tuple(remains))


def _faults(domain: OpenDomain, config: Element, sources: Mapping[str, str]) -> Iterator[Fault]:
    """All faults, each looked for when those before it are mended: a pool must run before its volumes can be seen."""
    connection = domain.connection
    yield from _emulator(domain, config)
    yield from _networks(connection, config)
    for disk in config.iterfind("devices/disk"):
        target = label(disk)
        if target in sources:
            place = DiskSpec.at(sources[target], format=_format_of(config, disk, sources[target]))
            new = _placed(disk, existing_source(connection, place), place.format or "raw")
            _refuse_another(domain, disk, new)
            yield _use_named_image(domain, disk, new)
        else:
            yield from (
                each for each in _of_disk(domain, config, disk) if each.mend is not None or not is_optional(disk)
            )
    for outlook in HostProvides(connection).missing(config, NOT_MENDABLE):
        if outlook.stops:
            yield Fault(outlook.sentence)


def _of_disk(domain: OpenDomain, config: Element, disk: Element) -> Iterator[Fault]:
    if disk.get("type") == "volume":
        yield from _volume(domain.connection, disk)
    elif (path := host_path(disk)) is not None and sees_our_files(domain.connection):
        yield from _image(domain, config, disk, path)


def _format_of(config: Element, disk: Element, place: str) -> str:
    """The format of the image at ``place``: the disk's own, unless it was made in another one and is recorded."""
    recorded = {pivot.new: pivot.format for pivot in facts(config, Pivoting)}
    recorded.update((entry.file, "qcow2") for entry in facts(config, Snapshotting))
    return recorded.get(place) or stated_format(disk)


def _refuse_another(domain: OpenDomain, disk: Element, new: Element) -> None:
    """A repair finds the image that a disk had, or what its guest switched to; giving it another one is somebody's
    wish, and another command.
    """
    connection = domain.connection
    path, place = local_path(connection, disk), local_path(connection, new)
    if path is None or not file_exists(path) or is_pivot_unsettled(domain, disk):
        return
    rests_on = () if place is None else (place, *_below(connection, place))
    if file_identity(path) not in map(file_identity, rests_on) and place not in written_elsewhere(domain):
        raise power.IMAGE_IN_PLACE(device=describe(disk), path=path)


def _below(connection: Connection, path: str) -> list[str]:
    """What the image ``path`` rests on, as far as this user can see."""
    with suppress(Failed):
        return files_below(path, elsewhere=True, otherwise=by_pool(connection))
    return []


def _networks(connection: Connection, config: Element) -> Iterator[Fault]:
    names = [source.get("network", "") for source in config.iterfind("devices/interface[@type='network']/source")]
    for name in dict.fromkeys(names):
        presence = network_presence(connection, name)
        if presence is Presence.INACTIVE:
            yield Fault(f"start the network {name!r}", partial(start_network, connection, name))
        elif presence is Presence.MISSING:
            yield Fault(f"there is no network {name!r}: define it, or put the interface on another one")


def _pool(connection: Connection, name: str) -> Iterator[Fault]:
    presence = pool_presence(connection, name)
    if presence is Presence.INACTIVE:
        yield Fault(f"start the storage pool {name!r}", lambda: start_pool(connection, name))
    elif presence is Presence.MISSING:
        yield Fault(f"there is no storage pool {name!r}")


def _volume(connection: Connection, disk: Element) -> Iterator[Fault]:
    pool, volume = value_at(disk, "source@pool") or "", value_at(disk, "source@volume") or ""
    yield from _pool(connection, pool)
    if pool_presence(connection, pool) is Presence.ACTIVE and volume_named(connection, pool, volume) is None:
        refresh_pool(connection, pool)
        if volume_named(connection, pool, volume) is None:
            yield Fault(f"{describe(disk)}: the pool {pool!r} has no volume {volume!r}")


def _image(domain: OpenDomain, config: Element, disk: Element, path: str) -> Iterator[Fault]:
    if any(each.stops for each in images_missing(domain.connection, domain, domain.documents, [disk])):
        yield from _missing_image(domain, config, disk, path)
    write = not is_shared(disk) or disk.find("shareable") is not None
    if lacks_permission(path, write):
        yield Fault(
            f"allow the owner of {path} to {'read and write' if write else 'read'} it", lambda: permit(path, write)
        )


def _missing_image(domain: OpenDomain, config: Element, disk: Element, path: str) -> Iterator[Fault]:
    connection = domain.connection
    record = disk_record(config, disk)
    is_its = record is not None and has_recorded_volume(record, disk)
    recorded, _, volume = (record.volume if record is not None and is_its else "").partition("/")
    files = (path, *_below(connection, path))
    for pool in inactive_pools(connection):
        folder = pool_folder(pool.xml)
        if pool.name == recorded or (folder and any(each.startswith(f"{folder}/") for each in files)):
            yield Fault(f"start the storage pool {pool.name!r}", partial(start_pool, connection, pool.name))
    if recorded and file_exists(path) is False and pool_presence(connection, recorded) is Presence.ACTIVE:
        refresh_pool(connection, recorded)
        found = volume_named(connection, recorded, volume)
        if found is not None and found.path != path:
            source = block_source(found.path) if found.kind() == "block" else file_source(found.path)
            yield _give_image(domain, disk, _placed(disk, source, stated_format(disk)))
            return
    for outlook in images_missing(connection, domain, domain.documents, [disk]):
        if outlook.stops:
            yield Fault(outlook.sentence)


def _use_named_image(domain: OpenDomain, disk: Element, new: Element) -> Fault:
    """Give ``disk`` the image of ``new``, its newest as the user says; what that is based on is listed and recorded."""
    path = host_path(new)
    below = _below(domain.connection, path) if path is not None and domain.connection.is_local else []
    fault = _give_image(domain, disk, new, below)
    left = [entry for entry in overlays_written(domain, new) if entry.file != path]

    def mend() -> None:
        assert fault.mend is not None
        fault.mend()
        record_below(domain, [new] if below else [])
        forget_pivot(domain, label(disk))
        config = domain.documents.config
        entries = [] if config is None else facts(config, Snapshotting)
        known = [entry for entry in entries if entry in left or entry.file in (path, host_path(disk))]
        broken = {entry.snapshot for entry in known}
        for entry in entries:
            if entry in known or (entry.snapshot in broken and file_exists(entry.file) is False):
                forget_fact(domain, entry, Definition.CONFIG)

    rests = "".join(f", which rests on {each}" for each in below)
    given_up = "".join(f"; {entry.file} stays, and no longer belongs to the disk" for entry in left)
    return Fault(f"{fault.sentence}{rests}{given_up}", mend, fault.check)


def _placed(disk: Element, source: Source, format: str) -> Element:
    """``disk`` with its image at ``source``, and else as it is."""
    new = copy.deepcopy(disk)
    set_source(new, source)
    remove_children(new, "backingStore")
    if format != stated_format(disk):
        child(new, "driver").set("type", format)
    return new


def _give_image(domain: OpenDomain, disk: Element, new: Element, below: Sequence[str] = ()) -> Fault:
    """Let ``disk`` be as ``new``, with another image, which rests on nothing unknown, or on ``below``."""
    source = new.find("source")
    place = "another place" if source is None else " ".join(map(str, source.attrib.values()))
    known = {real_path(each) if each.startswith("/") else each for each in below} if below else known_files(domain)

    def mend() -> None:
        check_source(domain.connection, domain.uuid, new, known=known or ())
        before = parse(domain.xml(Definition.CONFIG))
        domain.update(serialize(new), Definition.CONFIG)
        after = parse(domain.xml(Definition.CONFIG))
        if find_device(after, new) is None:
            raise power.DISK_GONE(device=describe(disk))
        try:
            refuse_unasked(domain.name, compare_documents(before, after))
        except HoldfastError:
            domain.update(serialize(disk), Definition.CONFIG)
            raise
        _record_place(domain, new)

    def check() -> None:
        check_source(domain.connection, domain.uuid, new, known=known or ())
        config = domain.documents.config
        assert config is not None  # what a repair needs
        answer = ask_of_steps(domain.connection, Step("have", config), Step("update", new))
        if answer.documents:
            refuse_unasked(domain.name, compare_documents(*answer.documents))

    return Fault(f"{describe(disk)}: its image is at {place}", mend, check)


def _record_place(domain: OpenDomain, disk: Element) -> None:
    """Record the volume that ``disk`` has now, if anything is recorded of it."""
    config = domain.documents.config
    record = None if config is None else next((each for each in facts(config, DiskRecord) if is_of(each, disk)), None)
    if record is not None and (not record.in_making or (record.place == source_of(disk) and not record.old)):
        now = on_volume(record.settled, disk, in_pool(domain.connection, disk))
        record_disk(domain, now, [Definition.CONFIG] if now != record else [])


def _emulator(domain: OpenDomain, config: Element) -> Iterator[Fault]:
    """An emulator that this host does not have, after a move or an upgrade: libvirt's own choice takes its place."""
    platform = Platform.of(config)
    path = platform.emulator
    if not path or not domain.connection.is_local or file_exists(path) is not False:
        return
    try:
        found = host_capabilities(domain.connection, platform._replace(emulator="")).emulator
    except (LibvirtRefused, NotFound) as error:
        yield Fault(f"there is no emulator {path}, and the host has no other for this domain: {error.message}")
        return

    def touch(document: Element) -> None:
        child(child(document, "devices"), "emulator").text = found

    yield Fault(
        f"use the emulator {found} in place of {path}",
        lambda: apply_edit(domain, plan_edit(domain, touch)),
        lambda: ask_of_edit(domain, plan_edit(domain, touch)),
    )
