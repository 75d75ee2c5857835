"""The hardware of a document as a tree, the way the guest sees it: buses, and what sits on each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holdfast.domainxml.address import PciAddress, describe_address, pci_address
from holdfast.domainxml.device import USER_ALIAS, label
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.elements.declarations import DEVICES, is_hardware
from holdfast.domainxml.number import as_number
from holdfast.domainxml.places.bus import Bus, bus_of
from holdfast.domainxml.places.pci import hotplug_places
from holdfast.domainxml.sides import Sides

_PORTS = ("pcie-root-port", "pcie-switch-downstream-port")


@dataclass(frozen=True)
class Part:
    """One piece of hardware.

    ``name``      "disk vda", "pci-bridge"
    ``details``   what else the guest sees of it: models, serials
    ``address``   where it sits: "0000:05:00.0" on PCI, "drive 0:0:0:1" and the like elsewhere; None without an address
    ``bus``       the number of the PCI bus that it provides; None where it provides none
    ``free``      true for a port that a device can be attached to while the guest runs
    ``waits``     what the next start or the guest still has to do with it; None where live and config agree
    ``children``  what sits on its bus, in the order of addresses
    """

    name: str
    details: str = ""
    address: str | None = None
    bus: int | None = None
    free: bool = False
    waits: str | None = None
    children: tuple[Part, ...] = ()

    @property
    def common_name(self) -> str:
        """``name`` without what only this domain has: a MAC address, an alias that a user gave."""
        kind, _, own = self.name.partition(" ")
        return kind if kind == "interface" or own.startswith(USER_ALIAS) else self.name


def hardware_tree(domain: Element, waits: Mapping[Element, str] | None = None) -> list[Part]:
    """The roots of the tree: PCI first, then what sits on no PCI bus. ``waits`` are notes on devices (see Part)."""
    seen = [device for device in devices(domain) if is_hardware(device)]
    provided: dict[Bus, Element] = {}
    for device in seen:
        if device.tag == "controller" and device.find("master") is None:
            provided.setdefault((device.get("type", ""), device.get("index", "0")), device)
    below: dict[Element | None, list[Element]] = {}
    for device in sorted(seen, key=_order):
        bus = bus_of(device)
        holder = provided.get(bus) if bus is not None else None
        below.setdefault(None if holder is device else holder, []).append(device)
    free = {place.bus for place in hotplug_places(domain)}
    made: set[Element] = set()

    def build(device: Element) -> Part:
        made.add(device)
        children = tuple(build(child) for child in below.get(device, ()) if child not in made)  # noqa: F821 (it is there until "del build")
        return _part(device, children, free, (waits or {}).get(device))

    roots = [build(device) for device in below.get(None, ())]
    # Controllers that sit on each other in a circle hang on no root; libvirt has no such domain, a file may.
    tree = roots + [build(device) for device in seen if device not in made]
    del build  # it refers to itself and to the document, which would stay in memory until cycles are looked for
    return tree


def _order(device: Element) -> tuple[int, PciAddress, str]:
    place = pci_address(device)
    if place is not None:
        return 1, place, ""
    is_pci_root = device.tag == "controller" and device.get("type") == "pci"
    numbers = [part.rjust(6) for part in (describe_address(device) or "~").replace(":", " ").replace(".", " ").split()]
    return 0 if is_pci_root else 2, PciAddress(0, 0, 0, 0), " ".join(numbers)


def _part(device: Element, children: tuple[Part, ...], free: set[int], waits: str | None) -> Part:
    place = pci_address(device)
    address = str(place) if place is not None else describe_address(device)
    if device.tag != "controller":
        name, own = f"{device.tag!s} {label(device)}", ", ".join(_details(device))
        return Part(
            str(device.tag) if label(device) == device.tag else name, own, address, None, False, waits, children
        )
    kind, model, index = device.get("type", "?"), device.get("model"), device.get("index", "0")
    if kind == "pci":
        bus = as_number(index)
        is_free = model in _PORTS and bus in free and not children
        return Part(model or "pci", "", address, bus, is_free, waits, children)
    return Part(f"{kind} controller {index}", model or "", address, None, False, waits, children)


_TELLING = {
    "disk": ("target@bus", "@device", "serial", "wwn"),
    "interface": ("model@type",),
    "hostdev": ("@type", "@model"),
    "input": ("@type", "@bus"),
    "video": ("model@type",),
    "filesystem": ("driver@type",),
    "serial": ("target/model@name",),
    "console": ("target@type",),
    "channel": ("target@name",),
    "tpm": ("@model", "backend@type", "backend@version"),
    "memory": ("@model", "target/size"),
    "vsock": ("cid@address",),
    "shmem": ("model@type", "size"),
}
"""Kind → the paths that tell such a device from others, besides its name; for other kinds its model or its type."""


def _details(device: Element) -> Iterator[str]:
    said = DEVICES.get(str(device.tag), Sides(str(device.tag))).view(device).guest
    for path in _TELLING.get(str(device.tag), ("@model", "@type")):
        if value := said.get(path):
            yield f"{path.partition('@')[0]} {value}" if path in ("serial", "wwn", "cid@address") else value
