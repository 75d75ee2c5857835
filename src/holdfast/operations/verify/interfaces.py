"""The interfaces of the live document compared with those the guest agent reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.places.guest_buses import guest_buses
from holdfast.operations.verify.agent_answer import GuestInterface
from holdfast.operations.verify.checked_device import (
    Agreement,
    CheckedDevice,
    DeviceAsSeen,
    checked,
    pci_in_guest,
    place_of,
)

_SHARING = 3
"""A bond gives the MAC of one of its interfaces to all and to itself: three or more with one MAC may be a bond."""

_NO_MAC = "00:00:00:00:00:00"
"""What Linux reports for lo."""


def check_interfaces(live: Element, reported: Sequence[GuestInterface]) -> list[CheckedDevice]:
    """The interfaces of ``live`` compared with those ``reported``: by MAC, because the agent reports no address."""
    names: dict[str, list[str]] = {}
    for each in reported:
        if each.mac is not None:
            names.setdefault(each.mac, []).append(each.name)
    macs = Counter(_mac(interface) for interface in live.iterfind("devices/interface"))
    unknown_to_live = [f"{each.name} {each.mac}" for each in reported if each.mac not in (*macs, None, _NO_MAC)]
    shared = next((mac for mac in names if mac != _NO_MAC and len(names[mac]) >= max(_SHARING, macs[mac] + 1)), None)
    return [
        _check(each, said, names.get(_mac(each), []), macs, unknown_to_live, shared) for each, said in _interfaces(live)
    ]


def unanswered_interfaces(live: Element, why: str) -> list[CheckedDevice]:
    """The interfaces of ``live`` where the agent did not report any, and ``why``."""
    return [checked(each, Agreement.UNKNOWN, said, note=why) for each, said in _interfaces(live)]


def _interfaces(live: Element) -> list[tuple[Element, DeviceAsSeen]]:
    """Every interface with what live says of it."""
    buses = guest_buses(live)
    return [
        (each, DeviceAsSeen(address=place_of(pci_in_guest(each, buses)) or describe_address(each), mac=_mac(each)))
        for each in live.iterfind("devices/interface")
    ]


def _check(
    interface: Element,
    live: DeviceAsSeen,
    names: Sequence[str],
    macs: Counter[str],
    unknown_to_live: Sequence[str],
    shared: str | None,
) -> CheckedDevice:
    mac = _mac(interface)
    if not names:
        if shared is not None:
            note = f"several interfaces of the guest have the MAC {shared}: in a bond this one does not show its own"
            return checked(interface, Agreement.UNKNOWN, live, note=note)
        more = f"; it has {', '.join(unknown_to_live[:4])}, which live does not have" if unknown_to_live else ""
        return checked(interface, Agreement.NOT_SEEN, live, note=f"the guest has no interface with this MAC{more}")
    said = DeviceAsSeen(name=", ".join(names[:4]), mac=mac)
    if len(names) < macs[mac]:
        note = f"live has {macs[mac]} interfaces with this MAC, the guest has {len(names)}"
        return checked(interface, Agreement.DIFFERS, live, said, note)
    return checked(interface, Agreement.AGREES, live, said)


def _mac(interface: Element) -> str:
    return (value_at(interface, "mac@address") or "").lower()
