"""The live half of a migration: the guest runs on, and neither its memory nor its hardware is anything else afterwards.

This process leads it and speaks to both hosts (libvirt's managed direct migration), so the hosts need no way to each
other's libvirt. libvirt keeps one copy running whatever ends: a destination whose leader is gone ends its half, and the
source goes on.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.host.outlook import differs
from holdfast.domainxml.host.state_files import StateKind
from holdfast.errors import HoldfastError, Refused
from holdfast.errors.changes import HAS_SNAPSHOTS
from holdfast.errors.hosts import MOVE_TIMED_OUT, NOT_MOVED, POST_COPY_CRASHES
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.migration import JobNow, Transfer
from holdfast.operations.documents import Documents
from holdfast.operations.hosts.alone_here import alone_here
from holdfast.operations.hosts.arrived import refuse_other_guest
from holdfast.operations.hosts.destination import Arrival, DestinationHost
from holdfast.operations.hosts.images_there import ComingImages, coming_images, not_there_yet, remove_copies
from holdfast.operations.hosts.live.cut_off import told
from holdfast.operations.hosts.live.watched_move import WatchedMove
from holdfast.operations.hosts.moving import Migrated, MoveOptions, MoveProgress
from holdfast.operations.hosts.take_along import start_with_host, take_along
from holdfast.operations.own_state import look, state_of
from holdfast.operations.session import OpenDomain
from holdfast.operations.waiting import waiting


def move_live(
    domain: OpenDomain,
    destination: DestinationHost,
    options: MoveOptions,
    progress: MoveProgress | None,
    dry_run: bool,
) -> Migrated:
    """Move ``domain``, which runs and is locked.

    Raises HAS_SNAPSHOTS, NOT_SHARED, NOT_MOVED and MOVE_TIMED_OUT, after which it runs where it was; POST_COPY_CRASHES,
    MOVE_LEFT_PAUSED, MOVED_OTHERWISE, MOVE_CUT_OFF. (virDomainMigrate3)
    """
    if domain.snapshot_count():
        raise HAS_SNAPSHOTS(name=domain.name)
    before, autostart = domain.documents, domain.autostart()
    assert before.live is not None and before.config is not None
    stuck = migration.is_stuck_in_post_copy(domain)
    crashes = migration.crashes_on_resume(destination.connection)
    if stuck and crashes:
        raise POST_COPY_CRASHES(name=domain.name, uri=destination.connection.uri, version=_version(destination))
    coming = coming_images(domain, before.live, copied=options.copy_storage, overwrite=options.overwrite or stuck)
    if not stuck:
        alone = alone_here(domain.connection, before.live, destination.connection, coming.copied)
        coming = replace(coming, alone=tuple(alone))
        destination.refuse_taken(before.config)
    live = before.live if dry_run else parse(migration.migratable_xml(domain))
    judgement = destination.judge(before.config, live, coming)
    if not stuck:  # else half of it is there, in a QEMU that has taken it
        destination.refuse(domain.name, judgement)
    source, target = domain.connection, destination.connection
    job, notes = None, [*_left_here(source, before.config, coming.copied)]
    if options.post_copy and crashes:
        notes.append(f"libvirt {_version(destination)} there cannot go on with a post-copy that breaks off: 11.4 can")
    if not dry_run:
        transfer, made = _transfer(judgement, options, coming, stuck), not_there_yet(target, judgement.config, coming)
        job, said = _move(domain, target, transfer, options, progress, made)
        notes += said
        notes += _arrived(source, target, domain.uuid, before, autostart)
    return Migrated(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        notes=tuple(notes),
        waits=tuple(str(change) for change in waiting(before)),
        source=source.uri,
        destination=target.uri,
        live=True,
        taken=judgement.taken,
        copied=tuple(coming.copied),
        outlooks=tuple(each for each in judgement.outlooks if differs([each])),
        downtime=None if job is None else job.downtime,
    )


def _version(destination: DestinationHost) -> str:
    return ".".join(map(str, destination.connection.libvirt_version()))


def _arrived(source: Connection, target: Connection, uuid: str, before: Documents, autostart: bool) -> Iterator[str]:
    """Let the domain be at home where its guest is now, and prove that it is what it was; what is to be said of it."""
    there = target.find_domain(uuid)
    yield from start_with_host(there) if autostart else ()
    yield from take_along(source, target, uuid)
    refuse_other_guest(there, target, before)
    if not there.is_active():
        yield "its guest is shut off there: it has ended meanwhile, or its QEMU has died"


def _left_here(source: Connection, config: Element, copied: Collection[str]) -> Iterator[str]:
    """What stays on the host where the domain was, in sentences."""
    for disk in config.iterfind("devices/disk"):
        if label(disk) in copied:
            yield f"its image {source_of(disk)} stays where it was, too"
    for file in state_of(source, config):
        if file.kind is StateKind.NVRAM and look(source, file).there:
            yield f"its {file} stays on the host where it was, too: nothing uses it there"


def _transfer(judgement: Arrival, options: MoveOptions, coming: ComingImages, resume: bool) -> Transfer:
    assert judgement.live is not None
    live, config = (_whole(document, coming.copied) for document in (judgement.live, judgement.config))
    return Transfer(
        live=serialize(live),
        config=serialize(config),
        copied=tuple(coming.copied),
        tls=options.tls,
        auto_converge=options.auto_converge,
        post_copy=options.post_copy or resume,
        resume=resume,
        bandwidth=options.bandwidth,
    )


def _whole(document: Element, copied: Collection[str]) -> Element:
    """``document`` where the images that are ``copied`` rest on nothing: a copy has all that was below its image."""
    document = copy.deepcopy(document)
    for disk in document.iterfind("devices/disk"):
        for below in disk.findall("backingStore") if label(disk) in copied else ():
            disk.remove(below)
    return document


def _move(
    domain: OpenDomain,
    target: Connection,
    transfer: Transfer,
    options: MoveOptions,
    progress: MoveProgress | None,
    made: Collection[Element],
) -> tuple[JobNow | None, list[str]]:
    """Move it. Returns what libvirt says of the migration, and what else is to be said of it.

    The images of the disks that are ``made`` there for it go again where it is not there in the end.
    """
    moving = WatchedMove(domain, lambda: migration.migrate(domain, target, transfer), options, progress)
    try:
        moving.until_it_ends()
    except HoldfastError as error:
        is_said = error.exit_code == Refused.exit_code or error.code == MOVE_TIMED_OUT.code
        if (stands := error if is_said else told(domain, target, error)) is not None:
            if is_said or stands.code == NOT_MOVED.code:
                remove_copies(target, made)
            raise stands from (None if is_said else error)
    except KeyboardInterrupt:
        remove_copies(target, made)
        raise
    domain.config_change.is_gone, domain.config_change.end = True, EntryKind.MOVED
    notes = ["it was too late to cancel it: the guest ran there already"] if moving.was_too_late else []
    with suppress(HoldfastError):  # the guest is there, whether or not libvirt tells how long it stood still
        return migration.last_job(target.find_domain(domain.uuid)), notes
    return None, notes
