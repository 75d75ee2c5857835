"""What of its host a guest could reach by a document: files, devices, and arguments of QEMU.

For a document that somebody else hands in: who starts it gives all of that to the guest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, devices, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.domain import passes_qemu_arguments

_BOOT_FILES = ("os/loader", "os/nvram@template", "os/kernel", "os/initrd", "os/dtb")
_PATHS = ("source@path", "source@dir", "source@file", "source@dev", "log@file", "backend@path", "rom@file")
_OWN = ("interface", "graphics")
"""Devices whose sources are networks, and the like: they are named, and no file."""


@dataclass(frozen=True)
class Reach:
    """One thing: ``what`` it is for, and its ``place`` on the host; "" for what is no path."""

    what: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.place}".rstrip()


def reaches(domain: Element) -> Iterator[Reach]:
    """All that a guest could reach by ``domain``; networks, bridges and volumes of pools are left out."""
    for path in _BOOT_FILES:
        if place := value_at(domain, path):
            yield Reach(path.rpartition("/")[2].replace("@", " "), place)
    for device in devices(domain):
        if device.tag == "hostdev" or (device.tag == "interface" and device.get("type") == "hostdev"):
            yield Reach(f"{device_name(device)} of the host")
        elif device.tag == "disk":
            place = source_of(device)
            if place and device.get("type") != "volume":
                yield Reach(device_name(device), place)
        elif device.tag not in _OWN:
            for path in _PATHS:
                if place := value_at(device, path):
                    yield Reach(device_name(device), place)
    if passes_qemu_arguments(domain):
        yield Reach("arguments of QEMU (qemu namespace)")
