"""A move that was cut off: how the domain stands on both hosts, and finishing it where its guest is at the other."""

from __future__ import annotations

from contextlib import suppress

from holdfast.errors import HoldfastError, NoConnection, NotFound
from holdfast.errors.hosts import (
    MOVE_CUT_OFF,
    MOVE_LEFT_PAUSED,
    MOVE_UNDER_WAY,
    NOT_MOVED,
    POST_COPY_LOST,
    RUNS_ON_BOTH,
)
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.hosts.arrived import refuse_other_guest
from holdfast.operations.hosts.destination import DestinationHost
from holdfast.operations.hosts.moving import Migrated
from holdfast.operations.own_state import state_of
from holdfast.operations.session import OpenDomain


def finish_cut_off(domain: OpenDomain, destination: DestinationHost, dry_run: bool) -> Migrated | None:
    """Finish an earlier move that brought the guest of ``domain`` to the destination; None where there was none.

    What is left here, a document and perhaps a QEMU whose memory is gone, goes. Raises RUNS_ON_BOTH, MOVE_LEFT_PAUSED,
    POST_COPY_LOST, MOVED_OTHERWISE. (virDomainDestroyFlags, virDomainUndefineFlags)
    """
    target, there = destination.connection, at(destination.connection, domain.uuid)
    is_left = migration.is_left_by_move(domain)
    if there is None or not there.is_active():
        if migration.is_stuck_in_post_copy(domain):
            raise POST_COPY_LOST(name=domain.name, uri=target.uri)
        if is_left:
            raise MOVE_LEFT_PAUSED(name=domain.name, uri=target.uri, cause="an earlier move of it ended in the middle")
        return None
    if domain.is_active() and not is_left:
        raise RUNS_ON_BOTH(name=domain.name, uri=target.uri)
    if not migration.is_whole(there):
        if migration.is_stuck_in_post_copy(domain):
            return None
        raise MOVE_UNDER_WAY(name=domain.name, uri=target.uri)
    config = domain.documents.config
    assert config is not None  # Need.CONFIG
    refuse_other_guest(there, target, domain.documents)
    kept = state_of(domain.connection, config)
    if not dry_run:
        if domain.is_active():
            domain.destroy()
        domain.config_change.is_gone, domain.config_change.end = True, EntryKind.MOVED
        domain.undefine(keep_nvram=True, keep_tpm=True)
    return Migrated(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        source=domain.connection.uri,
        destination=target.uri,
        live=True,
        notes=("its guest was there already, by an earlier move: that is finished", *(f"kept here: {f}" for f in kept)),
    )


def at(connection: Connection, uuid: str) -> Domain | None:
    """The domain ``uuid`` at ``connection``; None where there is none."""
    with suppress(NotFound):
        return connection.find_domain(uuid)
    return None


def told(domain: OpenDomain, target: Connection, error: HoldfastError) -> HoldfastError | None:
    """The error to raise for a move that ended with ``error``, by how both hosts stand; None where it is done."""
    domain.changed()
    here, is_left = _state(domain.connection, domain.uuid)
    there, _ = _state(target, domain.uuid)
    if here == "gone" and there in ("running", "paused"):
        return None
    if "unknown" in (here, there):
        return MOVE_CUT_OFF(name=domain.name, uri=target.uri, here=here, there=there, cause=error)
    if here == "paused" and there in ("gone", "shut off") and migration.is_stuck_in_post_copy(domain):
        return POST_COPY_LOST(name=domain.name, uri=target.uri)
    if here != "gone" and there == "gone":
        if is_left:
            return MOVE_LEFT_PAUSED(name=domain.name, uri=target.uri, cause=error)
        return NOT_MOVED(name=domain.name, state=here, cause=error)
    return MOVE_CUT_OFF(name=domain.name, uri=target.uri, here=here, there=there, cause=error)


def _state(connection: Connection, uuid: str) -> tuple[str, bool]:
    """The state of the domain in virsh's words, "gone", or "unknown"; and whether a move has left it paused."""
    try:
        domain = connection.find_domain(uuid)
        return domain.state(), migration.is_left_by_move(domain)
    except NotFound:
        return "gone", False
    except NoConnection:
        return "unknown", False
