"""Two views of one document as outlooks: what its guest would see differ, although the document does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.operations.probe.observe import ProbeView
from holdfast.operations.probe.tables import strings_of
from holdfast.text import plural

T = TypeVar("T")

_SMBIOS = {"0": "BIOS", "1": "system", "2": "board", "3": "chassis", "4": "processor", "16": "memory", "17": "memory"}


def probe_changes(before: ProbeView, after: ProbeView) -> Iterator[Outlook]:
    """What ``after`` has otherwise than ``before``."""
    for name, old, new in _unlike(before.acpi, after.acpi):
        yield _changes("acpi", f"the ACPI table {name}", _content(old, new))
    for name, old, new in _unlike(before.smbios, after.smbios):
        kind = _SMBIOS.get(name.partition(" ")[0])
        what = f"the SMBIOS structure {name}{f' ({kind})' if kind else ''}"
        yield _changes("smbios", what, _strings(old, new) or _content(old, new))
    yield from _functions(before.pci, after.pci)
    for part, was, becomes in (
        ("pci", before.regions, after.regions),
        ("cpu", before.cpu, after.cpu),
        ("virtio", before.virtio, after.virtio),
        ("watchdog", before.watchdog, after.watchdog),
    ):
        for name, had, has in _unlike(was, becomes):
            if part != "pci" or (had is not None and has is not None):
                yield _changes(part, _named(part, name), f"{has or 'nothing'}, was {had or 'nothing'}")


def _functions(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[Outlook]:
    """Those of which the same can be said, in one sentence."""
    said: dict[str, list[str]] = {}
    for name, old, new in _unlike(before, after):
        said.setdefault(_registers(old, new), []).append(name)
    for words, names in said.items():
        yield _changes("pci", f"the PCI {plural(len(names), 'function')} {', '.join(names)}", words)


def _named(part: str, name: str) -> str:
    return {
        "pci": f"the regions of the PCI function {name}",
        "cpu": f"the CPU's {name}",
        "virtio": f"the length of the queues of {name}",
        "watchdog": f"the watchdog {name}",
    }[part]


def _changes(part: str, what: str, words: str) -> Outlook:
    return Outlook(Effect.CHANGES, part, f"{what}: {words}")


def _unlike(before: Mapping[str, T], after: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _content(old: bytes | None, new: bytes | None) -> str:
    if old is None or new is None:
        return "new there" if old is None else "gone there"
    return f"other content ({len(new)} bytes, was {len(old)})"


def _strings(old: bytes | None, new: bytes | None) -> str:
    if old is None or new is None:
        return ""
    was, becomes = strings_of(old), strings_of(new)
    return "" if was == becomes else f"says {', '.join(becomes)}; said {', '.join(was)}"


def _registers(old: bytes | None, new: bytes | None) -> str:
    """The dwords that differ, as the ranges that they make up."""
    if old is None or new is None:
        return "new there" if old is None else "gone there"
    unlike = [at for at in range(0, min(len(old), len(new)), 4) if old[at : at + 4] != new[at : at + 4]]
    ranges: list[list[int]] = []
    for at in unlike:
        if ranges and ranges[-1][1] == at:
            ranges[-1][1] = at + 4
        else:
            ranges.append([at, at + 4])
    return f"other config space at {', '.join(f'{start:#x}-{end - 1:#x}' for start, end in ranges)}"
