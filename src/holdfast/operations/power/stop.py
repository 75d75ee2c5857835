"""Stopping a domain: by its power button, or at once. No document is written."""

from __future__ import annotations

from holdfast.errors import NoConnection, power
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import SHUT_OFF, Definition
from holdfast.operations.guard import record_foreign_start
from holdfast.operations.power.state_change import (
    GONE,
    PowerChange,
    active_state,
    hearing_state,
    power_change,
)
from holdfast.operations.run_again import stay_off_after_boot
from holdfast.operations.session import changing, looking


def shutdown(connection: Connection, name: str, *, timeout: float = 60, dry_run: bool = False) -> PowerChange:
    """Press the power button and wait up to ``timeout`` seconds until the guest has stopped (virDomainShutdownFlags).

    Other commands on this domain do not wait for the guest. Raises NOT_RUNNING, PAUSED, ASLEEP, STILL_RUNNING when
    the guest still runs at the end, and LOST_AFTER_BUTTON.
    """
    with looking(connection, name).stopped() as stopped:
        with changing(connection, name, dry_run=dry_run) as domain:
            before, rescue = hearing_state(domain), domain.in_rescue
            if dry_run:
                return power_change(domain, before, dry_run, foreseen=SHUT_OFF, left_rescue=rescue)
            record_foreign_start(domain)
            stay_off_after_boot(domain)
            domain.shutdown()
        try:
            stopped.wait(timeout)
        except NoConnection as error:
            raise power.LOST_AFTER_BUTTON(name=domain.name, cause=error) from error
    domain.changed(*Definition)
    change = power_change(domain, before, dry_run, foreseen=SHUT_OFF, left_rescue=rescue)
    if change.after not in (SHUT_OFF, GONE):
        raise power.STILL_RUNNING(name=domain.name, seconds=timeout, state=change.after)
    return change


def destroy(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Switch off at once, as pulling the plug does (virDomainDestroyFlags). The config document stays.

    A transient domain, which has none, is gone afterwards. Raises NOT_RUNNING.
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        before, rescue = active_state(domain), domain.in_rescue
        if not dry_run:
            record_foreign_start(domain)
            stay_off_after_boot(domain)
            domain.destroy()
        return power_change(domain, before, dry_run, foreseen=SHUT_OFF, left_rescue=rescue)
