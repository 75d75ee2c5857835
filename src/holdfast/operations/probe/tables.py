"""The tables by which firmware describes the machine to its guest: ACPI and SMBIOS, found in the guest's memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdfast.operations.probe.memory import ProbeMemory

_BIOS = (0xE0000, 0x20000)
"""Where a BIOS has its tables: address and size (ACPI 6.5, 5.2.5.1; SMBIOS 3.7, 5.2)."""
_SYSTEM_TABLE, _EVERY = b"IBI SYST", 4 << 20
"""How the structure begins that leads to UEFI's system table; a multiple of its address (UEFI 2.10, 18.4.2)."""
_LOW_TOPS, _BELOW = (0x80000000, 0xB0000000, 0xC0000000, 0xE0000000), 128 << 20
"""Where the memory below 4 GiB of a larger guest ends (QEMU's q35 and i440fx), and how far below UEFI puts it."""
_ACPI = uuid.UUID("8868e871-e4f1-11d3-bc22-0080c73c8881")
_SMBIOS = (uuid.UUID("f2fd1544-9794-4a2c-992e-e5bbcf20e394"), uuid.UUID("eb9d2d31-2d88-11d3-9a16-0090273fc14d"))
_HEADER = 36
_PLACES_IN_FADT = ((36, 8), (132, 16))
"""Where the FADT says at which addresses FACS and DSDT are."""
_CHECKSUM = 9


@dataclass(frozen=True)
class Tables:
    """Where the two begin; None for one that is not there."""

    acpi: int | None
    smbios: int | None


def find_tables(memory: ProbeMemory, size: int) -> Tables:
    """Where the firmware has put its tables in a guest with ``size`` bytes of memory, as far as it has."""
    start, length = _BIOS
    low = memory.read(start, length)
    acpi = _anchor(low, b"RSD PTR ", lambda at: 20)
    smbios = _anchor(low, b"_SM3_", lambda at: low[at + 6]) or _anchor(low, b"_SM_", lambda at: low[at + 5])
    if acpi is not None or smbios is not None:
        return Tables(*(None if each is None else start + each for each in (acpi, smbios)))
    for top in (each for each in (*_LOW_TOPS, size) if each <= min(size, _LOW_TOPS[-1])):
        for address in range(top // _EVERY * _EVERY - _EVERY, max(0, top - _BELOW), -_EVERY):
            if memory.read(address, len(_SYSTEM_TABLE)) == _SYSTEM_TABLE:
                return _of_uefi(memory, memory.number(address + 8, 8))
    return Tables(None, None)


def _anchor(content: bytes, begin: bytes, length: Callable[[int], int]) -> int | None:
    """Where in ``content`` a structure begins so whose bytes add up to 0, as they all do: its code says the same."""
    at = content.find(begin)
    while at >= 0:
        if sum(content[at : at + length(at)]) % 256 == 0:
            return at
        at = content.find(begin, at + 1)
    return None


def _of_uefi(memory: ProbeMemory, system_table: int) -> Tables:
    count, first = memory.number(system_table + 104, 8), memory.number(system_table + 112, 8)
    found = {}
    for address in range(first, first + 24 * min(count, 64), 24):
        entry = memory.read(address, 24)
        found[uuid.UUID(bytes_le=entry[:16])] = int.from_bytes(entry[16:], "little")
    return Tables(found.get(_ACPI), next((found[each] for each in _SMBIOS if each in found), None))


def acpi_tables(memory: ProbeMemory, root: int) -> dict[str, bytes]:
    """Every table but those that only list the others, by its name; of several of one name the later ones are numbered.

    Where they stand in memory is left out of them: a firmware chooses it anew.
    """
    is_later = memory.number(root + 15, 1) >= 2
    list_at, width = (memory.number(root + 24, 8), 8) if is_later else (memory.number(root + 16, 4), 4)
    listed = _table(memory, list_at)[_HEADER:]
    addresses = [int.from_bytes(listed[at : at + width], "little") for at in range(0, len(listed), width)]
    found: dict[str, bytes] = {}
    for address in addresses:
        table = _table(memory, address)
        name = table[:4].decode("ascii", "replace")
        if name == "FACP":
            description = int.from_bytes(table[40:44], "little") or int.from_bytes(table[140:148], "little")
            found["DSDT"] = _table(memory, description)
            table = without_places(table)
        number = sum(each.startswith(name) for each in found)
        found[f"{name} {number + 1}" if number else name] = table
    return found


def _table(memory: ProbeMemory, address: int) -> bytes:
    return memory.read(address, min(memory.number(address + 4, 4), 1 << 20))


def without_places(table: bytes) -> bytes:
    """The FADT without the addresses at which other tables stand, and without its checksum."""
    places = bytearray(table)
    for at, size in (*_PLACES_IN_FADT, (_CHECKSUM, 1)):
        places[at : at + size] = bytes(len(places[at : at + size]))
    return bytes(places)


def config_base(mcfg: bytes) -> int:
    """Where the PCI config space of bus 0 begins in memory, as the ACPI table MCFG says (PCI Firmware 3.3, 4.1.2)."""
    return int.from_bytes(mcfg[44:52], "little")


def smbios_structures(memory: ProbeMemory, entry: int) -> dict[str, bytes]:
    """Every structure by its type and, where there are several of one, a number; with the strings behind it."""
    if memory.read(entry, 5) == b"_SM3_":
        at, size = memory.number(entry + 16, 8), memory.number(entry + 12, 4)
    else:
        at, size = memory.number(entry + 24, 4), memory.number(entry + 22, 2)
    return smbios_by_name(memory.read(at, min(size, 1 << 20)))


def smbios_by_name(table: bytes) -> dict[str, bytes]:
    """The same of a table that is there already: all structures, one behind the other."""
    found: dict[str, bytes] = {}
    for kind, content in _structures(table):
        number = sum(each == str(kind) or each.startswith(f"{kind} ") for each in found)
        found[f"{kind} {number + 1}" if number else str(kind)] = content
    return found


def _structures(table: bytes) -> Iterator[tuple[int, bytes]]:
    while len(table) >= 4:
        kind, length = table[0], table[1]
        end = table.find(b"\0\0", length)
        if end < 0 or kind == 127:
            return
        yield kind, table[: end + 2]
        table = table[end + 2 :]


def strings_of(structure: bytes) -> list[str]:
    """The texts behind an SMBIOS structure."""
    return [text.decode("utf-8", "replace") for text in structure[structure[1] :].split(b"\0") if text]
