"""Virtual machines on libvirt whose hardware never changes unless someone asks for it.

``holdfast.connect(uri)`` opens a connection; everything else is a function of ``holdfast.operations``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.operations.connect import Connection

__version__ = "0.1.0"


def connect(uri: str | None = None, readonly: bool = False, lock_timeout: float = 60.0) -> Connection:
    """Connect to libvirt at ``uri`` (None: libvirt's own default); see :func:`holdfast.operations.connect.connect`."""
    from holdfast.operations.connect import connect as operation

    return operation(uri, readonly, lock_timeout)
