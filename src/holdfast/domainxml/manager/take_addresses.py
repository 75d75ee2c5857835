"""Where the devices of a guest are, taken over from what it runs with into the document of its next start."""

from __future__ import annotations

import copy
from typing import NamedTuple

from holdfast.domainxml.address import address_of, pci_address, same_place
from holdfast.domainxml.compare.guest_view import device_pairs
from holdfast.domainxml.device import short_name
from holdfast.domainxml.document import Element, devices, remove_children, same
from holdfast.domainxml.host.machine_type import kind_of
from holdfast.domainxml.places import pci
from holdfast.domainxml.places.controllers import has_controller
from holdfast.domainxml.platform import Platform


class AddressesTaken(NamedTuple):
    """What became of devices, each as a :class:`Change` names it.

    ``taken``  those that are where the guest has them now
    ``left``   those that wait to come, and have lost their place to one of these: libvirt is to choose another
    ``stay``   those whose place in live this document does not have
    """

    taken: list[str]
    left: list[str]
    stay: list[str]


def take_addresses(config: Element, live: Element) -> AddressesTaken:
    """Let each device of ``config``, in place, that ``live`` has elsewhere be there; nothing else changes.

    On another kind of machine no address means anything, and on another bus: what waits there stays as it is.
    """
    moved = AddressesTaken([], [], [])
    if kind_of(Platform.of(config).machine) != kind_of(Platform.of(live).machine):
        return moved
    pairs = [(pair.before, pair.after) for pair, _ in device_pairs(live, config) if pair.other_name is None]
    both = {mine: theirs for theirs, mine in pairs if mine is not None and theirs is not None}
    placed: list[Element] = []
    for mine, theirs in both.items():
        old, new = address_of(mine), address_of(theirs)
        if old is None or new is None or old.get("type") != new.get("type") or same_place(old, new):
            continue
        if not _has_bus(config, theirs):
            moved.stay.append(short_name(mine))
            continue
        asked = copy.deepcopy(new)
        asked.tail = old.tail
        mine.replace(old, asked)
        placed.append(mine)
        moved.taken.append(short_name(mine))
    for device in devices(config):
        if device not in both and any(_share_place(device, each) for each in placed):
            remove_children(device, "address")
            moved.left.append(short_name(device))
    return moved


def _has_bus(config: Element, device: Element) -> bool:
    place = pci_address(device)
    return has_controller(config, device) if place is None else pci.bus_exists(config, place.bus)


def _share_place(device: Element, other: Element) -> bool:
    one, two = pci_address(device), pci_address(other)
    if one is not None and two is not None:
        return pci.same_slot(one, two)
    address, taken = address_of(device), address_of(other)
    return address is not None and taken is not None and same(address, taken)
