"""Audit: what needs attention on one host, or on any number of them side by side. Reads only, changes nothing."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from holdfast.domainxml.describe.hardware_tree import Part, hardware_tree
from holdfast.domainxml.host.known_changes import oddities
from holdfast.errors import HoldfastError, NoConnection, NotFound
from holdfast.errors.look import LOST_BETWEEN
from holdfast.hostfiles.lock import SHARED, lock_folder
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.domain_list import Listed, inventory
from holdfast.operations.audit.autostart import started_unasked
from holdfast.operations.audit.broken_moves import broken_moves
from holdfast.operations.audit.domain import judge_domain
from holdfast.operations.audit.firmware import FirmwareLook
from holdfast.operations.audit.images import ImageFindings
from holdfast.operations.audit.judge import Judge
from holdfast.operations.audit.report import DomainReport, FindingKind, HostReport, Machine
from holdfast.operations.audit.state import StateFindings, killed_leftovers
from holdfast.operations.connect import connect
from holdfast.operations.host.capabilities import host_versions
from holdfast.operations.host.provides import HostProvides

THREADS = 3
"""Documents of one host are asked for so many at a time; libvirtd answers five of a client at once (9.0)."""

MANY = 250
"""From so many domains on, each thread has a connection of its own."""

HOSTS = 16
"""So many hosts are looked at side by side."""

Progress = Callable[[str, int, int], None]
"""Told the host's URI, how many domains were looked at, and how many there are. Called from several threads."""

Hardware = Callable[[str, str, list[Part]], None]
"""Told the host's URI, a domain's UUID and its hardware. Called from several threads."""


def audit_hosts(
    uris: Sequence[str | None],
    *,
    readonly: bool = False,
    progress: Progress | None = None,
    hardware: Hardware | None = None,
) -> list[HostReport]:
    """Audit every host of ``uris`` (None: libvirt's default), side by side; the reports are in the order of ``uris``.

    A host that cannot be reached has its ``error`` set, the others go on. ``hardware`` is given the hardware of every
    domain, and reports then name domains without findings too. Raises nothing.
    """
    stop = threading.Event()

    def one(uri: str | None) -> HostReport:
        try:
            with connect(uri, readonly) as connection:
                return _Audit(connection, uri or connection.uri, progress, hardware, stop).run()
        except HoldfastError as error:
            return HostReport(uri=uri or "libvirt's default", error=error)

    pool = ThreadPoolExecutor(HOSTS)
    try:
        return list(pool.map(one, dict.fromkeys(uris)))
    finally:
        stop.set()  # Ctrl-C: a host that does not answer is not waited for
        pool.shutdown(wait=False, cancel_futures=True)


def audit_host(
    connection: Connection, *, progress: Progress | None = None, hardware: Hardware | None = None
) -> HostReport:
    """Audit the host of ``connection``: every domain, running or not. See :func:`audit_hosts` for the options.

    Documents are read one by one and not kept: memory grows with what is found, not with the number of domains.
    (virConnectListAllDomains, virDomainGetXMLDesc)
    """
    return _Audit(connection, connection.uri, progress, hardware, threading.Event()).run()


