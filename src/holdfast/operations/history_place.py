"""Where the history of a libvirt's domains is kept, whether one is, what is set for it, and where copies of state are.

No document is needed for that, as ``log`` needs none: what reads one is imported where one is read.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError
from holdfast.errors.firmware import NO_STATE_PLACE
from holdfast.errors.history import NO_HISTORY_FOR
from holdfast.history.repository import HistoryPlace
from holdfast.hostfiles.history_folder import history_is_there
from holdfast.hostfiles.history_settings import HistorySettings, read_history_settings
from holdfast.hostfiles.process_owner import host_name, user_name
from holdfast.libvirtapi.connection import Connection

if TYPE_CHECKING:
    from holdfast.history.claims import Claims
    from holdfast.hostfiles.state_copies.place import StatePlace
    from holdfast.hostfiles.state_copies.state_copy import StateCopy


def history_place(connection: Connection) -> HistoryPlace:
    """Where the history of the domains of ``connection`` belongs. Raises NO_HISTORY_FOR.

    Its host is named as the machine, for other libvirts than that of the host with whose or where it is: they have
    domains of their own, and may push them to the same place.
    """
    if connection.history_folder is None:
        raise NO_HISTORY_FOR(uri=connection.uri)
    folder, of_host = Path(connection.history_folder), connection.is_of_host and connection.is_usual
    host = host_name()
    if connection.is_of_user:
        host = f"{user_name()}@{host}"
    elif not of_host:
        host = f"{host}:{folder.parent.parent}"
    return HistoryPlace(folder, shared=of_host, host=host, check=_parse)


def _parse(document: str) -> object:
    from holdfast.domainxml.document import parse

    return parse(document)


def keeps_history(connection: Connection) -> bool:
    """True where what changes over ``connection`` is recorded: of a user's own libvirt, else where its folder is."""
    if connection.readonly or not connection.records_changes:
        return False
    folder = connection.history_folder
    return folder is not None and (connection.is_of_user or history_is_there(Path(folder)))


def history_settings(connection: Connection) -> HistorySettings:
    """What is set for the history of the domains of ``connection``.

    Raises NO_HISTORY_FOR, and where the file is not as it must be SETTINGS_OF_OTHERS, SETTINGS_UNREADABLE, SETTING.
    """
    if connection.history_settings_file is None:
        raise NO_HISTORY_FOR(uri=connection.uri)
    file = Path(connection.history_settings_file)
    return read_history_settings(file, of_root=connection.is_of_host and connection.is_usual)


def claims_of(connection: Connection) -> Claims | None:
    """Where it says who has the domains of ``connection``: the remote that is set; None where none is.

    Raises what is wrong with the settings, and NOT_A_REMOTE.
    """
    from holdfast.history.claims import Claims  # as below

    if connection.history_settings_file is None:
        return None
    remote = history_settings(connection).remote
    return Claims(remote) if remote else None


def place_of_copies(connection: Connection) -> StatePlace:
    """Where the copies of the state of the domains of ``connection`` are.

    Raises NO_STATE_PLACE, COPIES_UNUSABLE, and what :func:`history_settings` does.
    """
    from holdfast.hostfiles.state_copies.place import state_place  # much is imported there, which few verbs need

    settings = history_settings(connection)
    if not settings.state:
        raise NO_STATE_PLACE(file=connection.history_settings_file)
    return state_place(settings.state)


def newest_copies(connection: Connection, uuid: str) -> dict[str, StateCopy]:
    """Kind → the last copy of the state of the domain ``uuid``; none where none are kept, or they cannot be seen."""
    with suppress(HoldfastError):
        copies = place_of_copies(connection).copies(uuid).get(uuid, [])
        return {copy.kind: copy for copy in reversed(copies)}
    return {}
