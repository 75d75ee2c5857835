"""Suspend to disk: libvirt's managed save, from which the next start continues instead of booting.

The guest comes back with the hardware that it was saved with, whatever config says by then. No document is written.
"""

from __future__ import annotations

from holdfast.errors import Failed, Refused
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.guard import record_foreign_start
from holdfast.operations.managed_save import lost_by_discarding, refuse_with_managed_save
from holdfast.operations.power.start import PowerChange, active_state, change_of, start_locked
from holdfast.operations.rescue_mark import refuse_in_rescue
from holdfast.operations.run_again import unwant


def save_domain(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Write the memory of a running domain to disk and stop it; returns when it is written (virDomainManagedSave).

    Raises Failed when it does not run, Refused for a transient domain, in rescue, and over an older managed-save image.
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        before = active_state(domain)
        refuse_in_rescue(domain)
        if not domain.is_persistent():
            raise Refused(f"the domain {domain.name!r} is transient: there would be nothing to restore it as")
        refuse_with_managed_save(domain, "saving again would write over it")
        if not dry_run:
            record_foreign_start(domain)
            domain.managed_save()
            unwant(domain)
        return change_of(domain, before, dry_run)


def restore_domain(connection: Connection, name: str, *, paused: bool = False, dry_run: bool = False) -> PowerChange:
    """Continue from the managed-save image, as ``start`` does where there is one (virDomainCreateWithFlags).

    ``waits`` of the result is what config has had changed since: it comes with the cold start after this. Raises
    Failed when there is no image, when it is damaged, and when libvirt cannot continue from it: it stays then.
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        if not domain.is_active() and not domain.has_managed_save():
            raise Failed(
                f"the domain {domain.name!r} has no managed-save image", f"'holdfast start {domain.name}' boots it"
            )
        return start_locked(connection, domain, paused=paused, dry_run=dry_run)


def discard_save(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Drop the managed-save image: the next start boots, as after pulling the plug (virDomainManagedSaveRemove).

    ``guest_changes`` of the result is what the guest will find changed then. Raises Failed when there is no image.
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        if not domain.has_managed_save():
            raise Failed(f"the domain {domain.name!r} has no managed-save image")
        before, changes = domain.state(), () if domain.is_active() else lost_by_discarding(domain)
        if not dry_run:
            domain.discard_managed_save()
        return change_of(domain, before, dry_run, guest_changes=changes)
