"""Waiting for a migration: telling how far it is, cancelling it on Ctrl-C or when its time is over, post-copy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from holdfast.errors import HoldfastError
from holdfast.errors.hosts import MOVE_TIMED_OUT
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.migration import JobNow
from holdfast.operations.hosts.moving import MoveOptions, MoveProgress, MoveStatus
from holdfast.text import size_in_words

_LOOK = 0.25
"""Seconds between two looks at how far it is."""


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


class WatchedMove:
    """A migration that is watched until it ends, and ended on Ctrl-C or when its time is over.

    ``was_too_late``  True where a Ctrl-C came after a post-copy had begun, which goes on
    """

    def __init__(
        self, domain: Domain, move: Callable[[], None], options: MoveOptions, progress: MoveProgress | None
    ) -> None:
        self._domain = domain
        self._call = _Call(move)
        self._options = options
        self._progress = progress
        self._runs_there = False
        self.was_too_late = False
        self._end = None if options.timeout is None else time.monotonic() + options.timeout

    def until_it_ends(self) -> None:
        """Raises MOVE_TIMED_OUT, and what the call raises; after a Ctrl-C KeyboardInterrupt with what became of it."""
        while True:
            try:
                self._watch()
                return self._call.result()
            except KeyboardInterrupt as interrupt:
                if self._runs_there:  # libvirt refuses to cancel it, and the guest needs the rest
                    self.was_too_late = True
                    continue
                if self._cancelled():
                    interrupt.add_note(f"the migration was cancelled: {self._domain.name} is where it was")
                    raise

    def _watch(self) -> None:
        if self._progress is None and not self._options.post_copy and self._end is None:
            return  # each look costs the source's libvirt time that the migration needs
        job: JobNow | None = None
        while not self._call.ended(_LOOK):
            with suppress(HoldfastError):  # it is just ending: the call itself says how
                job = migration.job_now(self._domain) or job
            if job is None:
                continue
            if self._progress is not None:
                self._progress(_status(job))
            if self._options.post_copy and not self._runs_there and job.rounds > 1:
                with suppress(HoldfastError):  # just ending, or not at it yet: then the next look tries again
                    migration.start_post_copy(self._domain)
                    self._runs_there = True
            if self._end is not None and not self._runs_there and time.monotonic() > self._end and self._cancelled():
                seconds, left = self._options.timeout, size_in_words(job.remaining)
                raise MOVE_TIMED_OUT(name=self._domain.name, seconds=seconds, left=left)

    def _cancelled(self) -> bool:
        """End the migration; False where it was over by then, and the guest is there. (virDomainAbortJob)"""
        while not self._call.ended(_LOOK):
            with suppress(HoldfastError):  # libvirt is not at it yet, or just not any more
                migration.abort(self._domain)
        try:
            self._call.result()
        except HoldfastError:
            return True
        return False


def _status(job: JobNow) -> MoveStatus:
    return MoveStatus(remaining=job.remaining, total=job.total, rate=job.rate, downtime=job.downtime)
