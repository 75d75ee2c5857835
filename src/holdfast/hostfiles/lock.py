"""One command at a time on one domain: a lock file per domain UUID, freed by the kernel whatever happens."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_SYSTEM = Path("/run/holdfast/lock")


def _folder() -> Path:
    if os.geteuid() == 0:
        return _SYSTEM
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime or f"/tmp/holdfast-{os.geteuid()}") / "holdfast" / "lock"


@contextlib.contextmanager
def domain_lock(uuid: str) -> Iterator[None]:
    """Hold the lock of the domain ``uuid``; waits while another command holds it (flock(2), advisory).

    It orders Holdfast's own commands on this machine, in threads and in processes; virsh and others do not ask.
    """
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / uuid).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
