"""The ports of a destination that a guest would have for itself: whether another domain there has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, devices, parse, value_at
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.errors import NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.domain_list import inventory

_EVERYWHERE = ("0.0.0.0", "::", "")


def taken_ports(connection: Connection, live: Element) -> Iterator[Outlook]:
    """The ports that ``live`` names and a domain that runs on the host of ``connection`` has already.

    Those that libvirt chooses at each start are not among them. (virConnectListAllDomains, virDomainGetXMLDesc)
    """
    wanted = [(device_name(device), *place) for device in devices(live) for place in _places(device, fixed=True)]
    if not wanted:
        return
    for each in inventory(connection):
        with suppress(NotFound):
            document = parse(each.domain.xml(Definition.LIVE)) if each.active else None
            theirs = [] if document is None else [place for one in devices(document) for place in _places(one)]
            for who, address, port in wanted:
                if any(port == other and _meet(address, where) for where, other in theirs):
                    what = f"{who}: {each.domain.name!r} has the port {port} there"
                    yield Outlook(Effect.BLOCKS, "host", what, who=who)


def _places(device: Element, *, fixed: bool = False) -> Iterator[tuple[str, str]]:
    """Addresses and ports on which QEMU listens for ``device``; ``fixed``: that stand in its document."""
    if device.tag == "graphics":
        if not (fixed and device.get("autoport") == "yes"):
            for name in ("port", "tlsPort", "websocket"):
                if (port := device.get(name, "-1")) not in ("-1", "0"):
                    yield device.get("listen", ""), port
    elif value_at(device, "source@mode") == "bind" and (port := value_at(device, "source@service") or ""):
        yield value_at(device, "source@host") or "", port


def _meet(one: str, other: str) -> bool:
    return one == other or one in _EVERYWHERE or other in _EVERYWHERE
