"""Which devices of a document an element means that somebody wrote, or printed, of one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.device import matching, user_alias
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.domainxml.number import as_c_number
from holdfast.domainxml.sides import Sides, all_values
from holdfast.domainxml.units import unit_size

_CHARACTER = ("@type", "source", "target")
_OF_THE_MOMENT = "target@state"
"""Whether the guest has opened a channel."""

_IDENTIFIED_BY = {
    "disk": ("target@dev",),
    "filesystem": ("target@dir",),
    "interface": ("mac@address", "@type", "source", "model@type"),
    "controller": ("@type", "@index"),
    "lease": ("lockspace", "key"),
    "hostdev": ("@type", "source"),
    "rng": ("@model", "backend"),
    "input": ("@type", "@bus", "source"),
    "redirdev": ("@bus", "@type", "source"),
    "shmem": ("@name", "model", "size"),
    "memory": ("@model", "source", "target"),
    **dict.fromkeys(("serial", "parallel", "console", "channel"), _CHARACTER),
}
"""By what libvirt (9.0) finds the device that it is to detach."""


def fitting(domain: Element, pattern: Element) -> list[Element]:
    """The devices of ``domain`` that ``pattern`` can mean: those that say all that it says, and maybe more.

    Where there are none: those that libvirt tells from others by what ``pattern`` says of that; whatever else it says
    libvirt may have left out, or written otherwise. A place or an alias that it names is theirs.
    """
    found = matching(domain, pattern)
    wanted = dict(_identifying(pattern))
    if found or not wanted:
        return found
    return [device for device in devices(domain) if _fits(device, pattern, wanted)]


def _fits(device: Element, pattern: Element, wanted: dict[str, str]) -> bool:
    if device.tag != pattern.tag or user_alias(pattern) not in (None, user_alias(device)):
        return False
    place = pci_address(pattern)
    return place in (None, pci_address(device)) and wanted.items() <= dict(_identifying(device)).items()


def _identifying(device: Element) -> Iterator[tuple[str, str]]:
    """What ``device`` says of what identifies it, as far as libvirt knows it, numbers in one notation."""
    sides = DEVICES.get(str(device.tag)) or Sides(str(device.tag))
    beginnings = _IDENTIFIED_BY.get(str(device.tag), ("@type", "@model"))
    if device.get("type") == "pty":  # the host numbers them anew at each start
        beginnings = tuple(each for each in beginnings if each != "source")
    units = {path: unit for path, unit in _said(device) if path.endswith("@unit")}
    for path, value in _said(device):
        is_known = sides.side_of(re.sub(r"#\d+", "", path)) is not None
        if is_known and path not in (*units, _OF_THE_MOMENT) and re.match(rf"({'|'.join(beginnings)})(?![a-z])", path):
            yield path, _plain(value, units.get(f"{path}@unit"))


def _said(device: Element) -> Iterator[tuple[str, str]]:
    return ((path.lstrip("/"), value) for path, value in all_values(device, "").items())


def _plain(value: str, unit: str | None) -> str:
    number = as_c_number(value)
    if number is None:
        return value.lower()
    return str(number * (unit_size(unit) or 1) if unit else number)
