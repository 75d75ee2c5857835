"""``<interface>``: a network card. How one is made, its MAC address, its link, and what it is connected to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.domainxml.address import read_pci
from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, child, element, value_at
from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Note, Sides, View
from holdfast.errors import elements as errors

KINDS = ("network", "bridge", "user")
"""What a new interface can be connected to: a libvirt network, a bridge of the host, QEMU's own user-mode network."""

MODELS = (
    "virtio",
    "virtio-transitional",
    "virtio-non-transitional",
    "e1000",
    "e1000e",
    "igb",
    "rtl8139",
    "ne2k_pci",
    "pcnet",
    "vmxnet3",
    "usb-net",
)
"""QEMU's models on x86. libvirt (9.0) takes any other word, too, and then the domain does not start."""

_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")


def new_mac() -> str:
    """A random MAC address in QEMU's own range, 52:54:00."""
    import secrets  # costs 5 ms: not for those who only read documents

    return mac_of(secrets.token_bytes(3))


def mac_of(seed: bytes) -> str:
    """The MAC address in QEMU's own range whose other half are the first three bytes of ``seed``."""
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in seed[:3])


def new_interface(
    kind: str,
    source: str | None = None,
    *,
    mac: str | None = None,
    model: str = "virtio",
    alias: str | None = None,
    boot_order: int | None = None,
) -> Element:
    """An ``<interface>`` element of the type ``kind``, one of KINDS.

    ``source`` is the name of the network or bridge, None for "user". With ``mac`` None it has no address yet; it must
    get one before libvirt sees it, which would choose another one for each document. Raises UNKNOWN_WORD for another
    kind or model, NEEDS_SOURCE, USER_HAS_NO_SOURCE, and what :func:`checked_mac` raises.
    """
    if kind not in KINDS:
        raise errors.UNKNOWN_WORD(what="kind of interface", word=kind, words=KINDS)
    if kind == "user" and source is not None:
        raise errors.USER_HAS_NO_SOURCE()
    if kind != "user" and source is None:
        raise errors.NEEDS_SOURCE(kind=kind)
    if model not in MODELS:
        raise errors.UNKNOWN_WORD(what="interface model", word=model, words=MODELS)
    interface = element("interface", {"type": kind})
    if mac is not None:
        interface.append(element("mac", {"address": checked_mac(mac)}))
    if source is not None:
        interface.append(element("source", {kind: source}))
    interface.append(element("model", {"type": model}))
    if boot_order is not None:
        interface.append(element("boot", {"order": str(boot_order)}))
    if alias is not None:
        interface.append(element("alias", {"name": alias}))
    return interface


def checked_mac(mac: str) -> str:
    """``mac`` in libvirt's notation. Raises BAD_MAC for other text; MULTICAST_MAC, NULL_MAC where no interface can
    have it.
    """
    address = mac.lower().replace("-", ":")
    if not _MAC.match(address):
        raise errors.BAD_MAC(mac=mac)
    if int(address[:2], 16) & 1:
        raise errors.MULTICAST_MAC(mac=mac)
    if address == "00:00:00:00:00:00":
        raise errors.NULL_MAC(mac=mac)
    return address


def link_state(interface: Element) -> str:
    """ "up" or "down": whether the guest sees a cable in it."""
    return value_at(interface, "link@state") or "up"


def set_link(interface: Element, state: str) -> None:
    """Let the guest see the cable pulled out ("down") or put in ("up")."""
    child(interface, "link").set("state", state)


def connect_interface(interface: Element, kind: str, source: str) -> None:
    """Connect ``interface`` to another network or bridge of the host; everything else stays. Raises CHARACTERS."""
    interface.set("type", kind)
    found = interface.find("source")
    if found is None:
        found = element("source")
        interface.insert(1, found)
    new = element("source", {kind: source})
    found.attrib.clear()
    found.attrib.update(new.attrib)


def connected_to(interface: Element) -> str | None:
    """What ``interface`` is connected to, in words: "network default", "bridge br0", "user"; None without a type."""
    kind, source = interface.get("type"), interface.find("source")
    if source is None or kind is None:
        return kind
    given = {str(key): str(value) for key, value in source.attrib.items()}
    name = next(filter(None, map(given.get, (kind, "network", "bridge", "dev", "path"))), None)
    return f"{kind} {name}" if name else kind


def card_of_the_host(interface: Element) -> str | None:
    """The PCI device of the host that is handed through as ``interface``; None where none is named."""
    address = interface.find("source/address")
    if address is None:
        return None
    return str(read_pci(element("address", {**{str(k): str(v) for k, v in address.items()}, "type": "pci"})))


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """Live has the type that the network gave: a network of hostdevs gives one of them (libvirt ≥ 0.10).

    Which card of the host is handed through counts where both hand one through; else its coming or going says it.
    """
    for interface, view in ((before, one), (after, other)):
        if before.get("type") != after.get("type"):
            view.drop("source/address@")
        elif any(path.startswith("source/address@") for path in view.guest):
            view.drop("source/address@")
            view.guest["source/address"] = card_of_the_host(interface) or "another"
    for asked, got in ((before, after), (after, before)):
        if asked.get("type") == "network" and got.get("type") == "hostdev" and _is_live(got):
            for view in (one, other):
                view.drop("@type")
            words = "network, whatever that gives", "hostdev"
            yield ("@type", *(words if asked is before else words[::-1]))


def _is_live(interface: Element) -> bool:
    """True for the interface of a live document: it has an alias that libvirt generated at the start."""
    return interface.find("alias") is not None and user_alias(interface) is None


SIDES = Sides(
    "interface",
    guest=f"""
        @type=network|bridge|user|ethernet|direct|internal|server|client|mcast|udp|null|vds|dummy
        mac@address model@type link@state=up mtu@size rom@bar=on rom@enabled=yes rom@file boot@order,loadparm
        teaming@type,persistent guest@dev backend@hostname,fqdn
        ip@address,family,prefix,peer route@family,address,netmask,prefix,gateway,metric
        driver@queues,rx_queue_size,tx_queue_size driver@event_idx=on driver@rss=off driver@rss_hash_report=off
        driver/host@csum=on driver/host@gso=on driver/host@tso4=on driver/host@tso6=on driver/host@ecn=on
        driver/host@ufo=on driver/host@mrg_rxbuf=on
        driver/guest@csum=on driver/guest@tso4=on driver/guest@tso6=on driver/guest@ecn=on driver/guest@ufo=on
        {virtio.OPTIONS} source/address@domain,bus,slot,function
    """,
    host="""
        @managed @trustGuestRxFilters source/** target@dev,managed mac@type,check,currentAddress guest@actual
        script@path downscript@path backenddomain@name backend@type,tap,vhost,logFile
        driver@name,model,txmode,ioeventfd,iommufd tune/sndbuf virtualport/** vlan/** filterref/**
        bandwidth/** coalesce/** port@isolated portForward/**
    """,
    identity="alias mac@address address",
    reconcile=_reconcile,
)
"""To the guest each ``@type`` is a cable, but for "hostdev", "vdpa" and "vhostuser", which have other features. Of a
"hostdev" the guest sees which card of the host it is: ``source/address``.
"""
