"""``<boot>``: what the firmware tries to boot, in which order. In ``<os>`` by kind, or in each device by number."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, child, devices, remove_children, value_at
from holdfast.domainxml.number import number_at

BOOTABLE = ("disk", "interface", "hostdev", "redirdev")
"""The devices that can have a number in the boot order."""

_DISKS = {"hd": ("disk", "lun"), "cdrom": ("cdrom",), "fd": ("floppy",)}
"""``<boot dev>`` → the kinds of disk that it means; a word that is not here means an interface."""


def boot_order(domain: Element) -> list[str]:
    """The labels of what is booted, in order; the kinds of ``<os><boot dev>`` ("hd", "network") where those decide."""
    kinds = [boot.get("dev", "") for boot in domain.iterfind("os/boot")]
    return kinds or [label(device) for device in _numbered(domain)]


def booted_devices(domain: Element) -> list[Element]:
    """What is booted, in order. ``<os><boot dev>`` means the first device of its kind (libvirt 9.0)."""
    booted: list[Element] = []
    for boot in domain.iterfind("os/boot"):
        kinds = _DISKS.get(boot.get("dev", ""))
        if kinds is None:
            booted += domain.findall("devices/interface")[:1]
        else:
            booted += [disk for disk in domain.iterfind("devices/disk") if disk.get("device", "disk") in kinds][:1]
    return [*booted, *_numbered(domain)]


def booted_by_kind(domain: Element) -> Element | None:
    """The disk that ``<boot dev='hd'>`` means: of those on the first one's bus the first by name (libvirt 9.0).

    None where nothing is booted so.
    """
    disks = [disk for disk in domain.iterfind("devices/disk") if disk.get("device", "disk") in ("disk", "lun")]
    if not disks or domain.find("os/boot[@dev='hd']") is None:
        return None
    buses = {disk: value_at(disk, "target@bus") for disk in disks}
    letters = {disk: (value_at(disk, "target@dev") or "").partition("d")[2] for disk in disks}
    return min((disk for disk in disks if buses[disk] == buses[disks[0]]), key=lambda d: (len(letters[d]), letters[d]))


def set_boot_order(domain: Element, first: Iterable[Element]) -> None:
    """Boot from these devices of ``domain``, in this order, and from nothing else."""
    for os in domain.iterfind("os"):
        remove_children(os, "boot")
    orders = {device: str(number) for number, device in enumerate(first, start=1)}
    for device in devices(domain):
        boot = device.find("boot")
        if device in orders:
            child(device, "boot").set("order", orders[device])
        elif boot is not None:
            device.remove(boot)


def _numbered(domain: Element) -> list[Element]:
    numbered = [device for device in devices(domain) if device.find("boot[@order]") is not None]
    return sorted(numbered, key=lambda device: number_at(device, "boot@order"))
