"""Whether this machine has a device that a domain names: a network device, or one that is passed through to it; and
whether it is this machine, with its files, that a libvirt sees.

The kernel's own list is asked (sysfs), where libvirt finds them too. Its node devices are not: without udev they are
those of when libvirtd was started (9.0).
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

_SYS = Path("/sys")
_HOOKS = Path("/etc/libvirt/hooks")
_TIMEOUT = 1.0


def has_network_device(name: str) -> bool | None:
    """True when there is a network device (a bridge, say) of this name; None where nobody can tell."""
    return _is_listed("class/net", name)


def has_bus_device(bus: str, name: str) -> bool | None:
    """True when a ``bus`` of this machine ("pci", "mdev", "scsi") has the device ``name``; None if nobody can tell."""
    return _is_listed(f"bus/{bus}/devices", name)


def has_usb_device(vendor: int, product: int) -> bool | None:
    """True when there is a USB device with these ids; None where nobody can tell."""
    if not (_SYS / "bus").is_dir():
        return None
    found = _SYS.glob("bus/usb/devices/*")
    return any((vendor, product) == (_number(each / "idVendor", 16), _number(each / "idProduct", 16)) for each in found)


def has_usb_place(bus: int, device: int) -> bool | None:
    """True when there is a USB device with this number on this bus; None where nobody can tell."""
    if not (_SYS / "bus").is_dir():
        return None
    found = _SYS.glob("bus/usb/devices/*")
    return any((bus, device) == (_number(each / "busnum"), _number(each / "devnum")) for each in found)


def has_start_hook() -> bool:
    """True when libvirt runs a program of this machine's before it starts a domain: that may make devices for it."""
    return any(_HOOKS.glob("qemu")) or any(_HOOKS.glob("qemu.d/*"))


def has_our_files(path: str) -> bool | None:
    """True where whoever listens at the UNIX socket ``path`` has our root folder; None where nobody can tell.

    One in a container, or in a chroot, has a root folder of its own.
    """
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_TIMEOUT)
            asking.connect(path)
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, _, _ = struct.unpack("3i", credentials)
        return os.path.samestat(Path(f"/proc/{pid}/root/").stat(), Path("/").stat()) if pid else None
    except OSError:
        return None


def _is_listed(folder: str, name: str) -> bool | None:
    there = _SYS / folder
    # A bus of which the kernel knows nothing has no devices; a machine without sysfs says nothing.
    if not there.parent.parent.is_dir():
        return None
    return (there / name).exists()


def _number(file: Path, base: int = 10) -> int | None:
    try:
        return int(file.read_text(), base)
    except (OSError, ValueError):
        return None
