"""After the host has booted: start the domains that are wanted running, in the order in which they were started before.

Each starts from its config document as it stands; none is generated. One that does not start holds up no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from holdfast.domainxml.device import alias, describe
from holdfast.domainxml.document import devices, parse
from holdfast.domainxml.fact import Releasing, RunAgain
from holdfast.domainxml.host.outlook import Outlook
from holdfast.domainxml.metadata import fact, facts
from holdfast.errors import HoldfastError, NoConnection, NotFound, NotRecorded, power
from holdfast.errors.domains import READ_ONLY
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.domain_list import autostarted
from holdfast.operations.documents import Documents
from holdfast.operations.power.elsewhere import Whereabouts, whereabouts
from holdfast.operations.power.mend_host_side import mend_host_side
from holdfast.operations.power.start import start_locked
from holdfast.operations.power.state_change import PowerChange
from holdfast.operations.power_record import (
    forget_if_possible,
    record_missing,
    record_whether_it_runs,
    unfinished_start,
    was_switched_off,
)
from holdfast.operations.results import Result
from holdfast.operations.session import OpenDomain, changing, refuse_read_only


class Outcome(StrEnum):
    """What became of a domain that is wanted running."""

    RUNNING = "already running"
    STARTED = "started"
    RESTORED = "restored"
    ELSEWHERE = "elsewhere"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Resumed(Result):
    """One domain that is wanted running; ``changes`` and ``outlooks`` are those of the start, as for any start.

    ``notes`` say what was interrupted or is recorded only now, and what of the host side was mended.

    ``outcome``  what became of it; in a dry run what would be tried
    ``error``    why it does not start or waits, or what cannot be recorded of it where it does (NotRecorded); else None
    """

    outcome: Outcome
    outlooks: tuple[Outlook, ...] = ()
    error: HoldfastError | None = None

    @property
    def sees(self) -> tuple[str, ...]:
        """What the guest sees of the start, in sentences."""
        return (*map(str, self.changes), *map(str, self.outlooks))


def resume_host(connection: Connection, *, dry_run: bool = False) -> list[Resumed]:
    """Start what has autostart, then what Holdfast started and nobody stopped since, the longest running first.

    What the host provides to each is mended first. What somebody shut down or destroyed while libvirt looked on stays
    off. A detach that waited for a guest is over with that guest's end, and forgotten; what else was interrupted is
    told. Where the history has a remote, what another host has by now is not started; where that cannot be asked, what
    has an image on shared storage waits.
    (virDomainGetAutostart, virDomainCreateWithFlags; see :func:`.mend_host_side.mend_host_side`)
    """
    refuse_read_only(connection, "all domains", dry_run=dry_run)
    domains = _to_run(connection)
    where = whereabouts(connection, [domain.uuid for domain in domains])
    return [_resume(connection, domain, where, dry_run) for domain in domains]


def observe_host(connection: Connection) -> None:
    """Record which domains run now, and which somebody switched off: to be called before the host goes down.

    Only of domains that Holdfast keeps facts of. One that cannot be recorded holds up no other; in the end
    HOST_OBSERVED_IN_PART is raised. (virDomainGetState, virDomainSetMetadata)
    """
    refuse_read_only(connection, "all domains")
    domains, failed = connection.domains(), dict[str, HoldfastError]()
    for listed in domains:
        try:
            with changing(connection, listed.uuid) as domain:
                record_whether_it_runs(domain)
        except NotFound:
            continue  # deleted since it was listed
        except NoConnection:
            raise
        except HoldfastError as error:
            failed[listed.name] = error
    if failed:
        cause = next(iter(failed.values()))
        raise power.HOST_OBSERVED_IN_PART(failed=len(failed), all=len(domains), names=list(failed), cause=cause)


def _to_run(connection: Connection) -> list[Domain]:
    """The domains that are wanted running, in the order in which they are to start."""
    auto = autostarted(connection)
    found: list[tuple[str, str, Domain]] = []
    for domain in connection.domains():
        try:
            if not domain.is_persistent():
                continue
            config = parse(domain.xml(Definition.CONFIG))
            if was_switched_off(domain, config):
                continue
            wanted = fact(config, RunAgain)
        except NotFound:
            continue  # deleted since it was listed
        if domain.uuid in auto or wanted is not None:
            found.append(("" if domain.uuid in auto or wanted is None else wanted.since, domain.name, domain))
    return [domain for _, _, domain in sorted(found, key=lambda each: each[:2])]


def _resume(connection: Connection, listed: Domain, where: Whereabouts, dry_run: bool) -> Resumed:
    told = where.told_of(listed.uuid)
    notes: tuple[str, ...] = (told,) if told else ()
    change: PowerChange | None = None

    def resumed(outcome: Outcome, error: HoldfastError | None = None) -> Resumed:
        changes, outlooks = (change.changes, change.outlooks) if change is not None else ((), ())
        return Resumed(
            name=listed.name,
            uuid=listed.uuid,
            dry_run=dry_run,
            changes=changes,
            notes=notes,
            outcome=outcome,
            outlooks=outlooks,
            error=error,
        )

    try:
        with changing(connection, listed.uuid, dry_run=dry_run) as domain:
            documents = domain.documents
            if told and documents.live is None:
                return resumed(Outcome.ELSEWHERE)
            if documents.config is not None and documents.live is None:
                waits = where.why_it_waits(connection, listed.name, documents.config)
                if waits is not None:
                    return resumed(Outcome.WAITING, waits)
            notes = (*notes, *_released(domain, documents, dry_run), *_half_attached(documents))
            if documents.live is not None:
                if unfinished_start(documents):
                    notes += tuple(f"not recorded before: {each}" for each in record_missing(domain, dry_run=dry_run))
                return resumed(Outcome.RUNNING)
            side = mend_host_side(domain, dry_run=dry_run)
            notes = (*notes, *side.mended)
            if side.remains:
                return resumed(Outcome.FAILED, power.HOST_SIDE_LACKS(name=listed.name, remains=side.remains))
            change = start_locked(domain, dry_run=dry_run, mended=True)
            notes = (*notes, *change.notes)
    except NoConnection:
        raise
    except NotRecorded as error:
        return resumed(_outcome(change), error)
    except HoldfastError as error:
        if error.code == READ_ONLY.code:  # as it is of every other domain
            raise
        return resumed(Outcome.FAILED, error)
    return resumed(_outcome(change))


def _outcome(change: PowerChange | None) -> Outcome:
    if change is None:
        return Outcome.RUNNING
    return Outcome.RESTORED if change.restored else Outcome.STARTED


def _released(domain: OpenDomain, documents: Documents, dry_run: bool) -> Iterator[str]:
    """Forget each detach that waited for a guest which is gone, or has released the device meanwhile."""
    if documents.config is None:
        return
    there = set() if documents.live is None else {alias(device) for device in devices(documents.live)}
    for entry in facts(documents.config, Releasing):
        if entry.alias in there:
            yield f"{entry.device} {entry.label} was detached, and the guest has not released it"
            continue
        if not dry_run:
            forget_if_possible(domain, entry, f"that {entry.device} {entry.label} is gone")
        yield f"{entry.device} {entry.label} was detached, and is gone now"


def _half_attached(documents: Documents) -> Iterator[str]:
    """The devices of a running domain that config has and live has not, as an interrupted attach leaves them."""
    if documents.live is None or documents.config is None:
        return
    for device in devices(documents.config):
        if documents.find_live(device) is None:
            yield f"{describe(device)} is in config and not in live: repeat its attach, or it comes with the next start"
