"""The TCP ports of the host that are behind serial ports, with ``[serial_console]enabled``.

Nova holds a port from the moment that it generates a document with it until it stops the domain, whichever that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nova.console import serial

if TYPE_CHECKING:
    from nova.virt.libvirt.driver import LibvirtDriver
    from nova.virt.libvirt.guest import Guest


@dataclass(frozen=True)
class _Generated:
    """Stands in for Nova's guest object, with a document that no guest runs with yet."""

    document: str

    def get_xml_desc(self) -> str:
        """The document."""
        return self.document


def release_ports(driver: LibvirtDriver, document: str, guest: Guest | None = None) -> None:
    """Free the ports that ``document`` was generated with, except those that ``guest`` has taken over."""
    ports = set(driver._get_serial_ports_from_guest(_Generated(document)))
    if ports and guest is not None:
        ports -= set(driver._get_serial_ports_from_guest(guest))
    for host, port in ports:
        serial.release_port(host=host, port=port)
