"""Suspend to disk: libvirt's managed save, from which the next start continues instead of booting.

The guest comes back with the hardware that it was saved with, whatever config says by then. No document is written.
"""

from __future__ import annotations

from collections.abc import Collection

from holdfast.errors import power
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import SHUT_OFF
from holdfast.operations.guard import ColdStart
from holdfast.operations.managed_save import lost_by_discarding, refuse_with_managed_save
from holdfast.operations.power.start import start_locked
from holdfast.operations.power.state_change import PowerChange, power_change
from holdfast.operations.power_record import recorded_stop
from holdfast.operations.session import Need, changing


def save_domain(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Write the memory of a running domain to disk and stop it; returns when it is written (virDomainManagedSave).

    Raises NOT_RUNNING, TRANSIENT, IN_RESCUE, and MANAGED_SAVE over an older managed-save image.
    """
    needs = Need.RUNNING | Need.OWN_HARDWARE | Need.CONFIG
    with changing(connection, name, needs=needs, dry_run=dry_run) as domain:
        before = domain.state()
        refuse_with_managed_save(domain, "saving again would write over it")
        if not dry_run:
            with recorded_stop(domain):
                domain.managed_save()
        return power_change(domain, before, dry_run, foreseen=SHUT_OFF)


def restore_domain(
    connection: Connection, name: str, *, paused: bool = False, fresh: Collection[str] = (), dry_run: bool = False
) -> PowerChange:
    """Continue from the managed-save image, as ``start`` does where there is one (virDomainCreateWithFlags).

    ``waits`` of the result is what config has had changed since: it comes with the cold start after this. Raises
    NOTHING_TO_RESTORE, MANAGED_SAVE_UNREADABLE, STATE_GONE where NVRAM or TPM state is lost and not of a kind in
    ``fresh``, and MANAGED_SAVE_REFUSED when libvirt cannot continue from the image, which stays then.
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        if not domain.is_active() and not domain.has_managed_save():
            raise power.NOTHING_TO_RESTORE(name=domain.name)
        return start_locked(domain, paused=paused, fresh=fresh, dry_run=dry_run)


def discard_save(connection: Connection, name: str, *, missing_ok: bool = False, dry_run: bool = False) -> PowerChange:
    """Drop the managed-save image: the next start boots, as after pulling the plug (virDomainManagedSaveRemove).

    ``changes`` of the result are what the guest will see of it then. Raises NO_MANAGED_SAVE, unless ``missing_ok``.
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        is_there = domain.has_managed_save()
        if not (is_there or missing_ok):
            raise power.NO_MANAGED_SAVE(name=domain.name)
        before, changes = domain.state(), () if domain.is_active() else lost_by_discarding(domain)
        if is_there and not dry_run:
            domain.discard_managed_save()
        return power_change(domain, before, dry_run, ColdStart(changes), foreseen=before)
