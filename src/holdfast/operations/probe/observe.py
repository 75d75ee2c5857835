"""What one probe shows: its tables, the config space of its PCI functions, its CPU's registers, its virtio queues."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.elements.memory import total_memory
from holdfast.errors import NotFound
from holdfast.errors.hosts import PROBE_NOT_READ, PROBE_SILENT
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.monitor import start_probe
from holdfast.operations.probe.memory import ProbeMemory
from holdfast.operations.probe.tables import acpi_tables, config_base, find_tables, smbios_structures

_PATIENCE, _PAUSE = 180.0, 1.0
"""Seconds in which a firmware has to describe its machine, and those between two looks."""
_CPU = ("vendor", "family", "model", "stepping", "model-id", "level", "xlevel", "phys-bits")
_BRIDGE = 1
_OF_THE_BOARD, _CHIPSET = (0x0600, 0x0601), (0x40, 0x100)
"""The classes of host and ISA bridges (PCI Code and ID 1.16), and where their registers are for firmware alone."""
_SET_BY_FIRMWARE = {
    0: ((0x04, 0x0E), (0x10, 0x28), (0x30, 0x34), (0x3C, 0x3D)),
    _BRIDGE: ((0x04, 0x0E), (0x10, 0x34), (0x38, 0x3D), (0x3E, 0x40)),
}
"""Registers in the config space of a device and a bridge that tell how it was set, not what it is."""


@dataclass(frozen=True)
class ProbeView:
    """What a probe has, each by its name: the content of tables and config spaces, and numbers as text."""

    acpi: dict[str, bytes]
    smbios: dict[str, bytes]
    pci: dict[str, bytes]
    regions: dict[str, str]
    cpu: dict[str, str]
    virtio: dict[str, str]
    watchdog: dict[str, str]


def observe(connection: Connection, document: Element) -> ProbeView:
    """What the QEMU of ``connection`` makes of ``document``: it is started there for a moment.

    It is looked at while it stands still, until twice the same is seen: then its firmware has done its work. Raises
    PROBE_SILENT where it does not come to that, PROBE_NOT_READ, LibvirtRefused where it cannot be started, and NotFound
    where its QEMU ends.
    """
    probe = start_probe(connection, serialize(document))
    try:
        return _settled(probe, document)
    finally:
        with suppress(NotFound):  # its QEMU has ended
            probe.destroy()


def _settled(probe: Domain, document: Element) -> ProbeView:
    size, has_acpi = total_memory(document), document.find("features/acpi") is not None
    seen, end = None, time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        time.sleep(_PAUSE)
        probe.suspend()
        try:
            now = _look(ProbeMemory(probe), size, has_acpi)
        except (KeyError, TypeError, ValueError) as error:
            raise PROBE_NOT_READ(reason=f"{type(error).__name__} {error}") from error
        if now is not None and now == seen:
            return now
        seen = now
        probe.resume()
    raise PROBE_SILENT(seconds=int(_PATIENCE))


def _look(memory: ProbeMemory, size: int, has_acpi: bool) -> ProbeView | None:
    """All that is seen now; None while the firmware has not described the machine."""
    tables = find_tables(memory, size)
    if tables.smbios is None or (tables.acpi is None and has_acpi):
        return None
    acpi = {} if tables.acpi is None else acpi_tables(memory, tables.acpi)
    functions = [*_functions(memory.ask("query-pci") or [])]
    return ProbeView(
        acpi=acpi,
        smbios=smbios_structures(memory, tables.smbios),
        pci={_name(each): _config_space(memory, each, acpi.get("MCFG")) for each in functions},
        regions={_name(each): _regions(each) for each in functions},
        cpu=dict(_cpu(memory)),
        virtio=dict(_queues(memory)),
        watchdog=dict(_watchdog(memory)),
    )


def _functions(buses: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for bus in buses:
        yield from _behind(bus["devices"])


def _behind(devices: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for device in devices:
        yield device
        yield from _behind(device.get("pci_bridge", {}).get("devices", []))


def _name(function: dict[str, Any]) -> str:
    return f"{function['bus']:02x}:{function['slot']:02x}.{function['function']:x}"


def _regions(function: dict[str, Any]) -> str:
    regions = function["regions"]
    return ", ".join(f"{each['bar']}: {each['size']} bytes of {each['type']}" for each in regions)


def _config_space(memory: ProbeMemory, function: dict[str, Any], mcfg: bytes | None) -> bytes:
    place = function["bus"], function["slot"], function["function"]
    if mcfg is None:
        content = memory.config_space(*place)
    else:
        content = memory.read(config_base(mcfg) + (place[0] << 20 | place[1] << 15 | place[2] << 12), 0x1000)
    return without_settings(content)


def without_settings(content: bytes) -> bytes:
    """The config space of a PCI function with zeros where firmware sets it."""
    said = bytearray(content)
    is_of_board = int.from_bytes(content[0x0A:0x0C], "little") in _OF_THE_BOARD
    for start, end in (*_SET_BY_FIRMWARE.get(content[0x0E] & 0x7F, ()), *([_CHIPSET] if is_of_board else [])):
        said[start:end] = bytes(end - start)
    return bytes(said)


def _cpu(memory: ProbeMemory) -> Iterator[tuple[str, str]]:
    (first, *_) = memory.ask("query-cpus-fast")
    path = first["qom-path"]
    for name in _CPU:
        value = memory.ask("qom-get", path=path, property=name)
        yield name, "" if value is None else str(value)
    for word in memory.ask("qom-get", path=path, property="feature-words") or []:
        leaf, sub = word["cpuid-input-eax"], word.get("cpuid-input-ecx")
        name = f"CPUID {leaf:#x}{'' if sub is None else f'/{sub}'} {word['cpuid-register'].lower()}"
        if word["features"]:
            yield name, f"{word['features']:#010x}"


def _queues(memory: ProbeMemory) -> Iterator[tuple[str, str]]:
    """How many requests fit into the first queue of each virtio device; nothing where QEMU (< 7.2) does not say so."""
    for device in memory.ask("x-query-virtio") or []:
        status = memory.ask("x-query-virtio-queue-status", path=device["path"], queue=0)
        if status is not None:
            owner = device["path"].removesuffix("/virtio-backend").rpartition("/")[2]
            yield f"{device['name']} {owner}", str(status["vring-num-default"])


def _watchdog(memory: ProbeMemory) -> Iterator[tuple[str, str]]:
    """Whether the watchdog of a q35 can reset its guest."""
    for each in memory.ask("qom-list", path="/machine/unattached") or []:
        if each["type"] == "child<ICH9-LPC>":
            noreboot = memory.ask("qom-get", path=f"/machine/unattached/{each['name']}", property="noreboot")
            yield "iTCO", "cannot reset the guest" if noreboot else "resets the guest"
