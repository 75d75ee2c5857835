"""Starting, stopping and pausing a domain. No document is ever written here: a hard reboot is destroy and start.

Each operation holds the domain's lock while it looks and acts, and returns what it did as a :class:`PowerChange`.
All raise NotFound without such a domain, Failed when its state does not allow the step (nothing was changed then), and
LibvirtRefused, NoConnection as libvirt's answer demands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from holdfast.errors import Failed, HoldfastError, LibvirtRefused, NotFound, PartlyDone, Refused
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.guard import look_before_start, record_foreign_start, record_start
from holdfast.operations.managed_save import look_before_restore, refuse_with_managed_save
from holdfast.operations.power.mend_host_side import mend_host_side
from holdfast.operations.rescue_mark import in_rescue, refuse_in_rescue
from holdfast.operations.run_again import unwant, want

GONE = "gone"
"""The state after a transient domain has stopped: libvirt forgets it."""

_DEAF = {
    "paused": "'holdfast resume {name}' lets it run",
    "pmsuspended": "'virsh dompmwakeup {name}' wakes it",
}
"""States in which a guest cannot answer a button, and what to do about it."""


@dataclass(frozen=True)
class PowerChange:
    """What a power operation did: the states before and after, in virsh's words (after: read back; also "gone").

    ``guest_changes`` are sentences about what the guest finds changed at this cold start, because config and live
    differed. ``dry_run``: nothing was done, so ``after`` equals ``before``.
    """

    name: str
    uuid: str
    before: str
    after: str
    dry_run: bool
    restored: bool = False
    """True when the start continues from a managed-save image instead of booting."""
    guest_changes: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    """What of the host side was mended before a hard reboot, in sentences."""
    left_rescue: bool = False
    """True when this ended (in a dry run: would end) a rescue: the next start is the domain's own."""
    waits: tuple[str, ...] = ()
    """What a restored guest will find changed only at its next cold start, because config was changed meanwhile."""


def start(connection: Connection, name: str, *, paused: bool = False, dry_run: bool = False) -> PowerChange:
    """Start a domain that is shut off, from its config document or its managed-save image (virDomainCreateWithFlags).

    ``paused`` leaves its vCPUs stopped until :func:`resume`. A CPU or firmware that differs from the last start's is
    reported.
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        return start_locked(connection, domain, paused=paused, dry_run=dry_run)


def start_locked(connection: Connection, domain: Domain, *, paused: bool = False, dry_run: bool = False) -> PowerChange:
    """As :func:`start`, for a caller who holds the domain's lock."""
    before = domain.state()
    if domain.is_active():
        raise Failed(f"the domain {domain.name!r} is already running", _hint_if_active(domain, before))
    if domain.has_managed_save():
        return _restore(connection, domain, before, paused, dry_run)
    changes = look_before_start(connection, domain, dry_run=dry_run)
    if not dry_run:
        domain.start(paused)
        want(domain)
        record_start(connection, domain)
    return change_of(domain, before, dry_run, guest_changes=changes)


def _restore(connection: Connection, domain: Domain, before: str, paused: bool, dry_run: bool) -> PowerChange:
    """Continue from the managed-save image; the record of CPU and firmware is still that of the start before."""
    waits = look_before_restore(connection, domain)
    if not dry_run:
        try:
            domain.start(paused)
        except LibvirtRefused as error:
            raise Failed(
                f"the saved memory of {domain.name!r} cannot be restored: {error.message}",
                f"remove the cause, or drop it with 'holdfast discard-save {domain.name}'",
            ) from error
        want(domain)
    return replace(change_of(domain, before, dry_run), restored=True, waits=waits)


def shutdown(connection: Connection, name: str, *, timeout: float = 60, dry_run: bool = False) -> PowerChange:
    """Press the power button and wait up to ``timeout`` seconds until the guest has stopped (virDomainShutdownFlags).

    Other commands on this domain do not wait for the guest. Raises PartlyDone when the guest still runs at the end.
    """
    domain = connection.find_domain(name)
    with domain.stopped() as stopped:
        with domain_lock(domain.uuid):
            before, rescue = state_that_hears(domain), in_rescue(domain)
            if dry_run:
                return change_of(domain, before, dry_run, left_rescue=rescue)
            record_foreign_start(domain)
            unwant(domain)
            domain.shutdown()
        stopped.wait(timeout)
    change = change_of(domain, before, dry_run, left_rescue=rescue)
    if change.after not in ("shut off", GONE):
        raise PartlyDone(
            f"the power button of {domain.name!r} was pressed; after {timeout:g} s the guest is still {change.after}",
            f"wait for it or repeat 'holdfast shutdown {domain.name}'; "
            f"'holdfast destroy {domain.name}' switches it off at once, as pulling the plug does",
        )
    return change


