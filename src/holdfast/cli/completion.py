"""What the shell offers after TAB: names of domains, devices and snapshots.

It never prints, never fails, and never makes anyone wait: without a connection, or after two seconds, there is simply
nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from holdfast.operations.connect import Connection

_PATIENCE = 2.0
"""Seconds until a slow libvirt is no longer waited for."""


def complete_domains(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the domains that begin with what was typed."""
    from holdfast.operations.look.list import domain_names

    return _offer(ctx, incomplete, domain_names)


def complete_devices(*tags: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """A completion of the devices (disks by target, interfaces by MAC …) of the domain in argument ``name``.

    ``tags`` are the element names that are offered: ``complete_devices("disk")``.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        name = ctx.params.get("name")
        if not name:
            return []
        from holdfast.operations.devices.names import device_names

        return _offer(ctx, incomplete, lambda connection: device_names(connection, name, *tags))

    return complete


def complete_snapshots(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the snapshots of the domain in argument ``name``."""
    name = ctx.params.get("name")
    if not name:
        return []
    from holdfast.operations.snapshots.list import snapshot_names

    return _offer(ctx, incomplete, lambda connection: snapshot_names(connection, name))


def _offer(ctx: click.Context, incomplete: str, names: Callable[[Connection], list[str]]) -> list[str]:
    """Ask libvirt in a thread that is left behind when it takes too long."""
    import threading

    found: list[str] = []

    def ask() -> None:
        from holdfast.errors import HoldfastError
        from holdfast.operations.connect import connect

        try:
            with connect(_silent(ctx.find_root().params.get("uri")), readonly=True) as connection:
                found.extend(names(connection))
        except HoldfastError:
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return [name for name in found if name.startswith(incomplete)]


def _silent(uri: str | None) -> str | None:
    """The URI to complete from: ssh must not ask for a password in the middle of a command line."""
    import os

    uri = uri or os.environ.get("LIBVIRT_DEFAULT_URI")
    if uri and "ssh" in uri.split(":", 1)[0]:
        return f"{uri}{'&' if '?' in uri else '?'}no_tty=1"
    return uri
