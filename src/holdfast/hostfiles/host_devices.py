"""Whether this machine has a device that a domain names: a network device, or one that is handed through to it.

The kernel's own list is asked (sysfs), where libvirt finds them too. Its node devices are not: without udev they are
those of when libvirtd was started (9.0).
"""

from __future__ import annotations

from pathlib import Path

_SYS = Path("/sys")
_HOOKS = Path("/etc/libvirt/hooks")


def has_network_device(name: str) -> bool | None:
    """True when there is a network device (a bridge, say) of this name; None where nobody can tell."""
    return _is_listed("class/net", name)


def has_bus_device(bus: str, name: str) -> bool | None:
    """True when a ``bus`` of this machine ("pci", "mdev", "scsi") has the device ``name``; None if nobody can tell."""
    return _is_listed(f"bus/{bus}/devices", name)


def has_usb_device(vendor: str, product: str) -> bool | None:
    """True when there is a USB device with these ids ("0x0951"); None where nobody can tell."""
    if not (_SYS / "bus").is_dir():
        return None
    wanted = tuple(int(each, 16) for each in (vendor, product))
    return any(wanted == _usb_ids(device) for device in _SYS.glob("bus/usb/devices/*"))


def has_usb_place(bus: str, device: str) -> bool | None:
    """True when there is a USB device at this place, both numbers as the document writes them; None as above."""
    if not (_SYS / "bus").is_dir():
        return None
    wanted = int(bus, 0), int(device, 0)
    found = _SYS.glob("bus/usb/devices/*")
    return any(wanted == (_number(each / "busnum"), _number(each / "devnum")) for each in found)


def has_start_hook() -> bool:
    """True when libvirt runs a program of this machine's before it starts a domain: that may make devices for it."""
    return any(_HOOKS.glob("qemu")) or any(_HOOKS.glob("qemu.d/*"))


def _is_listed(folder: str, name: str) -> bool | None:
    there = _SYS / folder
    # A bus of which the kernel knows nothing has no devices; a machine without sysfs says nothing.
    if not there.parent.parent.is_dir():
        return None
    return (there / name).exists()


def _usb_ids(device: Path) -> tuple[int | None, int | None]:
    return _number(device / "idVendor", 16), _number(device / "idProduct", 16)


def _number(file: Path, base: int = 10) -> int | None:
    try:
        return int(file.read_text(), base)
    except (OSError, ValueError):
        return None
