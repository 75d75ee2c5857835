"""After the host has booted: start the domains that are wanted running, in the order in which they were started before.

Each starts from its config document as it stands; none is generated. One that does not start holds up no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from holdfast.domainxml.device import alias, describe
from holdfast.domainxml.document import devices, parse
from holdfast.domainxml.metadata import Releasing, RunAgain, fact, facts
from holdfast.errors import HoldfastError, NoConnection, NotFound
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.domain_list import autostarted
from holdfast.operations.documents import Documents, read
from holdfast.operations.facts import forget
from holdfast.operations.power.mend_host_side import mend_host_side
from holdfast.operations.power.start import start_locked
from holdfast.operations.run_again import observe


class Outcome(StrEnum):
    """What became of a domain that is wanted running."""

    RUNNING = "already running"
    STARTED = "started"
    RESTORED = "restored"
    FAILED = "failed"


@dataclass(frozen=True)
class Resumed:
    """One domain that is wanted running. In a dry run ``outcome`` is what would be tried.

    ``guest_changes`` are sentences on what its guest finds changed at this start; ``notes`` say what was interrupted,
    and what of the host side was mended. ``error`` and ``hint`` tell why it does not start.
    """

    name: str
    uuid: str
    outcome: Outcome
    guest_changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""
    hint: str | None = None


def resume_host(connection: Connection, *, dry_run: bool = False) -> list[Resumed]:
    """Start what has autostart, then what Holdfast started and nobody stopped since, the longest running first.

    What the host provides to each is mended first. What somebody shut down or destroyed while libvirt looked on stays
    off. A detach that waited for a guest is over with that guest's end, and forgotten; what else was interrupted is
    told. (virDomainGetAutostart, virDomainCreateWithFlags; see :func:`.host_side.mend_host_side`)
    """
    return [_resume(connection, domain, dry_run) for domain in _wanted(connection)]


def observe_host(connection: Connection) -> None:
    """Record which domains run now, and which somebody switched off: to be called before the host goes down.

    Only of domains that Holdfast keeps facts of. (virDomainGetState, virDomainSetMetadata)
    """
    for domain in connection.domains():
        with domain_lock(domain.uuid):
            try:
                observe(domain)
            except NotFound:
                continue  # deleted since it was listed


def _wanted(connection: Connection) -> list[Domain]:
    """The domains that are wanted running, in the order in which they are to start."""
    auto = autostarted(connection)
    found: list[tuple[str, str, Domain]] = []
    for domain in connection.domains():
        try:
            if not domain.is_persistent() or domain.was_switched_off():
                continue
            wanted = fact(parse(domain.xml(Definition.CONFIG)), RunAgain)
        except NotFound:
            continue  # deleted since it was listed
        if domain.uuid in auto or wanted is not None:
            found.append(("" if domain.uuid in auto or wanted is None else wanted.since, domain.name, domain))
    return [domain for _, _, domain in sorted(found, key=lambda each: each[:2])]


def _resume(connection: Connection, domain: Domain, dry_run: bool) -> Resumed:
    notes: tuple[str, ...] = ()
    try:
        with domain_lock(domain.uuid):
            documents = read(domain)
            notes = (*_released(domain, documents, dry_run), *_half_attached(documents))
            if documents.live is not None:
                return Resumed(domain.name, domain.uuid, Outcome.RUNNING, notes=notes)
            side = mend_host_side(connection, domain, dry_run=dry_run)
            notes = (*notes, *side.mended)
            if side.remains:
                hint = f"remove the cause, then 'holdfast repair {domain.name}'"
                return Resumed(domain.name, domain.uuid, Outcome.FAILED, (), notes, "; ".join(side.remains), hint)
            change = start_locked(connection, domain, dry_run=dry_run)
    except NoConnection:
        raise
    except HoldfastError as error:
        return Resumed(domain.name, domain.uuid, Outcome.FAILED, (), notes, error.message, error.hint)
    outcome = Outcome.RESTORED if change.restored else Outcome.STARTED
    return Resumed(domain.name, domain.uuid, outcome, change.guest_changes, notes)


def _released(domain: Domain, documents: Documents, dry_run: bool) -> Iterator[str]:
    """Forget each detach that waited for a guest which is gone, or has released the device meanwhile."""
    if documents.config is None:
        return
    there = set() if documents.live is None else {alias(device) for device in devices(documents.live)}
    for entry in facts(documents.config, Releasing):
        if entry.alias in there:
            yield f"{entry.device} {entry.label} was detached, and the guest has not released it"
            continue
        if not dry_run:
            forget(domain, entry)
        yield f"{entry.device} {entry.label} was detached, and is gone now"


def _half_attached(documents: Documents) -> Iterator[str]:
    """The devices of a running domain that config has and live has not, as an interrupted attach leaves them."""
    if documents.live is None or documents.config is None:
        return
    for device in devices(documents.config):
        if documents.find_live(device) is None:
            yield f"{describe(device)} is in config and not in live: repeat its attach, or it comes with the next start"
