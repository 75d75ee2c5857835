"""A QEMU that is started only to be looked at: it goes with its connection, and answers at its monitor.

Strings in, strings out. libvirt notes of a domain whose monitor was asked that it is "tainted: custom monitor control
commands issued", and does not follow what it did not ask for: no domain of anybody's is asked.
"""

from __future__ import annotations

import json

import libvirt_qemu

import libvirt
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.translate import translated

_ALL_CELLS = -1
"""VIR_NODE_MEMORY_STATS_ALL_CELLS."""


@translated
def start_probe(connection: Connection, document: str) -> Domain:
    """Start a transient domain from ``document``, which libvirt destroys when ``connection`` ends, however it does.

    (virDomainCreateXML, AUTODESTROY)
    """
    return Domain(connection._handle.createXML(document, libvirt.VIR_DOMAIN_START_AUTODESTROY))


@translated
def ask_monitor(probe: Domain, command: str, **arguments: object) -> str:
    """QEMU's answer to a command of QMP, as JSON: what it returns, or why not (virDomainQemuMonitorCommand)."""
    asked = json.dumps({"execute": command, "arguments": arguments})
    return libvirt_qemu.qemuMonitorCommand(probe._handle, asked, 0)


@translated
def tell_monitor(probe: Domain, line: str) -> str:
    """What QEMU says to a line for people, as those that read memory and ports (virDomainQemuMonitorCommand, HMP)."""
    hmp = libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
    return libvirt_qemu.qemuMonitorCommand(probe._handle, line, hmp)


@translated
def free_memory(connection: Connection) -> int:
    """How many KiB the host could give to a QEMU: what is free, and what only caches files (virNodeGetMemoryStats)."""
    said = connection._handle.getMemoryStats(_ALL_CELLS)
    return sum(said.get(name, 0) for name in ("free", "buffers", "cached"))
