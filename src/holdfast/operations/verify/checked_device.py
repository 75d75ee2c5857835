"""What comes of comparing one device of live with what the guest agent says, and where the guest has its devices.

What the agent does not tell, or what nobody can compare, is unknown and never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from holdfast.domainxml.address import PciAddress, pci_address
from holdfast.domainxml.device import short_name
from holdfast.domainxml.document import Element


class Agreement(Enum):
    """What comes of the comparison of one device."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_SEEN = "not seen"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class DeviceAsSeen:
    """What one side says of a device, None where it says nothing. ``name`` is the guest's own: "/dev/vda", "eth0".

    ``address`` is in the guest's numbers, which may differ from libvirt's: "pci 0000:05:00.0", "pci 0000:00:1f.2 unit
    1".
    """

    name: str | None = None
    address: str | None = None
    serial: str | None = None
    mac: str | None = None

    def __str__(self) -> str:
        serial = self.serial and f"serial {self.serial}"
        return ", ".join(part for part in (self.name, self.address, serial, self.mac) if part)


@dataclass(frozen=True)
class CheckedDevice:
    """One device of live.

    ``device``     as a person names it: "disk vda"
    ``verdict``    what comes of the comparison
    ``live``, ``guest``  what each side says of it; guest is None where nothing it says could be about it
    ``note``       a sentence on what there is to know, or ""
    ``releasing``  True where it was detached, and is on its way out
    """

    device: str
    verdict: Agreement
    live: DeviceAsSeen
    guest: DeviceAsSeen | None = None
    note: str = ""
    releasing: bool = False

    @property
    def differs(self) -> bool:
        """True when the guest's word is not what live leads to expect."""
        return self.verdict is Agreement.DIFFERS or (self.verdict is Agreement.NOT_SEEN and not self.releasing)


def checked(
    device: Element, verdict: Agreement, live: DeviceAsSeen, guest: DeviceAsSeen | None = None, note: str = ""
) -> CheckedDevice:
    """What came of ``device``, an element of live."""
    return CheckedDevice(short_name(device), verdict, live, guest, note)


def pci_in_guest(device: Element, buses: Mapping[int, int]) -> PciAddress | None:
    """The PCI address of a device in the guest's numbers; None when it has none, or nobody can tell."""
    place = pci_address(device)
    if place is None or place.domain or place.bus not in buses:
        return None
    return place._replace(bus=buses[place.bus])


def place_of(pci: PciAddress | None, unit: str | None = None) -> str | None:
    """A place in the guest in words; None for none."""
    return None if pci is None else f"pci {pci}" if unit is None else f"pci {pci} unit {unit}"
