"""Machine types: which ones a host has, as its ``<capabilities>`` list them, and how old their names say they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.domainxml.document import Element
from holdfast.domainxml.host.outlook import Effect, Outlook

_VERSIONED = re.compile(r"(?P<family>.+)-(?P<vendor>[a-z]*)(?P<version>[0-9]{1,9}(?:\.[0-9]{1,9})*)")
"""pc-q35-7.2, pc-q35-4.0.1, virt-7.2; and pc-q35-rhel9.2.0, another vendor's, with a numbering of its own."""
_FAMILIES = ("pc-q35", "pc-i440fx")
"""Families that also have names without a number: pc-q35-noble."""

_ALIASES = {"pc": "pc-i440fx", "q35": "pc-q35"}
"""QEMU's names for the newest of a family."""

_ACPI_HOTPLUG = "pc-q35-6.1"
"""The first version with ACPI hot-plug: acpi-pci-hotplug-with-bridge-support of ICH9-LPC (measured with QEMU 7.2)."""

_NAMED = 8
"""So many of the newest versions are named to a person."""

_MONTHS = {0: 4, 1: 8, 2: 12}
"""Minor number of a QEMU release → its month. There are three a year, and since 4.0 the major number is the year's."""

_EARLY: dict[tuple[int, ...], tuple[int, int]] = {
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
"""QemuRelease of QEMU before that rule → year and month, from the announcements."""


_YEARS = 6
"""Versions more than so many years old are not in a QEMU any more; its major number goes up once a year."""

_FIRST_TO_DROP = (10, 1)
"""The QEMU from which on that rule is in force: it dropped all versions up to 4.1 at once (include/hw/boards.h)."""


class QemuRelease(NamedTuple):
    """A release of QEMU: "10.1", and the year and month in which it came, or is due."""

    version: str
    year: int
    month: int


@dataclass(frozen=True)
class MachineType:
    """A machine type of a host; ``canonical`` is the versioned type that an alias ("q35") stands for, else None."""

    name: str
    canonical: str | None
    deprecated: bool


def read_machine_types(capabilities: Element, arch: str, virt_type: str) -> dict[str, MachineType]:
    """Name → machine type, for one architecture and virtualisation type (virConnectGetCapabilities).

    Empty when the host has no emulator for them.
    """
    found: dict[str, MachineType] = {}
    for node in capabilities.iterfind("guest/arch"):
        for kind in node.iterfind("domain") if node.get("name") == arch else ():
            if kind.get("type") != virt_type:
                continue
            for machine in (*node.iterfind("machine"), *kind.iterfind("machine")):
                name = machine.text or ""
                found[name] = MachineType(name, machine.get("canonical"), machine.get("deprecated") == "yes")
    return found


def emulators(capabilities: Element) -> frozenset[str]:
    """The paths of the QEMUs that ``capabilities`` speak of; of a domain with another one they say nothing."""
    return frozenset(found.text or "" for found in capabilities.iterfind("guest/arch//emulator"))


def family(name: str) -> str:
    """The part of a name that is the same in all versions: "pc-q35" of pc-q35-7.2; all of a name without a version."""
    match = _VERSIONED.fullmatch(name)
    if match is not None:
        return match["family"]
    return next((stem for stem in _FAMILIES if name.startswith(f"{stem}-")), name)


def kind_of(name: str) -> str:
    """The family, also of an alias for its newest: "pc-q35" of pc-q35-7.2 and of q35."""
    return _ALIASES.get(name, family(name))


def is_newer(name: str, other: str) -> bool | None:
    """True when ``name`` is a later version than ``other``; None when the names do not say."""
    one, two = _VERSIONED.fullmatch(name), _VERSIONED.fullmatch(other)
    if one is None or two is None or (one["family"], one["vendor"]) != (two["family"], two["vendor"]):
        return None
    return _numbers(one["version"]) > _numbers(two["version"])


def of_family(name: str, machines: Iterable[str]) -> list[str]:
    """Those of ``machines`` that are versioned types of the family of ``name``, the newest first."""
    same = [machine for machine in machines if machine != family(machine) == family(name)]
    return sorted(same, key=_age, reverse=True)


def newest(name: str, machines: Iterable[str]) -> list[str]:
    """The first few of :func:`of_family`; where there are more, the last item says how many."""
    names = of_family(name, machines)
    older = len(names) - _NAMED
    return names if older < 1 else [*names[:_NAMED], f"and {older} older"]


def released(name: str) -> tuple[int, int] | None:
    """Year and month of the QEMU release that brought a machine type; None where its name names no release of QEMU."""
    version = _of_qemu(name)
    return _when(version) if len(version) == 2 else None


def dropped_in(name: str) -> QemuRelease | None:
    """The release from which on no QEMU has a machine type; None where its name names no release of QEMU."""
    version = _of_qemu(name)[:2]
    if _when(version) is None:
        return None
    last = max((version[0] + _YEARS, version[1]), _FIRST_TO_DROP)
    when = _when(last)
    return None if when is None else QemuRelease("{}.{}".format(*last), *when)


def why_it_ends(name: str) -> str:
    """Which QEMU no longer has a machine type, in words."""
    release = dropped_in(name)
    if release is None:
        return "a later QEMU no longer has it"
    return f"QEMU {release.version} ({release.year}-{release.month:02}) no longer has it"


def _of_qemu(name: str) -> tuple[int, ...]:
    """The version of QEMU in a name: (4, 0) of pc-q35-4.0; () where there is none, or it is another vendor's."""
    match = _VERSIONED.fullmatch(name)
    return _numbers(match["version"]) if match is not None and not match["vendor"] else ()


def _when(version: tuple[int, ...]) -> tuple[int, int] | None:
    if len(version) != 2 or version[0] < 4:
        return _EARLY.get(version)
    return (2015 + version[0], _MONTHS[version[1]]) if version[1] in _MONTHS else None


def crossing_notes(name: str, other: str) -> list[Outlook]:
    """What is known to differ for a guest between two versions of one family, beyond what a document says."""
    sentence = (
        "versions differ in more than their name: ACPI tables, defaults of devices, the version in the DMI tables"
    )
    notes = [Outlook(Effect.NOTE, "machine", sentence)]
    if is_newer(_ACPI_HOTPLUG, name) != is_newer(_ACPI_HOTPLUG, other):
        sentence = (
            f"from {_ACPI_HOTPLUG} on PCI hot-plug goes through ACPI: a guest that names interfaces after their slots "
            "may name them anew"
        )
        notes.append(Outlook(Effect.NOTE, "machine", sentence))
    return notes


def machine_outlook(name: str, there: Mapping[str, MachineType], here: Mapping[str, MachineType]) -> list[Outlook]:
    """What a cold start does to a domain with the machine type ``name`` on a host that has the types ``there``.

    ``here`` are the types of the host that the domain is on: they say what an alias has meant until now.
    """
    machine = there.get(name)
    if machine is None:
        newest = of_family(name, there)[:1]
        instead = f"; the newest of its family is {newest[0]}" if newest else ", nor any of its family"
        return [Outlook(Effect.BLOCKS, "machine", f"the host has no machine type {name}{instead}")]
    found = []
    was = here[name].canonical if name in here else None
    if machine.canonical is not None and was not in (None, machine.canonical):
        sentence = f"the machine type {name} stands for {machine.canonical}, and not for {was}"
        found.append(Outlook(Effect.CHANGES, "machine", sentence))
    real = there.get(machine.canonical or "", machine)
    if machine.deprecated or real.deprecated:
        sentence = f"the machine type {real.name} is deprecated: {why_it_ends(real.name)}"
        found.append(Outlook(Effect.NOTE, "machine", sentence))
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _age(name: str) -> tuple[str, tuple[int, ...], str]:
    match = _VERSIONED.fullmatch(name)
    return ("", (), name) if match is None else (match["vendor"], _numbers(match["version"]), name)
