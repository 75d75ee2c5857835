"""Talking to the guest over its serial console."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.errors import Failed, LibvirtRefused
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.console import Console as Console


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
    takes it from whoever has it open. Raises NotFound, and Failed when the domain is not running, has no such device,
    or the console is in use. (virDomainOpenConsole)
    """
    domain = connection.find_domain(name)
    if not domain.is_active():
        raise Failed(f"the domain {domain.name!r} is not running", f"'holdfast start {domain.name}' starts it")
    try:
        return Console(domain, output, device, force)
    except LibvirtRefused as error:
        hint = "it needs a <console> or <serial> on a pty; --force takes over one that is in use"
        raise Failed(f"cannot open the console of {domain.name!r}: {error.message}", hint) from error
