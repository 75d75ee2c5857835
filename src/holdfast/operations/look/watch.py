"""Watching hosts: a notice for each change of state or hardware of their domains, whoever made it. Changes no domain.

libvirt announces what happens to a running guest; of a config document it announces nothing that concerns devices. So
each announcement only says where to look, and every domain is looked at again after some seconds: what differs from
the look before is the notice. A host that was lost and is back is looked at as a whole, so nothing is missed. What
others change of a config document on this machine is recorded in its history, and the state of a domain that has
stopped is copied to where copies are kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, Queue

from holdfast.domainxml.document import is_live, parse
from holdfast.domainxml.fact import SeenState
from holdfast.domainxml.metadata import facts
from holdfast.errors import NoConnection, NotFound
from holdfast.errors.look import LOST
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.domain_events import Announcement, domain_events
from holdfast.libvirtapi.domain_list import inventory
from holdfast.operations.connect import connect
from holdfast.operations.look.notice import Notice, Observation, differences
from holdfast.operations.own_state import look, state_of
from holdfast.operations.past.copy_state import copy_stopped
from holdfast.operations.past.record import record_seen
from holdfast.text import plural

TOGETHER = 0.1
"""Seconds within which announcements belong to one act: a start alone makes three."""


def watch(
    uris: Sequence[str | None] = (None,), *, interval: float = 10, readonly: bool = False
) -> Generator[Notice, None, None]:
    """Yield what happens on the hosts of ``uris`` (None: libvirt's default), for as long as the caller goes on.

    The first notice of each host says that it is being watched. Config documents, and what libvirt does not announce
    of live, are read every ``interval`` seconds. A lost host is reported, and tried again as often. Raises
    NoConnection when no host can be reached at the start.
    (virConnectListAllDomains, virConnectGetAllDomainStats, virDomainGetXMLDesc, virConnectDomainEventRegisterAny)
    """
    notices: Queue[Notice | BaseException] = Queue()
    stop = threading.Event()
    hosts = [_Host(uri, interval, readonly, notices, stop) for uri in dict.fromkeys(uris)]
    for host in hosts:
        threading.Thread(target=host.run, name=f"watch {host.uri}", daemon=True).start()
    try:
        while True:
            notice = notices.get()
            if isinstance(notice, BaseException):
                raise notice
            unreached = [host.unreached for host in hosts if host.unreached is not None]
            if notice.unreached and len(unreached) == len(hosts):
                raise unreached[-1]
            yield notice
    finally:
        stop.set()


class _Host:
    """One host: what was last seen of each of its domains, also while it cannot be reached."""

    def __init__(
        self,
        uri: str | None,
        interval: float,
        readonly: bool,
        notices: Queue[Notice | BaseException],
        stop: threading.Event,
    ) -> None:
        self.uri = uri or "libvirt's default"
        self._wanted = uri
        self._interval = interval
        self._readonly = readonly
        self._notices = notices
        self._stop = stop
        self._seen: dict[str, Observation] = {}
        self.unreached: NoConnection | None = None
        """Why it could not be reached so far; None once it was."""
        self._stopped: Queue[tuple[Connection, str]] = Queue()
        self._complete = False
        """True once every domain was looked at: from then on one that was not seen before is new."""

    def run(self) -> None:
        """Follow the host until the watch ends."""
        threading.Thread(target=self._copy_state, name=f"copy state of {self.uri}", daemon=True).start()
        try:
            reached = lost = False
            while not self._stop.is_set():
                try:
                    with connect(self._wanted, self._readonly) as connection:
                        reached, lost, self.unreached = True, False, None
                        self.uri = self._wanted or connection.uri
                        self._follow(connection)
                except NoConnection as error:
                    if not lost:
                        self.unreached = None if reached else error
                        self._tell([Notice.of_host(self.uri, error.message, unreached=not reached)])
                    lost = True
                self._stop.wait(self._interval)
        except BaseException as error:  # noqa: BLE001 - it is raised where the notices are read
            self._notices.put(error)

    def _copy_state(self) -> None:
        """Copy the state of what has stopped: no notice waits for that, which can take long over ssh."""
        while not self._stop.is_set():
            with suppress(Empty):
                copy_stopped(*self._stopped.get(timeout=1.0))

    def _follow(self, connection: Connection) -> None:
        heard: Queue[Announcement] = Queue()
        with domain_events(connection, heard.put):
            known = self._complete
            self._look_at_all(connection, heard)
            back = "back: compared with what was seen before" if known else "watching"
            number = f"{len(self._seen)} {plural(len(self._seen), 'domain')}"
            self._tell([Notice.of_host(self.uri, f"{back} ({number}, every {self._interval:g} s)")])
            while not self._stop.is_set():
                self._listen(connection, heard)
                self._look_at_all(connection, heard)

    def _listen(self, connection: Connection, heard: Queue[Announcement]) -> None:
        """Look at what is announced, until it is time to look at everything."""
        until = time.monotonic() + self._interval
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            try:
                items = [heard.get(timeout=min(1.0, left))]
            except Empty:
                continue
            time.sleep(TOGETHER)
            while not heard.empty():
                items.append(heard.get())
            if not all(item.uuid for item in items):
                raise LOST(uri=self.uri)
            for item in dict.fromkeys(items):  # a guest's reset comes several times (QEMU 7.2)
                self._announce(item)
            for uuid in dict.fromkeys(item.uuid for item in items):
                self._look_again(connection, uuid)

    def _announce(self, item: Announcement) -> None:
        """Tell what libvirt announced, unless a look has told it already."""
        seen = self._seen.get(item.uuid)
        if seen is None or not item.sentence or (item.state and item.state == seen.state):
            return
        self._tell([Notice.of_state(self.uri, item.name, item.uuid, item.sentence)])
        self._seen[item.uuid] = seen.in_state(item.state or seen.state)

    def _look_again(self, connection: Connection, uuid: str) -> None:
        try:
            domain = connection.find_domain(uuid)
            self._look(connection, domain, domain.state(), domain.is_active(), domain.is_persistent())
        except NotFound:
            self._gone(uuid)

    def _look_at_all(self, connection: Connection, heard: Queue[Announcement]) -> None:
        states = {each.uuid: each.state for each in connection.domain_states()}
        listed = inventory(connection)
        for each in listed:
            domain, state = each.domain, states.get(each.domain.uuid, "")
            before = self._seen.get(domain.uuid)
            if before is not None and before.state != state:
                heard.put(Announcement(domain.uuid, domain.name))  # behind what libvirt is about to announce of it
                continue
            try:
                self._look(connection, domain, state, each.active, each.persistent)
            except NotFound:
                continue  # undefined since it was listed: the next look tells
        for uuid in self._seen.keys() - {each.domain.uuid for each in listed}:
            self._gone(uuid)
        self._complete = True

    def _look(self, connection: Connection, domain: Domain, state: str, active: bool, persistent: bool) -> None:
        before = self._seen.get(domain.uuid)
        live = domain.xml(Definition.LIVE) if active else None
        if live is not None and (before is None or live != before.live) and not is_live(parse(live)):
            live = None  # it was stopped since
        config = domain.xml(Definition.CONFIG) if persistent else None
        now = _with_state(connection, Observation(domain.name, state, live, config), before).after(before)
        self._seen[domain.uuid] = now
        if config is not None and (self._complete if before is None else before.config != config):
            record_seen(connection, domain)
        if before is not None and before.live is not None and live is None and not connection.readonly:
            self._stopped.put((connection, domain.uuid))
        if before is not None:
            self._tell(differences(self.uri, domain.uuid, before, now))
        elif self._complete:
            self._tell([Notice.of_state(self.uri, domain.name, domain.uuid, f"new, {now.state}")])

    def _gone(self, uuid: str) -> None:
        seen = self._seen.pop(uuid, None)
        if seen is not None:
            self._tell([Notice.of_state(self.uri, seen.name, uuid, "gone: libvirt no longer has this domain")])

    def _tell(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._notices.put(notice)


def _with_state(connection: Connection, now: Observation, before: Observation | None) -> Observation:
    """The look ``now``, with what the domain has beside its documents; they are parsed only where they have changed."""
    if not connection.is_local:
        return now
    if before is not None and (before.live, before.config) == (now.live, now.config):
        return replace(now, beside={file: look(connection, file) for file in before.beside})
    documents = [parse(text) for text in (now.live, now.config) if text is not None]
    files = [file for document in documents for file in state_of(connection, document)]
    recorded = {seen.path: seen.born for seen in facts(documents[-1], SeenState)} if before is None else {}
    return replace(now, beside={file: look(connection, file) for file in files}, known=recorded)
