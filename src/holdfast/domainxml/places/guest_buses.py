"""Which number the guest gives to each PCI bus: libvirt counts controllers, the guest's firmware counts bridges."""

from __future__ import annotations

from holdfast.domainxml.address import PciAddress, pci_address
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.number import number_at
from holdfast.domainxml.places.pci import pci_controllers
from holdfast.domainxml.platform import Platform

Bridges = dict[int, list[tuple[PciAddress, Element]]]
"""The number of a bus → the controllers that sit on it, with their addresses."""


def guest_buses(domain: Element) -> dict[int, int]:
    """libvirt's number of each PCI bus → the number that the guest gives it; buses that nobody can tell are left out.

    libvirt's number is the index of a controller. Firmware counts depth first, bridge after bridge in the order of
    their addresses, and below an expander from the expander's own number on (SeaBIOS and OVMF of QEMU 7.2; x86 only).
    """
    bridges: Bridges = {}
    for controller in pci_controllers(domain):
        if (address := pci_address(controller)) is not None:
            bridges.setdefault(address.bus, []).append((address, controller))
    if not Platform.of(domain).is_x86:
        return {}
    numbers = {0: 0}
    _number_below(0, 0, bridges, numbers)
    return numbers


def _number_below(bus: int, last: int, bridges: Bridges, numbers: dict[int, int]) -> int:
    """Number the buses behind ``bus``, where ``last`` is the highest number so far; return the highest since."""
    for _, controller in sorted(bridges.get(bus, ()), key=lambda bridge: bridge[0]):
        index, model = number_at(controller, "@index"), controller.get("model")
        if index in numbers or model == "pci-expander-bus":
            continue
        if model == "pcie-expander-bus" and value_at(controller, "target@busNr") is not None:
            numbers[index] = number_at(controller, "target@busNr")
            _number_below(index, numbers[index], bridges, numbers)
        else:
            numbers[index] = last + 1
            last = _number_below(index, last + 1, bridges, numbers)
    return last
