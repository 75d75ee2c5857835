"""Talking to the guest over its serial console."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.errors import LibvirtRefused
from holdfast.errors.look import NO_CONSOLE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.console import Console
from holdfast.operations.session import Need, looking


def open_console(
    connection: Connection,
    name: str,
    output: Callable[[bytes], None],
    *,
    device: str | None = None,
    force: bool = False,
) -> Console:
    """Open the first console or serial port of a running domain, or the one with the alias ``device``.

    ``output`` gets what the guest writes, in a thread of libvirt's; close the returned console when done. ``force``
    takes it from whoever has it open. Raises NO_DOMAIN, NOT_RUNNING, and NO_CONSOLE when the domain has no such device,
    or the console is in use. (virDomainOpenConsole)
    """
    domain = looking(connection, name, needs=Need.RUNNING)
    try:
        return Console(domain, output, device, force)
    except LibvirtRefused as error:
        raise NO_CONSOLE(name=domain.name, cause=error) from error
