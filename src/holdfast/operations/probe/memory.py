"""What stands in the memory, the ports and the PCI config space of a probe, as its QEMU says it."""

from __future__ import annotations

import json
from typing import Any

from holdfast.errors.hosts import PROBE_NOT_READ
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.monitor import ask_monitor, tell_monitor

_WORD = 8
"""Bytes of one number in what QEMU prints of memory."""
_MOST = 0x4000
"""Bytes asked for at once: what QEMU prints of them, libvirt takes as one answer."""
_PORT, _DATA = 0xCF8, 0xCFC
"""The ports by which every PC reaches the first 256 bytes of a function's config space (PCI Local Bus 3.0, 3.2.2.3)."""


class ProbeMemory:
    """The monitor of one probe. Raises PROBE_NOT_READ where it does not answer as QEMU 6.2 to 11.1 do."""

    def __init__(self, probe: Domain) -> None:
        self._probe = probe

    def ask(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - as QEMU's schema has it
        """What a command of QMP returns; None where this QEMU has none of that name, or refuses it."""
        return json.loads(ask_monitor(self._probe, command, **arguments)).get("return")

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes from the guest-physical ``address``; devices answer as they would to the guest."""
        start = address - address % _WORD
        end = address + size
        found = b"".join(self._words(at, min(_MOST, end - at)) for at in range(start, end, _MOST))
        return found[address - start :][:size]

    def number(self, address: int, size: int) -> int:
        """The number of ``size`` bytes at ``address``."""
        return int.from_bytes(self.read(address, size), "little")

    def config_space(self, bus: int, slot: int, function: int) -> bytes:
        """The first 256 bytes of a PCI function's config space, through the ports of a PC."""
        before = self._in()
        words = []
        for offset in range(0, 0x100, 4):
            self._out(1 << 31 | bus << 16 | slot << 11 | function << 8 | offset)
            words.append(self._in(_DATA).to_bytes(4, "little"))
        self._out(before)
        return b"".join(words)

    def _words(self, address: int, size: int) -> bytes:
        count = -(-size // _WORD)
        text = tell_monitor(self._probe, f"xp /{count}xg {address:#x}")
        if text.rstrip().endswith("Cannot access memory"):
            return b"\xff" * (count * _WORD)  # as to a guest that reads where nothing is
        try:
            values = [int(word, 16) for line in text.splitlines() for word in line.partition(":")[2].split()]
            return b"".join(value.to_bytes(_WORD, "little") for value in values)
        except ValueError as error:
            raise PROBE_NOT_READ(reason=text.strip()) from error

    def _in(self, port: int = _PORT) -> int:
        text = tell_monitor(self._probe, f"i /w {port:#x}")
        try:
            return int(text.partition("=")[2], 16)
        except ValueError as error:
            raise PROBE_NOT_READ(reason=text.strip()) from error

    def _out(self, value: int) -> None:
        tell_monitor(self._probe, f"o /w {_PORT:#x} {value:#x}")
