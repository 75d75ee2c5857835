"""What Nova does to the domains of its instances, for the history of the host: ``holdfast log`` names who asked for it.

Each domain is looked at before and after, and what was seen is written down by a thread of its own: no request waits
for a disk, or for whoever else writes the history.
"""

from __future__ import annotations

import functools
import inspect
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nova.conf
import nova.utils
from nova import exception
from nova.virt.libvirt import driver as libvirt_driver
from oslo_concurrency import lockutils
from oslo_log import log as logging

from holdfast.errors import HoldfastError
from holdfast.operations.manager.deed_record import (
    Deed,
    HistoryPlace,
    ManagerAct,
    is_kept,
    place_of_history,
    record_deed,
    record_met,
)
from holdfast_nova.connection import NovaConnection

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.objects.instance import Instance
    from nova.virt.libvirt.host import Host
    from nova.virt.virtapi import VirtAPI

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF

DEEDS = (
    *("attach_interface", "attach_volume", "cleanup", "confirm_migration", "destroy", "detach_interface"),
    *("detach_volume", "finish_migration", "finish_revert_migration", "post_live_migration_at_destination"),
    *("power_on", "reboot", "rescue", "resume", "resume_state_on_host_boot", "spawn", "swap_volume", "unrescue"),
    *("volume_snapshot_create", "volume_snapshot_delete"),
)
"""The methods of a driver that change a config document, or start a domain."""
_BOOT_NOTHING = ("rescue", "resume")
"""What runs afterwards was not started from the config document."""


@dataclass(frozen=True)
class _Seen:
    """A domain at one moment: its config document, None where there is none, and libvirt's number of its run."""

    config: str | None = None
    run: int = -1


class Recorder:
    """Records what is done to the domains of ``host``, Nova's libvirt host. Nothing fails because it cannot."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._mine = threading.local()
        self._at_work: Counter[str] = Counter()
        self._waiting: queue.Queue[Callable[[], None]] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._beginning = threading.Lock()
        self._place: HistoryPlace | None = None
        self._said: set[str] = set()

    @contextmanager
    def recorded(self, context: RequestContext, instance: Instance, deed: str) -> Iterator[None]:
        """Record what is done within as what ``context`` asked for; what is within another deed is part of that."""
        uuid: str = getattr(instance, "uuid", "")  # some of Nova's own tests give a driver no instance
        mine: set[str] = self._mine.__dict__.setdefault("at", set())
        place = None if uuid in ("", *mine) else self._kept_at()
        if place is None:
            yield
            return
        mine.add(uuid)
        before: _Seen | None = None
        with self._telling():
            before = self._meet(place, instance)
        try:
            yield
        finally:
            mine.remove(uuid)
            if before is not None:
                with self._telling():
                    self._note(place, instance, deed, _asked(context, uuid), before)

    def _kept_at(self) -> HistoryPlace | None:
        """Where the history is; None where none is kept."""
        if not CONF.holdfast.history:
            return None
        with self._telling():
            self._place = self._place or place_of_history(NovaConnection(self._host))
            return self._place if self._place is not None and is_kept(self._place) else None
        return None

    def _meet(self, place: HistoryPlace, instance: Instance) -> _Seen:
        """The domain as it is found. Others have made it so, unless another deed is being done to it."""
        with lockutils.lock(f"holdfast-history-{instance.uuid}"):
            seen = self._look(instance)
            if seen.config is not None and not self._at_work[instance.uuid]:
                self._later(functools.partial(record_met, place, instance.uuid, seen.config))
            self._at_work[instance.uuid] += 1
            return seen

    def _note(self, place: HistoryPlace, instance: Instance, deed: str, asked: dict[str, str], before: _Seen) -> None:
        """The domain as it was left."""
        with lockutils.lock(f"holdfast-history-{instance.uuid}"):
            self._at_work[instance.uuid] -= 1
            if not self._at_work[instance.uuid]:
                del self._at_work[instance.uuid]
            after = self._look(instance)
            is_booted = after.run not in (-1, before.run) and deed not in _BOOT_NOTHING
            done = Deed(
                uuid=instance.uuid,
                act=ManagerAct(("nova", *deed.split("_")), asked),
                before=before.config,
                after=after.config,
                live=self._host.get_guest(instance).get_xml_desc() if is_booted else None,
            )
            self._later(functools.partial(record_deed, place, done))

    def _look(self, instance: Instance) -> _Seen:
        try:
            guest = self._host.get_guest(instance)
            return _Seen(guest.get_xml_desc(dump_inactive=True, dump_sensitive=True), guest.id)
        except exception.InstanceNotFound:
            return _Seen()

    def _later(self, write: Callable[[], None]) -> None:
        """Let the one thread that writes do it in its turn; under eventlet it is a green one."""
        self._waiting.put(write)
        with self._beginning:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="holdfast-history", daemon=True)
                self._thread.start()

    def _write_all(self) -> None:
        writer = nova.utils.tpool_wrap(_Writer())  # under eventlet, in a native thread: the green ones go on
        while True:
            with self._telling():
                writer.write(self._waiting.get())
            self._waiting.task_done()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say why something is not recorded, each reason once, and go on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - what Nova does is not to fail for a record of it
            reason = error.message if isinstance(error, HoldfastError) else f"{type(error).__name__}: {error}"
            if reason not in self._said:
                self._said.add(reason)
                LOG.warning("Not recorded in the history: %s", reason)


class _Writer:
    """Runs what is to be written."""

    def write(self, write: Callable[[], None]) -> None:
        """Run it."""
        write()


def _asked(context: RequestContext, uuid: str) -> dict[str, str]:
    said = {"request": context.request_id, "user": context.user_id, "project": context.project_id, "instance": uuid}
    return {"manager": "nova", **{name: value for name, value in said.items() if value}}


class RecordsHistory(libvirt_driver.LibvirtDriver):
    """The part of the driver that records what all of it does: DEEDS, whichever class has them."""

    def __init__(self, virtapi: VirtAPI, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._history = Recorder(self._host)

    def __init_subclass__(cls) -> None:
        for name in DEEDS:
            setattr(cls, name, _recorded(name, getattr(cls, name)))


def _recorded(deed: str, method: Callable[..., object]) -> Callable[..., object]:
    signature = inspect.signature(method)

    @functools.wraps(method)
    def recorded(self: RecordsHistory, *args: object, **kwargs: object) -> object:
        given = signature.bind(self, *args, **kwargs).arguments
        with self._history.recorded(given["context"], given["instance"], deed):
            return method(self, *args, **kwargs)

    recorded.__signature__ = signature  # type: ignore[attr-defined]  # getfullargspec() does not look below a wrapper
    return recorded
