"""Moving a domain to another host with the hardware that its guest has: while the guest runs, or shut off."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from holdfast.domainxml.make.rebind import NO_MAPS, HostMaps, unused_maps
from holdfast.errors import NotFound
from holdfast.errors.hosts import ALREADY_THERE, SAME_HOST
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.capabilities import host_uuid
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.hosts.cold.move_cold import move_cold, settle_move
from holdfast.operations.hosts.destination import DestinationHost
from holdfast.operations.hosts.live.cut_off import finish_cut_off
from holdfast.operations.hosts.live.move_live import move_live
from holdfast.operations.hosts.moving import Migrated, MoveOptions, MoveProgress
from holdfast.operations.session import Need, changing, refuse_read_only

AS_IS = MoveOptions()


def migrate_domain(
    connection: Connection,
    name: str,
    target: Connection,
    *,
    maps: HostMaps = NO_MAPS,
    options: MoveOptions = AS_IS,
    progress: MoveProgress | None = None,
    dry_run: bool = False,
) -> Migrated:
    """Move the domain ``name`` to the host of ``target``, with every address that it has; a guest that runs goes on.

    Both documents arrive with that host's side, as ``maps`` say, and nothing else changed: what waits for the next
    start still waits there. Then the source is undefined.

    Raises SAME_HOST, NO_DOMAIN, TRANSIENT, IN_RESCUE, UNFINISHED, READ_ONLY; UUID_THERE, NAME_THERE, MAC_IN_USE,
    SEES_OTHER_THERE, CANNOT_BE_THERE, after which nothing has changed; and what :func:`.live.move_live.move_live` and
    :func:`.move_cold.move_cold` raise.
    """
    if (settled := _settled(connection, name, target, dry_run=dry_run)) is not None:
        return settled
    with changing(connection, name, needs=Need.CONFIG | Need.OWN_HARDWARE | Need.WHOLE, dry_run=dry_run) as domain:
        refuse_read_only(target, domain.name, dry_run=dry_run)
        if host_uuid(target) == host_uuid(connection):
            raise SAME_HOST(name=domain.name, uri=target.uri)
        destination = DestinationHost(target, maps, HostOutlook(connection))
        if (finished := finish_cut_off(domain, destination, dry_run)) is not None:
            return finished
        config = domain.documents.config
        notes = () if config is None else tuple(unused_maps(config, maps))
        move = move_live if domain.is_active() else move_cold
        moved = move(domain, destination, options, progress, dry_run)
        return replace(moved, notes=(*notes, *moved.notes))


def _settled(connection: Connection, name: str, target: Connection, *, dry_run: bool) -> Migrated | None:
    """Finish a cold move of a domain that the source does not have any more; None for one that it has.

    Raises ALREADY_THERE for a domain that the destination has by now, and NO_DOMAIN.
    """
    try:
        connection.find_domain(name)
    except NotFound:
        if not dry_run and (moved := settle_move(connection, name, target)) is not None:
            return moved
        with suppress(NotFound):
            there = target.find_domain(name)
            raise ALREADY_THERE(name=there.name, uri=target.uri, state=there.state()) from None
        raise
    return None
