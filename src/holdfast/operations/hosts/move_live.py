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

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.domainxml.host.outlook import differs
from holdfast.errors import HoldfastError, NoConnection, NotFound
from holdfast.errors.hosts import MOVE_CUT_OFF, MOVE_LEFT_PAUSED, MOVE_TIMED_OUT, MOVED_OTHERWISE, NOT_MOVED
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.migration import JobNow, Transfer
from holdfast.operations.documents import Documents, read
from holdfast.operations.hosts.destination import Arrival, DestinationHost
from holdfast.operations.hosts.moving import Migrated, MoveOptions, MoveProgress, MoveStatus
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
    before = domain.documents
    assert before.live is not None and before.config is not None
    copied = tuple(_copied(before.live)) if options.copy_storage else ()
    destination.refuse_taken(before.config)
    live = parse(migration.migratable_xml(domain))
    judgement = destination.judge(before.config, live, copied)
    destination.refuse(domain.name, judgement)
    job = None if dry_run else _move(domain, destination, _transfer(judgement, options, copied), options, progress)
    return Migrated(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        waits=tuple(str(change) for change in waiting(before)),
        source=domain.connection.uri,
        destination=destination.connection.uri,
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


def _transfer(judgement: Arrival, options: MoveOptions, copied: tuple[str, ...]) -> Transfer:
    assert judgement.live is not None
    return Transfer(
        live=serialize(judgement.live),
        config=serialize(judgement.config),
        copied=copied,
        tls=options.tls,
        auto_converge=options.auto_converge,
        post_copy=options.post_copy,
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
        _watch(domain, call, options, progress)
        call.result()
    except NoConnection as error:
        raise MOVE_CUT_OFF(name=domain.name, uri=target.uri, cause=error) from error
    except HoldfastError as error:
        raise _what_stands(domain, error) from error
    domain.config_change.is_gone, domain.config_change.end = True, EntryKind.MOVED
    there = target.find_domain(domain.uuid)
    _prove(there, target, before)
    with suppress(HoldfastError):
        return migration.last_job(there)
    return None


def _what_stands(domain: OpenDomain, error: HoldfastError) -> HoldfastError:
    """The error to raise for a migration that failed with ``error``: it says how the domain is now."""
    domain.changed()
    if error.exit_code == 3 or error.code == MOVE_TIMED_OUT.code:
        return error
    with suppress(NotFound):
        if migration.is_left_by_move(domain):
            return MOVE_LEFT_PAUSED(name=domain.name, cause=error)
        return NOT_MOVED(name=domain.name, state=domain.state(), cause=error)
    return error


def _prove(there: Domain, target: Connection, before: Documents) -> None:
    """Raise MOVED_OTHERWISE where either document there is not what it was for the guest."""
    after = read(there)
    found = [
        f"{definition}: {change}"
        for definition, old in before.present.items()
        if (new := after.get(definition)) is not None
        for change in visible(compare_documents(old, new))
    ]
    if found:
        raise MOVED_OTHERWISE(name=there.name, uri=target.uri, changes=found)


class _Call:
    """A call that blocks for as long as a migration takes, in a thread of its own."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="holdfast-migration", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._error = error

    def ended(self, seconds: float) -> bool:
        """Wait for its end, so long."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> None:
        """Wait for its end, and raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error


def _watch(domain: Domain, call: _Call, options: MoveOptions, progress: MoveProgress | None) -> None:
    """Until the call ends: tell how far it is, and end the migration on Ctrl-C or when its time is over."""
    begun, switched, job = time.monotonic(), False, None
    try:
        while not call.ended(_LOOK):
            with suppress(HoldfastError):  # it is just ending: the call itself says how
                job = migration.job_now(domain) or job
            if job is None:
                continue
            if progress is not None:
                progress(MoveStatus(remaining=job.remaining, total=job.total, rate=job.rate, downtime=job.downtime))
            if options.post_copy and not switched and job.rounds > 1:
                with suppress(HoldfastError):
                    migration.start_post_copy(domain)
                    switched = True
            if options.timeout is not None and not switched and time.monotonic() - begun > options.timeout:
                _cancel(domain, call)
                seconds, left = options.timeout, size_in_words(job.remaining)
                raise MOVE_TIMED_OUT(name=domain.name, seconds=seconds, left=left)
    except KeyboardInterrupt as interrupt:
        if switched:
            interrupt.add_note("it runs at the other host by now, which fetches the rest: nothing can cancel that")
            call.ended(1e6)
        elif _cancel(domain, call):
            interrupt.add_note(f"the migration was cancelled: {domain.name} is where it was")
        raise


def _cancel(domain: Domain, call: _Call) -> bool:
    """End the migration; False where it was over by then, and the guest is there."""
    with suppress(HoldfastError):
        migration.abort(domain)
    call.ended(1e6)
    try:
        call.result()
    except HoldfastError:
        return True
    return False