def reboot(
    connection: Connection, name: str, *, hard: bool = False, accept: bool = False, dry_run: bool = False
) -> PowerChange:
    """Let the guest reboot itself; returns once it was asked (virDomainReboot).

    ``hard``: mend what the host provides, then switch off and start again from the config document, which nobody
    generates (virDomainDestroyFlags, virDomainCreateWithFlags). Raises Refused where the guest would find its hardware
    changed and nobody asked for that, or something it needs is missing, unless ``accept`` takes it; for a transient
    domain, of which nothing would be left to start; for one with a managed-save image, which the start would restore
    over changed disks; in rescue, which it would end unsaid. Raises PartlyDone when it is off and does not start again.
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        if hard:
            return _reboot_hard(connection, domain, accept, dry_run)
        before = state_that_hears(domain)
        if not dry_run:
            domain.reboot()
        return change_of(domain, before, dry_run)


def _reboot_hard(connection: Connection, domain: Domain, accept: bool, dry_run: bool) -> PowerChange:
    before = active_state(domain)
    refuse_in_rescue(domain)
    if not domain.is_persistent():
        raise Refused(
            f"the domain {domain.name!r} is transient: once switched off there is no config document to start it from",
            f"'virsh dumpxml --security-info {domain.name}' shows the only document it has",
        )
    refuse_with_managed_save(domain, "starting would restore that old memory")
    side = mend_host_side(connection, domain, dry_run=dry_run)
    changes = look_before_start(connection, domain, accept=accept, dry_run=dry_run, missing=side.remains)
    if not dry_run:
        want(domain)
        domain.destroy()
        try:
            domain.start()
        except HoldfastError as error:
            raise PartlyDone(
                f"the domain {domain.name!r} was switched off, but does not start again: {error.message}",
                f"its config document is unchanged; remove the cause, then 'holdfast start {domain.name}'",
            ) from error
        record_start(connection, domain)
    return replace(change_of(domain, before, dry_run, guest_changes=changes), mended=side.mended)


def reset(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Press the reset button: the same QEMU with the same hardware boots anew (virDomainReset)."""
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        before = active_state(domain)
        if not dry_run:
            domain.reset()
        return change_of(domain, before, dry_run)


def destroy(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Switch off at once, as pulling the plug does (virDomainDestroyFlags). The config document stays.

    A transient domain, which has none, is gone afterwards.
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        before, rescue = active_state(domain), in_rescue(domain)
        if not dry_run:
            record_foreign_start(domain)
            unwant(domain)
            domain.destroy()
        return change_of(domain, before, dry_run, left_rescue=rescue)


def suspend(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Pause the vCPUs; the guest notices only the time that passes (virDomainSuspend)."""
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        before = active_state(domain)
        if before == "paused":
            raise Failed(f"the domain {domain.name!r} is already paused", _DEAF["paused"].format(name=domain.name))
        if not dry_run:
            domain.suspend()
        return change_of(domain, before, dry_run)


def resume(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Let a paused domain run again (virDomainResume)."""
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        before = active_state(domain)
        if before != "paused":
            hint = _DEAF["pmsuspended"].format(name=domain.name) if before == "pmsuspended" else None
            raise Failed(f"the domain {domain.name!r} is not paused, it is {before}", hint)
        if not dry_run:
            domain.resume()
        return change_of(domain, before, dry_run)


def active_state(domain: Domain) -> str:
    """The state of a domain that must have a QEMU; Failed when it has none."""
    if not domain.is_active():
        raise Failed(f"the domain {domain.name!r} is not running", f"'holdfast start {domain.name}' starts it")
    return domain.state()


def state_that_hears(domain: Domain) -> str:
    """The state of a domain whose guest can answer a button; Failed when it cannot."""
    state = active_state(domain)
    if state in _DEAF:
        raise Failed(
            f"the domain {domain.name!r} is {state}: its guest cannot answer", _DEAF[state].format(name=domain.name)
        )
    return state


def _hint_if_active(domain: Domain, state: str) -> str | None:
    if in_rescue(domain):
        return f"it is in rescue: 'holdfast unrescue {domain.name}' leaves it"
    return _DEAF["paused"].format(name=domain.name) if state == "paused" else None


def change_of(
    domain: Domain,
    before: str,
    dry_run: bool,
    *,
    guest_changes: tuple[str, ...] = (),
    left_rescue: bool = False,
) -> PowerChange:
    """What was done to ``domain``, whose state was ``before``; the state after it is read now."""
    try:
        after = domain.state()
    except NotFound:
        after = GONE
    return PowerChange(
        domain.name, domain.uuid, before, after, dry_run, guest_changes=guest_changes, left_rescue=left_rescue
    )
