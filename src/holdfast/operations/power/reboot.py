"""Rebooting a domain: by its guest, by the reset button, or by switching it off and on. No document is written.

The hard reboot is the shortest flow there is: what the host provides is mended, then the domain is destroyed and
started from the config document, which nobody generates.
"""

from __future__ import annotations

from collections.abc import Collection

from holdfast.errors import HoldfastError, NoConnection, power
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import RUNNING
from holdfast.operations.disks.known_files import look_at_images
from holdfast.operations.guard import look_before_start
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import refuse_lost_state
from holdfast.operations.power.mend_host_side import mend_host_side
from holdfast.operations.power.state_change import PowerChange, active_state, answering_state, power_change
from holdfast.operations.power_record import recorded_start
from holdfast.operations.session import Need, OpenDomain, changing


def reboot(
    connection: Connection,
    name: str,
    *,
    hard: bool = False,
    accept: bool = False,
    fresh: Collection[str] = (),
    dry_run: bool = False,
) -> PowerChange:
    """Let the guest reboot itself; returns once it was asked (virDomainReboot).

    ``hard``: mend what the host provides, then switch off and start again from the config document
    (virDomainDestroyFlags, virDomainCreateWithFlags). Raises IMAGE_MISSING, and UNASKED_AT_START where the guest would
    see what nobody asked for, or something else it needs is missing, unless ``accept`` takes it; STATE_GONE where its
    NVRAM or TPM state is lost and not of a kind in ``fresh`` ("nvram", "tpm"); TRANSIENT, for nothing would be left to
    start; MANAGED_SAVE, which the start would restore over changed disks; IN_RESCUE, which it would end unsaid. Raises
    OFF_AND_NOT_STARTED when it is off and does not start again.
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        if hard:
            return _reboot_hard(domain, accept, fresh, dry_run)
        before = answering_state(domain)
        if not dry_run:
            domain.reboot()
        return power_change(domain, before, dry_run, foreseen=before)


def _reboot_hard(domain: OpenDomain, accept: bool, fresh: Collection[str], dry_run: bool) -> PowerChange:
    before = active_state(domain)
    domain.refuse_unless(Need.OWN_HARDWARE | Need.CONFIG)
    refuse_with_managed_save(domain, "starting would restore that old memory")
    config = domain.documents.config
    if config is not None and not dry_run:
        refuse_lost_state(domain.connection, domain.name, config, fresh)
    side = mend_host_side(domain, dry_run=dry_run)
    unseen = look_at_images(domain, may_lack=accept or dry_run)
    cold_start = look_before_start(domain, accept=accept, fresh=fresh, dry_run=dry_run, missing=side.remains)
    if not dry_run:
        with recorded_start(domain):
            domain.destroy()
            try:
                domain.start()
            except NoConnection:  # nobody knows whether it runs
                raise
            except HoldfastError as error:
                raise power.OFF_AND_NOT_STARTED(name=domain.name, cause=error) from error
    return power_change(domain, before, dry_run, cold_start, foreseen=RUNNING, mended=side.mended, notes=unseen)


def reset(connection: Connection, name: str, *, dry_run: bool = False) -> PowerChange:
    """Press the reset button: the same QEMU with the same hardware boots anew (virDomainReset). Raises NOT_RUNNING."""
    with changing(connection, name, dry_run=dry_run) as domain:
        before = active_state(domain)
        if not dry_run:
            domain.reset()
        return power_change(domain, before, dry_run, foreseen=before)
