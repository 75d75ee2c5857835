"""What is recorded about a domain when it is started and stopped, without ever keeping it from starting or stopping.

Before a start, the record says that the domain is to run again, and afterwards what it was started with; before a stop,
that it is to stay off. So wherever a command is killed, the record says what was wanted. If the start or stop fails,
the record is put back. If it cannot be written (on a full disk, say), the operation does what was asked for all the
same, and reports in the end what is missing. Starting a running domain, or stopping one that is off, records that.

All this is recorded in config alone, and only for domains that Holdfast created or adopted. A start by somebody else
copies it into live: its presence there shows that what the domain was started with is not recorded. The caller holds
the domain's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from holdfast.domainxml import metadata
from holdfast.domainxml.document import Element, canonical
from holdfast.domainxml.fact import RunAgain, SeenState, Started
from holdfast.domainxml.metadata import Fact, fact, facts, facts_in
from holdfast.domainxml.versions import Versions, dotted
from holdfast.errors import HoldfastError, NoConnection
from holdfast.errors.power import NOT_RECORDED, STARTED_NOT_RECORDED, STOPPED_NOT_RECORDED
from holdfast.hostfiles.digest import is_older, loaded_library, sha256_of
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.private_libvirt import library_version
from holdfast.operations.documents import Documents
from holdfast.operations.facts import rewrite
from holdfast.operations.host.capabilities import host_versions
from holdfast.operations.own_state import state_to_record
from holdfast.operations.session import OpenDomain

RUNS_AGAIN = "that it runs again after the host has booted"
STAYS_OFF = "that it stays off after the host has booted"
STARTED_WITH = "what it was started with"

Rewrite = Callable[[str | None], str | None]
"""Turns the text of our element into what it is to be; None where there is no element."""


@contextmanager
def recorded_start(domain: OpenDomain, *, cold: bool = True) -> Iterator[None]:
    """Wraps the call that starts ``domain``: records that it is to run again and, for a ``cold`` start, what it gets.

    That is its CPU, its firmware, and the files of its state, as far as they can be read here. After any other start,
    what was recorded before stays valid.
    """
    with _taken_back_where_it_fails(domain):
        failed = _try_to_write(domain, _with_start_begun if cold else _with_run_again)
        yield
    if cold:
        failed = _try_to_write(domain, lambda ours: _with_start(domain, _with_run_again(ours)), _forget_start_in_live)
    elif failed is not None:
        failed = _try_to_write(domain, _with_run_again)
    if failed is None:
        return
    missing = [each for each in unrecorded(domain.documents) if cold or each != STARTED_WITH]
    with suppress(HoldfastError):  # in live it helps until then, and does not survive a boot of the host
        rewrite(domain, _with_run_again, Definition.LIVE)
    domain.lacks = STARTED_NOT_RECORDED(name=domain.name, missing=missing, cause=failed)


@contextmanager
def recorded_stop(domain: OpenDomain, *, for_good: bool = True, at_once: bool = True) -> Iterator[None]:
    """Wraps the call that stops ``domain``: if that is ``for_good``, records that it stays off.

    If it does not stop ``at_once``, its guest may run on, so the record is removed from live as well.

    If somebody else started the domain, the CPU that its guest has is recorded; its firmware is unknown. The record of
    its state stays that of our own start: compared with it, one can see what was made anew since.
    """
    live, config = domain.documents.live, domain.documents.config
    is_foreign = live is not None and fact(live, Started) is not None
    goes = for_good and config is not None and fact(config, RunAgain) is not None

    def stopped(ours: str | None) -> str | None:
        with_cpu = metadata.with_fact(ours, Started(_cpu(live), "")) if live is not None and is_foreign else ours
        return _without_run_again(with_cpu) if goes else with_cpu

    with _taken_back_where_it_fails(domain):
        failed = _try_to_write(domain, stopped, (lambda _: None) if at_once or not goes else _forget_run_again_in_live)
        yield
    if failed is not None and (failed := _try_to_write(domain, stopped)) is not None:
        condition = STOPPED_NOT_RECORDED if goes else NOT_RECORDED
        missing = [*([STAYS_OFF] if goes else []), *([STARTED_WITH] if is_foreign else [])]
        domain.lacks = condition(name=domain.name, missing=missing, cause=failed)


def unrecorded(documents: Documents) -> list[str]:
    """What a start by Holdfast, or for a domain that is off a stop, would have recorded, and the record does not have.

    Nothing for a domain that Holdfast keeps no records of, or that is in rescue.
    """
    live, config = documents.live, documents.config
    if config is None or metadata.ours_in(config) is None or documents.rescue is not None:
        return []
    run_again = fact(config, RunAgain)
    if live is None:
        return [] if run_again is None else [STAYS_OFF]
    is_cut_off = run_again is not None and bool(run_again.starting)
    is_known = fact(config, Started) is not None and fact(live, Started) is None and not is_cut_off
    return [*([] if run_again is not None else [RUNS_AGAIN]), *([] if is_known else [STARTED_WITH])]


def unfinished_start(documents: Documents) -> str:
    """What an interrupted start has left undone, in words that follow the domain's name; "" where there is nothing.

    A start by others was not meant to record anything.
    """
    live, config = documents.live, documents.config
    if config is None or fact(config, RunAgain) is None:
        return ""
    if live is None:
        return "is recorded to run, and is off"
    return "runs, and what it was started with is not recorded" if STARTED_WITH in unrecorded(documents) else ""


def was_switched_off(domain: Domain, config: Element | None) -> bool:
    """True where ``domain`` was shut down or destroyed, and ``config`` tells of no start that was begun after that.

    (virDomainGetState)
    """
    run_again = None if config is None else fact(config, RunAgain)
    return domain.was_switched_off() and not (run_again is not None and run_again.starting)


def record_missing(domain: OpenDomain, *, dry_run: bool) -> tuple[str, ...]:
    """Record what is :func:`unrecorded`, and return it; the firmware where it has not changed since the start."""
    missing, live = unrecorded(domain.documents), domain.documents.live
    if missing and not dry_run:
        if live is None:
            rewrite(domain, _without_run_again, Definition.CONFIG)
        else:
            rewrite(domain, lambda ours: _with_missing(domain, live, ours), Definition.CONFIG)
            _forget_start_in_live(domain)
    return tuple(missing)


def forget_if_possible(domain: OpenDomain, old: Fact, what: str) -> None:
    """Remove the fact ``old``, which says ``what``; where that fails, the start that follows goes on all the same."""
    failed = _try_to_write(domain, lambda ours: metadata.without_fact(ours, old))
    if failed is not None:
        domain.lacks = NOT_RECORDED(name=domain.name, missing=[what], cause=failed)


def record_start_by_manager(domain: OpenDomain) -> None:
    """Record what ``domain`` was started with, right after a start that a manager has made itself."""
    if domain.documents.live is not None and _is_kept(domain):
        rewrite(domain, lambda ours: _with_start(domain, ours), Definition.CONFIG)
        _forget_start_in_live(domain)


def record_whether_it_runs(domain: OpenDomain) -> None:
    """Record whether ``domain`` runs, as others may have started it or switched it off; of a rescue, nothing."""
    if not _is_kept(domain) or domain.in_rescue:
        return
    if domain.is_active():
        rewrite(domain, _with_run_again, Definition.CONFIG)
    elif was_switched_off(domain, domain.documents.config):
        rewrite(domain, _without_run_again, Definition.CONFIG)


def record_outcome(domain: OpenDomain) -> None:
    """Record whether ``domain`` runs or is off, after an operation that was asked to bring it there."""
    runs = domain.is_active()
    failed = _try_to_write(domain, _with_run_again if runs else _without_run_again)
    if failed is not None:
        condition, missing = (STARTED_NOT_RECORDED, RUNS_AGAIN) if runs else (STOPPED_NOT_RECORDED, STAYS_OFF)
        domain.lacks = condition(name=domain.name, missing=[missing], cause=failed)


def _is_kept(domain: OpenDomain) -> bool:
    return domain.metadata(metadata.URI, Definition.CONFIG) is not None


def _try_to_write(
    domain: OpenDomain, change: Rewrite, then: Callable[[OpenDomain], None] = lambda _: None
) -> HoldfastError | None:
    """Write ``change`` to config, and then call ``then``; return the error where that fails. Raises NoConnection."""
    try:
        if _is_kept(domain):
            rewrite(domain, change, Definition.CONFIG)
            then(domain)
    except NoConnection:
        raise
    except HoldfastError as error:
        return error
    return None


@contextmanager
def _taken_back_where_it_fails(domain: OpenDomain) -> Iterator[None]:
    """Put our element back if what is done within fails and leaves the domain as it was, running or off."""
    ran = domain.is_active()
    before = {definition: metadata.ours_in(document) for definition, document in domain.documents.present.items()}
    try:
        yield
    except BaseException:
        with suppress(HoldfastError):
            for definition, ours in before.items() if domain.is_active() == ran else ():
                rewrite(domain, partial(_as_before, ours), definition)
        raise


def _as_before(before: str | None, _now: str | None) -> str | None:
    return before


def run_again_from_now() -> RunAgain:
    """What is recorded of a domain that is wanted running."""
    return RunAgain(datetime.now(UTC).isoformat(timespec="seconds"))


def _with_run_again(ours: str | None) -> str | None:
    return None if ours is None else metadata.with_fact(ours, replace(_run_again_in(ours), starting=""))


def _with_start_begun(ours: str | None) -> str | None:
    return None if ours is None else metadata.with_fact(ours, replace(_run_again_in(ours), starting="yes"))


def _run_again_in(ours: str) -> RunAgain:
    """What is recorded already, else from now on."""
    return next(iter(facts_in(ours, RunAgain)), run_again_from_now())


def _without_run_again(ours: str | None) -> str | None:
    return metadata.without_facts(ours, RunAgain, lambda fact: True)


def _with_start(domain: OpenDomain, ours: str | None) -> str | None:
    live, config = domain.documents.live, domain.documents.config
    if live is None or config is None:
        return ours  # it has ended by itself meanwhile
    qemu, libvirt = map(dotted, host_versions(domain.connection))
    started = Started(_cpu(live), _digest(domain.connection, _loader(live)), qemu, libvirt)
    state = state_to_record(domain.connection, live, config)
    return metadata.with_all(metadata.with_fact(ours, started), SeenState, state)


def _with_missing(domain: OpenDomain, live: Element, ours: str | None) -> str | None:
    ours = _with_run_again(ours)
    if STARTED_WITH not in unrecorded(domain.documents):
        return ours
    versions = map(dotted, _versions_since_its_start(domain, live))
    ours = metadata.with_fact(ours, Started(_cpu(live), _firmware_since_its_start(domain, live), *versions))
    config = domain.documents.config
    known = set() if config is None else {seen.kind for seen in facts(config, SeenState)}
    for seen in state_to_record(domain.connection, live, live if config is None else config):
        if seen.kind not in known:
            ours = metadata.with_fact(ours, seen)
    return ours


def _forget_run_again_in_live(domain: OpenDomain) -> None:
    rewrite(domain, _without_run_again, Definition.LIVE)


def _forget_start_in_live(domain: OpenDomain) -> None:
    live = domain.documents.live
    if live is not None and fact(live, Started) is not None:
        rewrite(domain, _without_start, Definition.LIVE)


def _without_start(ours: str | None) -> str | None:
    without = metadata.without_facts(ours, Started, lambda fact: True)
    return metadata.without_facts(without, SeenState, lambda fact: True)


def _cpu(live: Element) -> str:
    cpu = live.find("cpu")
    return "" if cpu is None else canonical(cpu).decode()


def _loader(live: Element) -> str:
    return (live.findtext("os/loader") or "").strip()


def _firmware_since_its_start(domain: OpenDomain, live: Element) -> str:
    """The digest of the firmware that a running guest was given; "" where it may be another by now."""
    loader = _loader(live)
    return _digest(domain.connection, loader) if loader and _is_as_at_its_start(domain, loader) else ""


def _versions_since_its_start(domain: OpenDomain, live: Element) -> Versions:
    """The versions that a running guest was started by; None for each that may be another by now."""
    now = host_versions(domain.connection)
    qemu = now.qemu if _is_as_at_its_start(domain, live.findtext("devices/emulator")) else None
    # Of the libvirt that answers, only what is also our own has a file that can be looked at.
    library = loaded_library("libvirt.so") if now.libvirt == library_version() else None
    return Versions(qemu, now.libvirt if _is_as_at_its_start(domain, library) else None)


def _is_as_at_its_start(domain: OpenDomain, path: str | None) -> bool:
    """True where the file has not changed since the domain was started."""
    folder = domain.connection.run_folder
    return path is not None and folder is not None and is_older(path, f"{folder}/{domain.name}.pid")


def _digest(connection: Connection, loader: str) -> str:
    if not loader or not connection.is_local:
        return ""
    try:
        return sha256_of(loader)
    except HoldfastError:
        # Unreadable for this user is "unknown", which is what an empty record says.
        return ""
