"""libvirt's folder of config documents, really read-only or really full for a while: nothing can be recorded."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

WAYS = ("read-only", "full")

_LOCK = """
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
"""
_FILL = """
mount -t tmpfs -o size=1m full "$2"
cp -a "$1/." "$2"
cat /dev/zero >"$2/zeros" 2>/dev/null || true
mount --move "$2" "$1"
! touch "$1/more" || ! echo x >"$1/more"
"""
"""``$1`` with what is in it, and no room beside."""


@contextlib.contextmanager
def unwritable(folder: Path, way: str, *inside: str) -> Iterator[None]:
    """Nothing can be written to ``folder``, in one of the WAYS, by whoever sees what commands ``inside`` mount.

    Nothing in it may be removed meanwhile.
    """
    script = _LOCK if way == "read-only" else _FILL
    aside = folder.with_name(f"{folder.name}.aside")
    subprocess.run([*inside, "mkdir", "-p", aside], check=True)
    subprocess.run([*inside, "sh", "-ec", script, "sh", folder, aside], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*inside, "umount", folder], check=True)
        subprocess.run([*inside, "rmdir", aside], check=True)
