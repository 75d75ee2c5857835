"""Machine types by name: which QEMU brought one and when, and which a host offers and which it calls deprecated."""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.domainxml.document import parse

_VERSION = re.compile(r"-(\d+)\.(\d+)$")
_MONTHS = {0: 4, 1: 8, 2: 12}
"""QEMU releases three times a year; the major number is the year since 4.0."""

_EARLY = {
    (2, 0): (2014, 4),
    (2, 1): (2014, 8),
    (2, 2): (2014, 12),
    (2, 3): (2015, 4),
    (2, 4): (2015, 8),
    (2, 5): (2015, 12),
    (2, 6): (2016, 5),
    (2, 7): (2016, 9),
    (2, 8): (2016, 12),
    (2, 9): (2017, 4),
    (2, 10): (2017, 8),
    (2, 11): (2017, 12),
    (2, 12): (2018, 4),
    (3, 0): (2018, 8),
    (3, 1): (2018, 12),
    **dict(zip(((1, n) for n in range(4, 8)), ((2013, 2), (2013, 5), (2013, 8), (2013, 11)), strict=True)),
}
"""Year and month of QEMU's releases before the rule (its release announcements)."""


@dataclass(frozen=True)
class MachineTypes:
    """What a host offers: architecture and name of each machine type → whether libvirt calls it deprecated.

    ``emulators`` are the QEMUs that were asked; of a domain with another one nothing is known.
    """

    deprecated: dict[tuple[str, str], bool]
    emulators: frozenset[str]


def machine_types(capabilities: str) -> MachineTypes:
    """Read a host's capabilities document (virConnectGetCapabilities)."""
    root = parse(capabilities, "capabilities")
    deprecated: dict[tuple[str, str], bool] = {}
    for arch in root.iterfind("guest/arch"):
        for machine in arch.iterfind(".//machine"):
            key = (arch.get("name", ""), machine.text or "")
            deprecated[key] = deprecated.get(key, False) or machine.get("deprecated") == "yes"
    return MachineTypes(deprecated, frozenset(found.text or "" for found in root.iterfind("guest/arch//emulator")))


def deprecated_cpus(domain_capabilities: str) -> frozenset[str]:
    """The CPU models that a domain capabilities document calls deprecated (libvirt ≥ 7.1)."""
    root = parse(domain_capabilities, "domainCapabilities")
    return frozenset(model.text or "" for model in root.iterfind("cpu/mode/model[@deprecated='yes']"))


def released(machine: str) -> tuple[int, int] | None:
    """Year and month of the QEMU release that brought a machine type; None where its name says no QEMU version."""
    match = _VERSION.search(machine)
    if match is None:
        return None
    major, minor = int(match[1]), int(match[2])
    if major < 4:
        return _EARLY.get((major, minor))
    return (2015 + major, _MONTHS[minor]) if minor in _MONTHS else None
