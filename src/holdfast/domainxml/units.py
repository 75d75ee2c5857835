"""The units in which libvirt's documents state sizes."""

from __future__ import annotations


def unit_size(unit: str | None) -> int | None:
    """How many bytes one ``unit`` is, in any case ("KiB", "m", "GB"); None for a unit that libvirt does not know.

    None stands for the unit of a document that states none: KiB. (virScaleInteger)
    """
    unit = (unit or "k").lower()
    if unit in ("b", "byte", "bytes"):
        return 1
    power = "kmgtpe".find(unit[:1]) + 1
    base = {"": 1024, "ib": 1024, "b": 1000}.get(unit[1:])
    return base**power if power and base else None
