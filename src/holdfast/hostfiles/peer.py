"""Whether the process behind a socket sees the files that we see: one in a container, or in a chroot, has its own."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

_TIMEOUT = 1.0


def has_our_files(path: str) -> bool | None:
    """True where whoever listens at the UNIX socket ``path`` has our root folder; None where nobody can tell."""
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_TIMEOUT)
            asking.connect(path)
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, _, _ = struct.unpack("3i", credentials)
        return os.path.samestat(Path(f"/proc/{pid}/root/").stat(), Path("/").stat()) if pid else None
    except OSError:
        return None
