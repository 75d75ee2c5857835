"""``<iotune>`` of a disk: how fast its guest may read and write. The guest sees nothing of it but time."""

from __future__ import annotations

from holdfast.domainxml.document import Element, child, remove_children
from holdfast.domainxml.number import number_at

LIMITS = tuple(f"{what}_{unit}_sec" for unit in ("bytes", "iops") for what in ("total", "read", "write"))
"""What can be limited, per second. ``_max`` and ``_max_length`` of each say how far and how long a burst may go."""

_ALL = (*(f"{limit}{burst}" for limit in LIMITS for burst in ("", "_max", "_max_length")), "size_iops_sec")


def io_limit(disk: Element, name: str) -> int:
    """The limit ``name``, one of LIMITS; 0 for none."""
    return number_at(disk, f"iotune/{name}")


def set_io_limit(disk: Element, name: str, value: int) -> None:
    """Set the limit ``name``, one of LIMITS; 0 takes it away, and what bursts were allowed with it."""
    tune = child(disk, "iotune")
    if value:
        child(tune, name).text = str(value)
        return
    remove_children(tune, name, f"{name}_max", f"{name}_max_length")
    if not len(tune):
        disk.remove(tune)


def io_parameters(disk: Element) -> dict[str, int]:
    """All limits, those of 0 included: libvirt's call (9.0) sets to 0 what is left out of a group."""
    return {name: io_limit(disk, name) for name in _ALL}


def order_limits(domain: Element) -> None:
    """Put the limits of all disks in the order in which libvirt prints them: its schema (9.0) refuses some others."""
    for tune in domain.iterfind("devices/disk/iotune"):
        tune[:] = sorted(tune, key=_order)


def _order(limit: Element) -> tuple[str, int]:
    name = str(limit.tag)
    return name.rpartition("_sec")[2], _ALL.index(name) if name in _ALL else len(_ALL)
