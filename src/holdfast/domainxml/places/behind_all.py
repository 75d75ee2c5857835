"""A place for one more disk at a cold start: behind all that is there, so that nothing moves because of it.

libvirt (9.0) leaves alone what has an address. So the disk gets one, too, and so does a controller or root port that
has to come with it: the port goes behind all other bridges, because a guest numbers its buses in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from holdfast.domainxml.address import PciAddress, pci_address
from holdfast.domainxml.document import Element, child, devices, element, remove_from_parent, value_at
from holdfast.domainxml.number import as_number, number_at
from holdfast.domainxml.places.bus import bus_of
from holdfast.domainxml.places.controllers import free_controller_index
from holdfast.domainxml.places.pci import cold_places, pci_controllers, taken_places
from holdfast.errors import elements as errors

BUSES = ("virtio", "usb", "sata", "scsi", "ide")
"""The buses on which a disk can be placed behind all others."""

_USB_PORTS = {"qemu-xhci": 4, "nec-xhci": 4, "ehci": 6, "ich9-ehci1": 6}
"""Model of a USB controller → how many ports it has where it does not say; other models have two (libvirt 9.0)."""

_MOST_USB_PORTS = 15
"""QEMU's xHCI has no more (XHCI_MAXPORTS_2, QEMU 7.2)."""

_SLOTS = 0x1F
"""The slots of pcie-root that a port can have: the last one is taken by q35's ICH9."""

_NEW: dict[str, dict[str, str]] = {
    "usb": {"model": "qemu-xhci", "ports": "15"},
    "scsi": {"model": "virtio-scsi"},
    "sata": {},
}
"""Bus → the controller that is added where ``domain`` has none for it, or no free place on those it has."""

Seat = tuple[int, ...]
"""A place behind a controller: on USB the controller's index and a port; elsewhere index, bus and unit."""


def add_behind_all(domain: Element, disk: Element) -> list[Element]:
    """Put ``disk``, which has no address, into ``domain``, behind all others; return it and what has to come with it.

    Raises NOT_LAST_ON_BUS and NO_IDE for a bus on which that cannot be done, IDE_FULL and PCI_FULL where no place is
    free.
    """
    bus = value_at(disk, "target@bus") or ""
    if bus not in BUSES:
        raise errors.NOT_LAST_ON_BUS(bus=bus, buses=BUSES)
    added = _place_on_pci(domain, disk) if bus == "virtio" else _seat(domain, disk, bus)
    child(domain, "devices").extend([*added, disk])
    return [disk, *added]


def seat_behind_all(domain: Element, disk: Element) -> list[Element]:
    """Give ``disk``, one of ``domain``, a seat behind a controller; return what has to come with it.

    That is for the buses on which libvirt (9.0) would derive the seat from the target. A disk on another bus, or with
    an address, is left as it is.
    """
    bus = value_at(disk, "target@bus") or ""
    if bus not in ("sata", "scsi", "ide") or disk.find("address") is not None:
        return []
    added = _seat(domain, disk, bus)
    child(domain, "devices").extend(each for each in added if each.getparent() is None)
    return added


def _seat(domain: Element, disk: Element, bus: str) -> list[Element]:
    """Give ``disk`` a seat behind a controller; return what must be added for that."""
    used = set(_used_seats(domain, bus))
    free = sorted(set(_seats(domain, bus)) - used)
    added: list[Element] = []
    if not free:
        added = _new_controller(domain, bus)
        free = list(_seats_of(added[-1], bus))
    seat = [str(number) for number in _behind(free, used)]
    if bus == "usb":
        disk.append(element("address", {"type": "usb", "bus": seat[0], "port": seat[1]}))
    else:
        numbers = {"controller": seat[0], "bus": seat[1], "target": "0", "unit": seat[2]}
        disk.append(element("address", {"type": "drive", **numbers}))
    return added


def _seats(domain: Element, bus: str) -> Iterator[Seat]:
    for controller in domain.iterfind(f"devices/controller[@type='{bus}']"):
        if controller.find("master") is None and controller.get("model") != "none":
            yield from _seats_of(controller, bus)


def _seats_of(controller: Element, bus: str) -> Iterator[Seat]:
    index, model = number_at(controller, "@index"), controller.get("model", "")
    if bus == "usb":
        ports = min(number_at(controller, "@ports", _USB_PORTS.get(model, 2)), _MOST_USB_PORTS)
        return ((index, port) for port in range(1, ports + 1))
    if bus == "ide":
        return ((index, channel, unit) for channel, unit in product(range(2), range(2)))
    units = 6 if bus == "sata" else 256 if model.startswith("virtio") else 7
    return ((index, 0, unit) for unit in range(units))


def _used_seats(domain: Element, bus: str) -> Iterator[Seat]:
    for device in devices(domain):
        address, on = device.find("address"), bus_of(device)
        if address is None or on is None or on[0] != bus:
            continue
        if bus == "usb":
            port = as_number(address.get("port", "0").partition(".")[0])  # 1.2 is behind a hub on 1
            yield number_at(address, "@bus"), port or 0
        else:
            yield number_at(address, "@controller"), number_at(address, "@bus"), number_at(address, "@unit")


def _behind(free: list[Seat], used: set[Seat]) -> Seat:
    """The first free place behind all that are used; the last free one where there is none."""
    return next((place for place in free if not used or place > max(used)), free[-1])


def _new_controller(domain: Element, bus: str) -> list[Element]:
    """A controller for ``bus``, with a place; before it comes the root port that it needs, if it needs one."""
    if bus == "ide":
        if _is_express(domain):
            raise errors.NO_IDE()
        if domain.find("devices/controller[@type='ide']") is not None:
            raise errors.IDE_FULL()
        return [element("controller", {"type": "ide", "index": "0"})]  # i440fx has it, said or not
    for none in domain.findall(f"devices/controller[@type='{bus}'][@model='none']"):
        remove_from_parent(none)
    controller = element("controller", {"type": bus, "index": free_controller_index(bus, [domain]), **_NEW[bus]})
    return [*_place_on_pci(domain, controller), controller]


def _place_on_pci(domain: Element, device: Element) -> list[Element]:
    """Give ``device`` a place on PCI; return the root port that must be added for that, if one must."""
    if not pci_controllers(domain):
        return []  # virtio without PCI (CCW, MMIO): libvirt's next number is behind all others
    free = cold_places(domain)
    if free:
        ports = [place for place in free if place.slot == 0] or free
        place = PciAddress(*_behind(list(ports), set(taken_places(domain))))
        device.append(place.to_element())
        return []
    port = _new_root_port(domain)
    device.append(PciAddress(0, number_at(port, "@index"), 0, 0).to_element())
    return [port]


def _is_express(domain: Element) -> bool:
    return domain.find("devices/controller[@model='pcie-root']") is not None


def _new_root_port(domain: Element) -> Element:
    bridges = [place.slot for each in pci_controllers(domain) if (place := pci_address(each)) and place.bus == 0]
    taken = {place.slot for place in taken_places(domain) if place.bus == 0}
    slots = set(range(max(bridges, default=1) + 1, _SLOTS)) - taken
    if not slots or not _is_express(domain):
        raise errors.PCI_FULL()
    index = max(number_at(controller, "@index") for controller in pci_controllers(domain)) + 1
    attributes = {"type": "pci", "index": str(index), "model": "pcie-root-port"}
    return element("controller", attributes, PciAddress(0, 0, min(slots), 0).to_element())
