"""``<boot>``: what the firmware tries to boot, in which order."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, child, devices, value_at

BOOTABLE = ("disk", "interface", "hostdev", "redirdev")
"""The devices that can have a place in the boot order."""


def boot_order(domain: Element) -> list[str]:
    """The devices in their order by label; the kinds of ``<os><boot dev>`` ("hd", "network") where those decide."""
    kinds = [boot.get("dev", "") for boot in domain.iterfind("os/boot")]
    ordered = [device for device in devices(domain) if device.find("boot[@order]") is not None]
    return kinds or [label(device) for device in sorted(ordered, key=_order)]


def booted_by_kind(domain: Element) -> Element | None:
    """The disk that ``<boot dev='hd'>`` means: libvirt (9.0) orders those of one bus by their names. None without."""
    disks = [disk for disk in domain.iterfind("devices/disk") if disk.get("device", "disk") in ("disk", "lun")]
    if not disks or domain.find("os/boot[@dev='hd']") is None:
        return None
    buses = {disk: value_at(disk, "target@bus") for disk in disks}
    letters = {disk: (value_at(disk, "target@dev") or "").partition("d")[2] for disk in disks}
    return min((disk for disk in disks if buses[disk] == buses[disks[0]]), key=lambda d: (len(letters[d]), letters[d]))


def set_boot_order(domain: Element, first: Iterable[Element]) -> None:
    """Boot from these devices of ``domain``, in this order, and from nothing else."""
    for kind in domain.findall("os/boot"):
        child(domain, "os").remove(kind)
    orders = {device: str(number) for number, device in enumerate(first, start=1)}
    for device in devices(domain):
        boot = device.find("boot")
        if device in orders:
            child(device, "boot").set("order", orders[device])
        elif boot is not None:
            device.remove(boot)


def _order(device: Element) -> int:
    boot = device.find("boot")
    return 0 if boot is None else int(boot.get("order", "0"))
