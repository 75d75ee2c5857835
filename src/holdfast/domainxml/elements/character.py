"""Character devices: ``<serial>``, ``<parallel>``, ``<console>``, ``<channel>``, ``<smartcard>`` and ``<redirdev>``.

Each has two ends: the guest's end is its ``<target>``, the host's end its type and ``<source>``.
"""

from __future__ import annotations

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.sides import Sides

GUEST_AGENT = "org.qemu.guest_agent.0"
"""The name of the channel that the QEMU guest agent opens."""

BACKEND = "@type source/** protocol@type log@file,append"
"""The host's end: a pty, a socket, a file. Which pty it is stands in live only, in @tty and <source>."""

SERIAL = Sides(
    "serial",
    guest="target@type target/model@name",
    host=f"{BACKEND} @tty",
    place="target@port",
    identity="alias target@port",
)
PARALLEL = Sides(
    "parallel",
    guest="target@type target/model@name",
    host=f"{BACKEND} @tty",
    place="target@port",
    identity="alias target@port",
)
CONSOLE = Sides(
    "console",
    guest="target@type target/model@name",
    host=f"{BACKEND} @tty target@port",
    identity="alias address target@type",
    unseen="target@type=serial",
)
"""A console of type serial is the first <serial> once more. libvirt 9.0 counts the ports anew, so they say nothing."""

CHANNEL = Sides(
    "channel",
    guest="target@type,name,address,port",
    host=f"{BACKEND} target@state",  # state: whether the guest has opened it, live only
    identity="alias target@name target@address+target@port",
)
SMARTCARD = Sides(
    "smartcard",
    guest="@mode target@type target/model@name",
    host=f"{BACKEND} certificate database target@port",
    identity="alias only",
)
REDIRDEV = Sides(
    "redirdev",
    guest="@bus boot@order,loadparm",
    host=BACKEND,
    identity="alias address content",
)
REDIRFILTER = Sides(
    "redirfilter",
    host="usbdev@class,vendor,product,version,allow",
    unseen="*",
)


def agent_channel(domain: Element) -> Element | None:
    """The ``<channel>`` for the guest agent; None where ``domain`` has none."""
    return next(iter(domain.xpath("devices/channel[target/@name=$name]", name=GUEST_AGENT)), None)


def is_channel_open(channel: Element) -> bool:
    """True when the guest has opened this channel; only a live document says so."""
    return value_at(channel, "target@state") == "connected"
