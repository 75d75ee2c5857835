"""The ``<interface>`` element: how one is made."""

from __future__ import annotations

import re
import secrets

from holdfast.domainxml.document import Element, element
from holdfast.errors import UsageError

KINDS = ("network", "bridge", "user")
"""What an interface can be connected to: a libvirt network, a bridge of the host, QEMU's own user-mode network."""

_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")


def new_mac() -> str:
    """A random MAC address in QEMU's own range, 52:54:00."""
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))


def new_interface(
    kind: str,
    source: str | None = None,
    *,
    mac: str | None = None,
    model: str = "virtio",
    alias: str | None = None,
    boot_order: int | None = None,
) -> Element:
    """An ``<interface>`` element of one of KINDS.

    ``source`` is the network's or the bridge's name, None for "user". ``mac`` None takes a new random one: libvirt
    would choose one for each document. Raises UsageError for a kind, a source or a MAC that makes no sense.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no kind of interface {kind!r}", f"one of {', '.join(KINDS)}")
    if (source is None) != (kind == "user"):
        raise UsageError(
            "a user interface has no source" if kind == "user" else f"a {kind} interface needs the name of its {kind}"
        )
    interface = element("interface", {"type": kind}, element("mac", {"address": checked_mac(mac or new_mac())}))
    if source is not None:
        interface.append(element("source", {kind: source}))
    interface.append(element("model", {"type": model}))
    if boot_order is not None:
        interface.append(element("boot", {"order": str(boot_order)}))
    if alias is not None:
        interface.append(element("alias", {"name": alias}))
    return interface


def checked_mac(mac: str) -> str:
    """The MAC address in libvirt's notation. Raises UsageError when it is none, or one no interface can have."""
    address = mac.lower().replace("-", ":")
    if not _MAC.match(address):
        raise UsageError(f"{mac!r} is no MAC address", "six pairs of hexadecimal digits: 52:54:00:12:34:56")
    if int(address[:2], 16) & 1:
        raise UsageError(f"{mac} is a multicast address, which no interface can have", "use one of 52:54:00:…")
    return address
