"""The units that sizes in libvirt's documents have."""

from __future__ import annotations


def unit_size(unit: str | None) -> int | None:
    """The bytes in one of libvirt's units, in whatever case (virScaleInteger); None for none that it knows.

    Where no unit is given, a document's sizes are in KiB.
    """
    unit = (unit or "k").lower()
    if unit in ("b", "byte", "bytes"):
        return 1
    power = "kmgtpe".find(unit[:1]) + 1
    base = {"": 1024, "ib": 1024, "b": 1000}.get(unit[1:])
    return base**power if power and base else None
