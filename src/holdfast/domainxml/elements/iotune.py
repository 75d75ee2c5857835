"""``<iotune>`` of a disk: how much it may read and write. The guest sees nothing of it but time."""

from __future__ import annotations

from holdfast.domainxml.document import Element, child

LIMITS = tuple(f"{what}_{unit}_sec" for unit in ("bytes", "iops") for what in ("total", "read", "write"))
"""What can be limited, per second; ``_max`` and ``_max_length`` of each say how far a burst may go."""

_ALL = (*(f"{limit}{burst}" for limit in LIMITS for burst in ("", "_max", "_max_length")), "size_iops_sec")


def io_limit(disk: Element, name: str) -> int:
    """One of LIMITS; 0 stands for none."""
    return int(disk.findtext(f"iotune/{name}") or 0)


def set_io_limit(disk: Element, name: str, value: int) -> None:
    """Set one of LIMITS; 0 takes it away, with what its bursts were allowed."""
    tune = child(disk, "iotune")
    if value:
        child(tune, name).text = str(value)
        return
    for gone in (name, f"{name}_max", f"{name}_max_length"):
        for found in tune.findall(gone):
            tune.remove(found)
    if not len(tune):
        disk.remove(tune)


def io_parameters(disk: Element) -> dict[str, int]:
    """All limits as libvirt's call takes them: what is left out of a group it would take for 0 (9.0)."""
    return {name: io_limit(disk, name) for name in _ALL}


def order_limits(domain: Element) -> None:
    """Put all limits in the order in which libvirt prints them: its schema does not take every one (9.0)."""
    for tune in domain.iterfind("devices/disk/iotune"):
        tune[:] = sorted(tune, key=_printed)


def _printed(limit: Element) -> tuple[str, int]:
    name = str(limit.tag)
    return name.rpartition("_sec")[2], _ALL.index(name) if name in _ALL else len(_ALL)
