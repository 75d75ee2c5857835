"""The TCP ports of the host that are behind serial ports, with ``[serial_console]enabled``.

Nova holds a port from the moment that it generates a document with it until it stops the domain, whichever that is.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nova.console import serial


def let_go(driver: Any, document: str, guest: Any = None) -> None:
    """Others may have the ports that ``document`` was generated with, but for those that ``guest`` has taken over."""
    ports = set(driver._get_serial_ports_from_guest(SimpleNamespace(get_xml_desc=lambda: document)))
    if ports and guest is not None:
        ports -= set(driver._get_serial_ports_from_guest(guest))
    for host, port in ports:
        serial.release_port(host=host, port=port)
