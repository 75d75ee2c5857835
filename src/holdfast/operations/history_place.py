"""Where the history of a libvirt's domains is kept, whether one is, and what is set for it.

No document is needed for that, as ``log`` needs none.
"""

from __future__ import annotations

from pathlib import Path

from holdfast.errors.history import NO_HISTORY_FOR
from holdfast.history.repository import HistoryPlace
from holdfast.hostfiles.history_folder import history_is_there
from holdfast.hostfiles.history_settings import HistorySettings, read_history_settings
from holdfast.libvirtapi.connection import Connection


def history_place(connection: Connection) -> HistoryPlace:
    """Where the history of the domains of ``connection`` belongs. Raises NO_HISTORY_FOR."""
    if connection.history_folder is None:
        raise NO_HISTORY_FOR(uri=connection.uri)
    return HistoryPlace(Path(connection.history_folder), shared=connection.is_of_host and connection.is_usual)


def keeps_history(connection: Connection) -> bool:
    """True where what changes over ``connection`` is recorded: of a user's own libvirt, else where its folder is."""
    folder = connection.history_folder
    return folder is not None and not connection.readonly and (connection.is_of_user or history_is_there(Path(folder)))


def history_settings(connection: Connection) -> HistorySettings:
    """What is set for the history of the domains of ``connection``.

    Raises NO_HISTORY_FOR, and where the file is not as it must be SETTINGS_OF_OTHERS, SETTINGS_UNREADABLE, SETTING.
    """
    if connection.history_settings_file is None:
        raise NO_HISTORY_FOR(uri=connection.uri)
    file = Path(connection.history_settings_file)
    return read_history_settings(file, of_root=connection.is_of_host and connection.is_usual)
