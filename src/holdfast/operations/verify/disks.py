"""The disks of the live document compared with those the guest agent reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.domainxml.address import PciAddress, address_of, describe_address, pci_address
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.disk import is_serial
from holdfast.domainxml.number import number_at
from holdfast.domainxml.places.controllers import controller_of
from holdfast.domainxml.places.guest_buses import guest_buses
from holdfast.operations.verify.agent_answer import GuestDisk, unit_of
from holdfast.operations.verify.checked_device import (
    Agreement,
    CheckedDevice,
    DeviceAsSeen,
    checked,
    pci_in_guest,
    place_of,
)


@dataclass(frozen=True)
class _Disk:
    """A disk of live, with where the guest must have it: PCI function and unit, None where nobody can tell."""

    element: Element
    pci: PciAddress | None
    unit: str | None

    def is_at(self, reported: GuestDisk) -> bool | None:
        """Whether ``reported`` is in its place; None when that cannot be compared."""
        if self.pci is None or reported.pci is None:
            return None
        return self.pci == reported.pci and (None in (self.unit, reported.unit) or self.unit == reported.unit)

    def is_named(self, reported: GuestDisk) -> bool | None:
        """Whether ``reported`` has its serial; None when that cannot be compared."""
        return None if reported.serial is None else is_serial(self.element, reported.serial)

    def said(self) -> DeviceAsSeen:
        """What live says of it."""
        place = place_of(self.pci, self.unit)
        return DeviceAsSeen(address=place or describe_address(self.element), serial=self.element.findtext("serial"))


def check_disks(live: Element, reported: Sequence[GuestDisk]) -> tuple[list[CheckedDevice], list[DeviceAsSeen]]:
    """The disks of ``live`` beside those that the guest has ``reported``, and which of these live does not have."""
    disks = _disks(live)
    rest = list(reported)
    found: dict[int, GuestDisk] = {}

    def match(fits: Callable[[_Disk, GuestDisk], bool | None]) -> None:
        for number, disk in enumerate(disks):
            if number not in found and (fit := next((each for each in rest if fits(disk, each)), None)):
                found[number] = fit
                rest.remove(fit)

    match(lambda disk, reported: disk.is_at(reported) and disk.is_named(reported))
    match(lambda disk, reported: disk.is_at(reported) and disk.unit == reported.unit)
    match(_Disk.is_at)
    match(_Disk.is_named)
    outcome = [_check(disk, found.get(number), rest) for number, disk in enumerate(disks)]
    return outcome, [_said(disk) for disk in rest]


def unanswered_disks(live: Element, why: str) -> list[CheckedDevice]:
    """The disks of ``live`` where the agent did not tell of any, and ``why``."""
    return [checked(disk.element, Agreement.UNKNOWN, disk.said(), note=why) for disk in _disks(live)]


def _disks(live: Element) -> list[_Disk]:
    buses = guest_buses(live)
    found = []
    for element in live.iterfind("devices/disk"):
        holder = element if pci_address(element) is not None else controller_of(live, element)
        pci = None if holder is None else pci_in_guest(holder, buses)
        found.append(_Disk(element, pci, None if pci is None else _unit(element)))
    return found


def _unit(disk: Element) -> str | None:
    address = address_of(disk)
    if address is None or address.get("type") != "drive":
        return None
    bus, target, unit = (number_at(address, f"@{part}") for part in ("bus", "target", "unit"))
    return unit_of(value_at(disk, "target@bus"), (bus, target, unit))


def _check(disk: _Disk, reported: GuestDisk | None, rest: Sequence[GuestDisk]) -> CheckedDevice:
    if reported is not None:
        place, serial = disk.is_at(reported), disk.is_named(reported)
        differing = [word for word, same in (("its place", place), ("its serial", serial)) if same is False]
        if differing:
            note = f"{' and '.join(differing)} differ{'s' * (len(differing) == 1)}"
            return checked(disk.element, Agreement.DIFFERS, disk.said(), _said(reported), note)
        unsure = ["place"] if place is None else ["unit"] if disk.unit != reported.unit else []
        if serial is None and disk.element.find("serial") is not None:
            unsure.append("serial")
        note = f"its {' and its '.join(unsure)} could not be compared" if unsure else ""
        return checked(disk.element, Agreement.AGREES, disk.said(), _said(reported), note)
    possible = [each.name for each in rest if disk.is_at(each) is None and disk.is_named(each) is None]
    if disk.element.get("device") in ("cdrom", "floppy"):
        note = "agents do not list every CD and floppy drive"
    elif disk.pci is None and not disk.element.findtext("serial"):
        note = "live says nothing about it that an agent could confirm"
    elif possible:
        note = f"the agent says too little about {', '.join(possible[:4])}"
    else:
        return checked(disk.element, Agreement.NOT_SEEN, disk.said(), note="the guest has no such disk")
    return checked(disk.element, Agreement.UNKNOWN, disk.said(), note=note)


def _said(disk: GuestDisk) -> DeviceAsSeen:
    return DeviceAsSeen(disk.name, place_of(disk.pci, disk.unit), disk.serial)