class _Audit:
    """One run over one host."""

    def __init__(
        self,
        connection: Connection,
        uri: str,
        progress: Progress | None,
        hardware: Hardware | None,
        stop: threading.Event,
    ) -> None:
        self._connection = connection
        self._uri = uri
        self._progress = progress
        self._hardware = hardware
        self._judge = Judge(connection)
        self._provided = HostProvides(connection)
        self._firmware = FirmwareLook(connection)
        self._images = ImageFindings(connection.is_local)
        self._states = StateFindings(connection)
        self._found: dict[str, DomainReport] = {}
        self._machines: Counter[Machine] = Counter()
        self._unread: list[str] = []
        self._gone: list[str] = []
        self._lock = threading.Lock()
        self._stop = stop

    def run(self) -> HostReport:
        """Look at every domain, then at what only all of them together tell."""
        lost: HoldfastError | None = None
        try:
            listed = inventory(self._connection)
            self._look_at(listed)
            self._judge.notes.update(oddities(host_versions(self._connection)) if listed else ())
        except NoConnection as error:
            lost = LOST_BETWEEN(count=len(self._found), cause=error)
        asked = () if lost else (*started_unasked(self._connection), *broken_moves(self._connection))
        for name, finding in (*self._images.shared(), *self._states.shared(), *asked):
            if (known := self._found.get(name)) is None:
                continue  # it could not be looked at
            self._found[name] = replace(known, findings=(*known.findings, finding))
        everything = self._hardware is not None
        reports = [_ordered(report) for _, report in sorted(self._found.items()) if everything or report.findings]
        return HostReport(
            uri=self._uri,
            error=lost,
            unread=tuple(self._unread),
            notes=(
                *self._gone,
                *sorted(self._judge.notes),
                *self._images.notes(),
                *self._firmware.notes(),
                *_lock_notes(self._connection),
            ),
            orphans=(*(() if lost or self._unread else self._states.orphans()), *killed_leftovers(self._connection)),
            domain_count=len(self._found),
            machines=self._machines,
            domains=tuple(reports),
        )

    def _look_at(self, listed: list[Listed]) -> None:
        waiting, failed = iter(listed), threading.Event()

        def drain(own: dict[str, Domain]) -> None:
            while not (failed.is_set() or self._stop.is_set()):
                with self._lock:
                    entry = next(waiting, None)
                if entry is None:
                    return
                self._one(entry, own.get(entry.domain.uuid, entry.domain))
                if self._progress is not None:
                    self._progress(self._uri, len(self._found), len(listed))

        with contextlib.ExitStack() as stack, ThreadPoolExecutor(THREADS) as pool:
            try:
                shares = [pool.submit(drain, own) for own in self._handles(len(listed), stack)]
                for share in as_completed(shares):
                    share.result()
            finally:
                failed.set()  # or done, or Ctrl-C

    def _handles(self, domains: int, stack: contextlib.ExitStack) -> Iterator[dict[str, Domain]]:
        """What each thread asks by: UUID → domain of a connection of its own; empty where all share the one there is.

        Threads on one connection wait for each other's answers in libvirt's client, which costs a third more (9.0). A
        connection to another machine may ask for a password, so there is only one.
        """
        yield {}
        for _ in range(THREADS - 1):
            own: dict[str, Domain] = {}
            if domains >= MANY and self._connection.is_local:
                with contextlib.suppress(NoConnection):  # libvirtd has as many clients as it takes: share the first
                    another = stack.enter_context(connect(self._connection.uri, self._connection.readonly))
                    own = {domain.uuid: domain for domain in another.domains()}
            yield own

    def _one(self, listed: Listed, domain: Domain) -> None:
        try:
            verdict, findings, instance, document, kept = judge_domain(
                self._judge, self._provided, self._firmware, listed, domain
            )
            disguised = list(self._images.disguised(verdict.images))
            if self._hardware is not None:
                self._hardware(self._uri, domain.uuid, hardware_tree(document()))
        except NotFound:
            with self._lock:
                self._gone.append(f"the domain {domain.name!r} is gone: it was deleted since the domains were listed")
            return
        except NoConnection:
            raise
        except HoldfastError as error:
            with self._lock:
                self._unread.append(f"the domain {domain.name} could not be looked at: {error.message}")
            return
        found = (*verdict.findings, *findings, *disguised)
        with self._lock:
            self._machines[verdict.machine] += 1
            self._images.add(domain.name, verdict.images)
            self._states.add(domain.name, domain.uuid, (*verdict.state, *kept))
            self._found[domain.name] = DomainReport(
                name=domain.name,
                uuid=domain.uuid,
                running=listed.active,
                instance=instance,
                machine=verdict.machine,
                findings=found,
            )


def _lock_notes(connection: Connection) -> Iterator[str]:
    """Whether changes of different users to one domain wait for each other; of another machine nobody can tell."""
    if connection.is_local and connection.is_of_host and not (folder := lock_folder()).shared:
        yield (
            f"commands of different users on one domain do not wait for each other: {SHARED} is not set up for that "
            f"on this host, so those of this user keep their locks in {folder.path}"
        )


_ORDER = {kind: number for number, kind in enumerate(FindingKind)}


def _ordered(report: DomainReport) -> DomainReport:
    """With its findings in the order of their kinds."""
    if len({finding.kind for finding in report.findings}) < 2:
        return report
    return replace(report, findings=tuple(sorted(report.findings, key=lambda finding: _ORDER[finding.kind])))
