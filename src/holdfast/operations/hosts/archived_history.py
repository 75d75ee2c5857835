"""The history of a domain that goes along with it: a git bundle, in an archive or handed over from host to host.

It decides nothing, and nothing stops because of it.
"""

from __future__ import annotations

from holdfast.errors import HoldfastError
from holdfast.errors.history import NOT_A_BUNDLE
from holdfast.history.bundle import bundle_of, take_bundle
from holdfast.history.repository import Repository
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.change_record import said_once
from holdfast.operations.history_place import history_place, keeps_history

HISTORY = "history.bundle"
_MOST = 64 << 20
"""Bytes: what an archive hands out in one piece."""


def history_to_export(connection: Connection, uuid: str) -> tuple[bytes | None, list[str]]:
    """The history of a domain of this host as a git bundle, None where there is none; and why it is left out."""
    if not keeps_history(connection):
        return None, []
    try:
        with Repository(history_place(connection)) as repository:
            bundle = bundle_of(repository, uuid)
    except HoldfastError as error:
        return None, [f"its history is left out: {error.message}"]
    if bundle is not None and len(bundle) > _MOST:
        return None, [f"its history is left out: it is larger than {_MOST >> 20} MiB; 'history push' takes it along"]
    return bundle, []


def join_history(connection: Connection, uuid: str, bundle: bytes) -> None:
    """Join the history that the domain ``uuid`` brings to that of this host. It never raises: what hinders it is said
    once.
    """
    if not keeps_history(connection):
        return
    with said_once(), Repository.made(history_place(connection)) as repository:
        taken = take_bundle(repository, uuid, bundle)
        for why in taken.refused.values():
            raise NOT_A_BUNDLE(reason=why)
