"""What goes to another host with a domain beside its documents and its memory: its history, and its autostart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from holdfast.errors import HoldfastError, NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.change_record import record_change
from holdfast.operations.documents import read_config
from holdfast.operations.history_place import keeps_history
from holdfast.operations.hosts.archived_history import history_to_export, join_history
from holdfast.operations.past.claim import moved_on


def take_along(source: Connection, target: Connection, uuid: str) -> Iterator[str]:
    """Let ``target``, where the domain ``uuid`` is now, have its history; yields what is left to do.

    Nothing stops because of it.
    """
    with suppress(NotFound):
        there = target.find_domain(uuid)
        bundle, why = history_to_export(source, uuid)
        yield from why
        if bundle is not None and not keeps_history(target):
            yield "its history stays where it was: push it to a remote there, and pull it on the other host"
        elif bundle is not None:
            join_history(target, uuid, bundle)
        record_change(target, uuid, None, lambda: read_config(there))
        yield from moved_on(source, target, uuid)


def start_with_host(there: Domain) -> Iterator[str]:
    """Let libvirt start the domain ``there`` with its host, as it was started before; yields what is left to do.

    (virDomainSetAutostart)
    """
    try:
        there.set_autostart(True)
    except HoldfastError as error:
        yield f"libvirt there does not start it with the host, as it was started here: {error.message}"
