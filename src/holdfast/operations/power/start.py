"""Starting a domain that is shut off, from its config document or from saved memory. No document is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from holdfast.domainxml.fact import BeingMoved
from holdfast.domainxml.metadata import without_facts
from holdfast.errors import HoldfastError, LibvirtRefused, NotFound, power
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import PAUSED, RUNNING
from holdfast.operations.disks.known_files import look_at_images
from holdfast.operations.facts import rewrite
from holdfast.operations.guard import look_before_start
from holdfast.operations.managed_save import look_before_restore
from holdfast.operations.own_state import refuse_lost_state
from holdfast.operations.power.state_change import PowerChange, power_change
from holdfast.operations.power_record import record_missing, recorded_start
from holdfast.operations.session import OpenDomain, changing


def start(
    connection: Connection,
    name: str,
    *,
    paused: bool = False,
    fresh: Collection[str] = (),
    arrived: bool = False,
    dry_run: bool = False,
) -> PowerChange:
    """Start a domain that is shut off, from its config document or its managed-save image (virDomainCreateWithFlags).

    ``paused`` leaves its vCPUs stopped until :func:`resume`. A CPU or firmware that differs from the last start's is
    reported. ``fresh`` are the kinds of state, "nvram" and "tpm", that may be made anew where they are lost. The
    headers of its images are looked at, and ``notes`` name those that could not be. ``arrived`` takes a domain that is
    being moved here for this host's own: the other host has it no more.

    Where the domain runs already, what is missing from the record of its start is recorded: ``recorded_now`` says what.

    Raises NO_DOMAIN, ALREADY_RUNNING where nothing of that is missing, ARRIVING, UNFINISHED, STATE_GONE, IMAGE_MISSING,
    NAMES_ANOTHER_NOW for an image that names a file that no record mentions, MANAGED_SAVE_REFUSED, and what libvirt
    refuses; and STARTED_NOT_RECORDED where it runs, and libvirt cannot write that down.
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        domain.takes_arriving = arrived
        change = start_locked(domain, paused=paused, fresh=fresh, dry_run=dry_run)
        if arrived and not dry_run:  # not before it runs: a start that is refused leaves it to the other host's command
            rewrite(domain, lambda ours: without_facts(ours, BeingMoved, lambda _mark: True))
        return change


def start_locked(
    domain: OpenDomain,
    *,
    paused: bool = False,
    fresh: Collection[str] = (),
    dry_run: bool = False,
    mended: bool = False,
) -> PowerChange:
    """As :func:`start`, for a caller who holds the domain's lock; ``mended``: it has looked for missing images."""
    before = domain.state()
    if domain.is_active():
        if recorded := record_missing(domain, dry_run=dry_run):
            return power_change(domain, before, dry_run, foreseen=before, recorded_now=recorded)
        raise _already_running(domain, before)
    unseen = look_at_images(domain, may_lack=mended)
    if domain.has_managed_save():
        restored = _restore(domain, before, paused, fresh, dry_run)
        return replace(restored, notes=(*restored.notes, *unseen))
    cold_start = look_before_start(domain, fresh=fresh, dry_run=dry_run)
    if not dry_run:
        with recorded_start(domain):
            domain.start(paused)
    foreseen = PAUSED if paused else RUNNING
    return power_change(domain, before, dry_run, cold_start, foreseen=foreseen, notes=unseen)


def _restore(domain: OpenDomain, before: str, paused: bool, fresh: Collection[str], dry_run: bool) -> PowerChange:
    """Continue from the managed-save image; the record of CPU and firmware is still that of the start before."""
    waits = look_before_restore(domain)
    if domain.documents.config is not None:
        refuse_lost_state(domain.connection, domain.name, domain.documents.config, fresh)
    if not dry_run:
        try:
            with recorded_start(domain, cold=False):
                domain.start(paused)
        except (LibvirtRefused, NotFound) as error:
            raise power.MANAGED_SAVE_REFUSED(name=domain.name, cause=error) from error
    foreseen = PAUSED if paused else None  # nothing but the image itself knows whether the guest was paused
    return power_change(domain, before, dry_run, foreseen=foreseen, waits=waits, restored=True)


def _already_running(domain: OpenDomain, state: str) -> HoldfastError:
    if domain.in_rescue:
        return power.ALREADY_RUNNING_RESCUE(name=domain.name)
    condition = power.ALREADY_RUNNING_PAUSED if state == PAUSED else power.ALREADY_RUNNING
    return condition(name=domain.name)
