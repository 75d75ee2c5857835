"""Pausing a domain's vCPUs, and letting them run again."""

from __future__ import annotations

from holdfast.errors import power
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import PAUSED, RUNNING
from holdfast.operations.power.state_change import PowerChange, active_state, power_change
from holdfast.operations.session import changing


def suspend(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Pause the vCPUs; the guest notices only the time that passes (virDomainSuspend).

    Raises NOT_RUNNING, ALREADY_PAUSED.
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        before = active_state(domain)
        if before == PAUSED:
            raise power.ALREADY_PAUSED(name=domain.name)
        if not dry_run:
            domain.suspend()
        return power_change(domain, before, dry_run, foreseen=PAUSED)


def resume(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Let a paused domain run again (virDomainResume). Raises NOT_RUNNING, NOT_PAUSED."""
    with changing(connection, name, dry_run=dry_run) as domain:
        before = active_state(domain)
        if before != PAUSED:
            condition = power.NOT_PAUSED_ASLEEP if before == "pmsuspended" else power.NOT_PAUSED
            raise condition(name=domain.name, state=before)
        if not dry_run:
            domain.resume()
        return power_change(domain, before, dry_run, foreseen=RUNNING)
