"""The live half of a migration: the guest runs on, and neither its memory nor its hardware is anything else afterwards.

This process leads it and speaks to both hosts (libvirt's managed direct migration), so the hosts need no way to each
other's libvirt. libvirt keeps one copy running whatever ends: a destination whose leader is gone ends its half, and the
source goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.domainxml.host.outlook import differs
from holdfast.errors import HoldfastError, Refused
from holdfast.errors.hosts import MOVE_TIMED_OUT
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.migration import JobNow, Transfer
from holdfast.operations.hosts.arrived import refuse_other_guest
from holdfast.operations.hosts.cut_off import told
from holdfast.operations.hosts.destination import Arrival, DestinationHost
from holdfast.operations.hosts.moving import Migrated, MoveOptions, MoveProgress, MoveStatus
from holdfast.operations.hosts.take_along import take_along
from holdfast.operations.session import OpenDomain
from holdfast.operations.waiting import waiting
from holdfast.text import size_in_words

_LOOK = 0.25
"""Seconds between two looks at how far it is."""


def move_live(
    domain: OpenDomain,
    destination: DestinationHost,
    options: MoveOptions,
    progress: MoveProgress | None,
    dry_run: bool,
) -> Migrated:
    """Move ``domain``, which runs and is locked.

    Raises NOT_SHARED, NOT_MOVED and MOVE_TIMED_OUT, after which it runs where it was; MOVE_LEFT_PAUSED,
    MOVED_OTHERWISE, MOVE_CUT_OFF. (virDomainMigrate3)
    """
    before, autostart = domain.documents, domain.autostart()
    assert before.live is not None and before.config is not None
    copied = tuple(_copied(before.live)) if options.copy_storage else ()
    stuck = migration.is_stuck_in_post_copy(domain)
    if not stuck:
        destination.refuse_taken(before.config)
    live = parse(migration.migratable_xml(domain))
    judgement = destination.judge(before.config, live, copied)
    destination.refuse(domain.name, judgement)
    transfer = _transfer(judgement, options, copied, stuck)
    job = None if dry_run else _move(domain, destination, transfer, options, progress)
    source, target = domain.connection, destination.connection
    notes = () if dry_run else take_along(source, target, domain.uuid, autostart=autostart)
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
        copied=copied,
        outlooks=tuple(each for each in judgement.outlooks if differs([each])),
        downtime=None if job is None else job.downtime,
    )


def _copied(live: Element) -> Iterator[str]:
    """The disks whose images are files or devices of the source, which the guest alone writes to."""
    for disk in live.iterfind("devices/disk"):
        if source_of(disk) and not is_shared(disk) and disk.get("type") != "network":
            yield label(disk)


def _transfer(judgement: Arrival, options: MoveOptions, copied: tuple[str, ...], resume: bool) -> Transfer:
    assert judgement.live is not None
    return Transfer(
        live=serialize(judgement.live),
        config=serialize(judgement.config),
        copied=copied,
        tls=options.tls,
        auto_converge=options.auto_converge,
        post_copy=options.post_copy or resume,
        resume=resume,
        bandwidth=options.bandwidth,
    )


def _move(
    domain: OpenDomain,
    destination: DestinationHost,
    transfer: Transfer,
    options: MoveOptions,
    progress: MoveProgress | None,
) -> JobNow | None:
    """Move it, and prove that it is there as it was here. Returns what libvirt says of the migration."""
    before, target = domain.documents, destination.connection
    call = _Call(lambda: migration.migrate(domain, target, transfer))
    try:
        _Watch(domain, call, options, progress).until_it_ends()
    except HoldfastError as error:
        if error.exit_code == Refused.exit_code or error.code == MOVE_TIMED_OUT.code:
            raise
        if (what_stands := told(domain, target, error)) is not None:
            raise what_stands from error
    domain.config_change.is_gone, domain.config_change.end = True, EntryKind.MOVED
    there = target.find_domain(domain.uuid)
    refuse_other_guest(there, target, before)
    with suppress(HoldfastError):
        return migration.last_job(there)
    return None


class _Call:
    """A call that blocks for as long as a migration takes, in a thread of its own."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        # Python (3.11) takes a thread for ended whose join() was interrupted.
        self._has_ended = threading.Event()
        threading.Thread(target=self._run, name="holdfast-migration", daemon=True).start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._error = error
        finally:
            self._has_ended.set()

    def ended(self, seconds: float) -> bool:
        """Wait for its end, so long."""
        return self._has_ended.wait(seconds)

    def result(self) -> None:
        """Wait for its end, and raise what it raised."""
        self._has_ended.wait()
        if self._error is not None:
            raise self._error


class _Watch:
    """Watching a migration until it ends, and ending it on Ctrl-C or when its time is over."""

    def __init__(self, domain: Domain, call: _Call, options: MoveOptions, progress: MoveProgress | None) -> None:
        self._domain = domain
        self._call = call
        self._options = options
        self._progress = progress
        self._runs_there = False
        self._end = None if options.timeout is None else time.monotonic() + options.timeout

    def until_it_ends(self) -> None:
        """Raises MOVE_TIMED_OUT, and what the call raises; after a Ctrl-C KeyboardInterrupt with what became of it."""
        while True:
            try:
                self._watch()
                return self._call.result()
            except KeyboardInterrupt as interrupt:
                if self._runs_there:  # libvirt refuses to cancel it, and the guest needs the rest
                    continue
                if self._cancelled():
                    interrupt.add_note(f"the migration was cancelled: {self._domain.name} is where it was")
                    raise

    def _watch(self) -> None:
        job: JobNow | None = None
        while not self._call.ended(_LOOK):
            with suppress(HoldfastError):  # it is just ending: the call itself says how
                job = migration.job_now(self._domain) or job
            if job is None:
                continue
            if self._progress is not None:
                self._progress(_status(job))
            if self._options.post_copy and not self._runs_there and job.rounds > 1:
                with suppress(HoldfastError):
                    migration.start_post_copy(self._domain)
                    self._runs_there = True
            if self._end is not None and not self._runs_there and time.monotonic() > self._end and self._cancelled():
                seconds, left = self._options.timeout, size_in_words(job.remaining)
                raise MOVE_TIMED_OUT(name=self._domain.name, seconds=seconds, left=left)

    def _cancelled(self) -> bool:
        """End the migration; False where it was over by then, and the guest is there. (virDomainAbortJob)"""
        with suppress(HoldfastError):
            migration.abort(self._domain)
        try:
            self._call.result()
        except HoldfastError:
            return True
        return False


def _status(job: JobNow) -> MoveStatus:
    return MoveStatus(remaining=job.remaining, total=job.total, rate=job.rate, downtime=job.downtime)
