"""Moving a domain that is shut off: how it is said where its images go."""

from __future__ import annotations

from pathlib import Path

from holdfast import operations

MIB = 1 << 20
COPIED = operations.MoveOptions(copy_storage=True)


def maps(folder: Path) -> operations.HostMaps:
    """Images go into a folder of their own at the other host."""
    new = folder / "there"
    new.mkdir(exist_ok=True)
    return operations.HostMaps(paths={str(folder): str(new)})
