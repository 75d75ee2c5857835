"""Opening a connection: the first call of every program that uses Holdfast."""

from __future__ import annotations

from holdfast.libvirtapi.connection import Connection as Connection
from holdfast.libvirtapi.connection import open_connection


def connect(uri: str | None = None, readonly: bool = False, lock_timeout: float = 60.0) -> Connection:
    """Connect to libvirt at ``uri``; None means libvirt's own default (``LIBVIRT_DEFAULT_URI`` respected).

    ``lock_timeout`` is how many seconds an operation waits while another one works on the same domain, before it
    raises LOCKED; 0 does not wait. Returns a connection that is its own context manager. Raises NoConnection.
    (virConnectOpen)
    """
    return open_connection(uri, readonly, lock_timeout)
