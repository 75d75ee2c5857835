"""``<address>``: where on which bus a device sits. PCI addresses are values to sort, compare and print."""

from __future__ import annotations

import copy
import re
from typing import NamedTuple

from holdfast.domainxml.document import Element, element, remove_children
from holdfast.domainxml.number import as_c_number

_PCI = re.compile(r"^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})(?:\.([0-7]))?\Z", re.IGNORECASE)


class PciAddress(NamedTuple):
    """A PCI address. ``str()`` gives 0000:05:00.0, as lspci and the guest's kernel print it."""

    domain: int
    bus: int
    slot: int
    function: int

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function}"

    @classmethod
    def parse(cls, text: str) -> PciAddress | None:
        """Read "0000:05:00.0", "05:00.0" or "05:00"; None for any other text."""
        match = _PCI.match(text)
        return cls(*(int(part or "0", 16) for part in match.groups())) if match else None

    def to_element(self) -> Element:
        """The ``<address type='pci'>`` element, in libvirt's own notation."""
        return element(
            "address",
            {
                "type": "pci",
                "domain": f"0x{self.domain:04x}",
                "bus": f"0x{self.bus:02x}",
                "slot": f"0x{self.slot:02x}",
                "function": f"0x{self.function:x}",
            },
        )


def pci_address(device: Element) -> PciAddress | None:
    """The PCI address that a device has in the guest; None when it has no address (yet) or sits on another bus."""
    address = device.find("address")
    found = None if address is None else read_pci(address)
    return None if found is None or _is_left_open(found) else found


def _is_left_open(address: PciAddress) -> bool:
    """True for 0000:00:00: libvirt takes that, whatever the function, for a place that it may choose itself (9.0)."""
    return not (address.domain or address.bus or address.slot)


def read_pci(address: Element) -> PciAddress | None:
    """The PCI address that an ``<address>`` element states; None when it states none. What is not given is 0."""
    if address.get("type") != "pci":
        return None
    parts = [as_c_number(address.get(part) or "0") for part in ("domain", "bus", "slot", "function")]
    numbers = [number for number in parts if number is not None]
    return PciAddress(*numbers) if len(numbers) == len(parts) else None  # a file may say anything


def describe_address(device: Element) -> str | None:
    """Where a device sits, in words: "pci 0000:05:00.0", "drive 0:0:0:1", "ccw fe.0.0001"; None without an address.

    However a document writes the numbers, the same place is said in the same words.
    """
    address = device.find("address")
    if address is None or address.get("type") is None:
        return None
    pci = read_pci(address)
    if pci is not None:
        return None if _is_left_open(pci) else f"pci {pci}"
    kind = address.get("type", "")
    if kind == "drive":
        return "drive " + ":".join(_plain(address.get(part, "0")) for part in ("controller", "bus", "target", "unit"))
    if kind == "usb":
        port = ".".join(map(_plain, address.get("port", "?").split(".")))
        return f"usb {_plain(address.get('bus', '?'))}.{port}"
    if kind == "virtio-serial":
        return "virtio-serial " + ":".join(_plain(address.get(part, "0")) for part in ("controller", "bus", "port"))
    if kind == "ccw" and (numbers := _numbers(address, "cssid", "ssid", "devno")):
        return "ccw {:x}.{:x}.{:04x}".format(*numbers)  # as QEMU writes it; Linux on s390x calls the first fe 0
    if kind == "spapr-vio" and (numbers := _numbers(address, "reg")):
        return "spapr-vio 0x{:08x}".format(*numbers)
    rest = ",".join(f"{key}={_plain(value, key)}" for key, value in sorted(address.attrib.items()) if key != "type")
    return f"{kind} {rest}".strip()


_IN_HEX = ("base", "iobase", "irq", "reg")
"""The parts of an address that libvirt writes in hexadecimal."""


def _plain(text: str, part: str = "") -> str:
    """A number as libvirt writes it, in whatever notation it is given; other text as it is."""
    number = as_c_number(text)
    if number is None:
        return text
    return f"{number:#x}" if part in _IN_HEX else str(number)


def _numbers(address: Element, *parts: str) -> list[int]:
    """The numbers that ``address`` states; none where one of them is missing, or is no number."""
    numbers = [number for part in parts if (number := as_c_number(address.get(part, ""))) is not None]
    return numbers if len(numbers) == len(parts) else []


def address_of(device: Element) -> Element | None:
    """The ``<address>`` element of a device, of whatever type; None when the device has no address (yet)."""
    address = device.find("address")
    return address if address is not None and len(address.attrib) > 1 else None


def same_place(one: Element, other: Element) -> bool:
    """True when two ``<address>`` elements name the same place: no attribute that both have differs.

    Only live states the base of a DIMM (libvirt 9.0): QEMU chooses it from the slot.
    """
    return all(other.get(key, value) == value for key, value in one.attrib.items())


def with_address(device: Element, address: Element) -> Element:
    """A copy of ``device`` that asks for ``address``."""
    placed = copy.deepcopy(device)
    remove_children(placed, "address")
    asked = copy.deepcopy(address)
    asked.tail = None
    placed.append(asked)
    return placed
