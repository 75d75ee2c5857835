"""Stopping a domain: by its power button, or at once. No document is written."""

from __future__ import annotations

from holdfast.errors import NoConnection, fill, power
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import SHUT_OFF, Definition
from holdfast.operations.power.rescue_nvram import remove_left_copy
from holdfast.operations.power.state_change import (
    GONE,
    PowerChange,
    active_state,
    answering_state,
    power_change,
)
from holdfast.operations.power_record import record_missing, recorded_stop
from holdfast.operations.session import OpenDomain, changing, looking, with_missing_record


def shutdown(connection: Connection, name: str, *, timeout: float = 60, dry_run: bool = False) -> PowerChange:
    """Press the power button and wait up to ``timeout`` seconds until the guest has stopped (virDomainShutdownFlags).

    Other commands on this domain do not wait for the guest. Raises NOT_RUNNING, PAUSED, ASLEEP, STILL_RUNNING when
    the guest still runs at the end, and LOST_AFTER_BUTTON.
    """
    with looking(connection, name).stopped() as stopped:
        with changing(connection, name, dry_run=dry_run) as domain:
            if (recorded := _record_missing_stop(domain, dry_run)) is not None:
                return recorded
            before, rescue = answering_state(domain), domain.in_rescue
            if dry_run:
                return power_change(domain, before, dry_run, foreseen=SHUT_OFF, left_rescue=rescue)
            with recorded_stop(domain, at_once=False):
                domain.shutdown()
            lacks, domain.lacks = domain.lacks, None  # the guest is waited for all the same
        try:
            stopped.wait(timeout)
        except NoConnection as error:
            raise with_missing_record(power.LOST_AFTER_BUTTON(name=domain.name, cause=error), lacks) from error
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"the guest of {domain.name!r} was asked to shut down, and may still do so")
            if lacks is not None:
                interrupt.add_note(fill("it cannot be recorded {missing:;}: {cause}", lacks.fields))
            raise
    domain.changed(*Definition)
    change = power_change(domain, before, dry_run, foreseen=SHUT_OFF, left_rescue=rescue)
    if change.after not in (SHUT_OFF, GONE):
        still = power.STILL_RUNNING(name=domain.name, seconds=timeout, state=change.after)
        raise with_missing_record(still, lacks)
    if lacks is not None:
        raise lacks
    return change


def destroy(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Switch off at once, like pulling the plug (virDomainDestroyFlags). The config document stays.

    A transient domain, which has none, is gone afterwards. Where the domain is off already, what is missing from the
    record of its end is recorded: ``recorded_now`` says what. Raises NOT_RUNNING where nothing of that is missing.
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        if (recorded := _record_missing_stop(domain, dry_run)) is not None:
            return recorded
        before, rescue = active_state(domain), domain.in_rescue
        if not dry_run:
            if rescue:
                remove_left_copy(domain)
            with recorded_stop(domain):
                domain.destroy()
        return power_change(domain, before, dry_run, foreseen=SHUT_OFF, left_rescue=rescue)


def _record_missing_stop(domain: OpenDomain, dry_run: bool) -> PowerChange | None:
    """Record what is missing of a domain that is off already; None for any other, and where nothing is missing."""
    if domain.documents.live is not None:
        return None
    recorded = record_missing(domain, dry_run=dry_run)
    return power_change(domain, SHUT_OFF, dry_run, foreseen=SHUT_OFF, recorded_now=recorded) if recorded else None
