"""Which devices of a document an element means that somebody wrote, or printed, of one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.domainxml.device import matching, user_alias
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.domainxml.number import as_c_number
from holdfast.domainxml.sides import Sides, all_values
from holdfast.domainxml.units import unit_size

_CHARACTER = ("@type", "source", "target")
_OF_THE_MOMENT = ("target@state", "@tty", "source@portid", "source@index", "alias@name")
"""What a start gives anew, or a guest does: whether it has opened a channel."""

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


def devices_fitting(domain: Element, pattern: Element) -> list[Element]:
    """The devices of ``domain`` that ``pattern`` can mean: those that say all that it says, and maybe more.

    Where there are none: those that libvirt tells from others by what ``pattern`` says of that, and that say nothing
    else differently. What they do not say at all, libvirt may have left out.
    """
    found = matching(domain, pattern)
    asked = _known(pattern)
    beginnings = "|".join(_IDENTIFIED_BY.get(str(pattern.tag), ("@type", "@model")))
    wanted = {path for path in asked if re.match(rf"({beginnings})(?![a-z])", path)}
    if found or not wanted:
        return found
    return [device for device in devices(domain) if _fits(device, pattern, asked, wanted)]


def _fits(device: Element, pattern: Element, asked: dict[str, str], wanted: set[str]) -> bool:
    if device.tag != pattern.tag or user_alias(pattern) not in (None, user_alias(device)):
        return False
    known = _known(device)
    return all(known.get(path, None if path in wanted else value) == value for path, value in asked.items())


def _known(device: Element) -> dict[str, str]:
    """What ``device`` says, as far as libvirt knows it and it lasts, path by path, numbers in one notation."""
    sides = DEVICES.get(str(device.tag)) or Sides(str(device.tag))
    units = {path: unit for path, unit in _said(device) if path.endswith("@unit")}
    passing = [*units, *_OF_THE_MOMENT]
    if device.tag == "interface":
        passing.append("target@dev")
    if device.get("type") == "pty":  # the host numbers them anew at each start
        passing.append("source@path")
    return {
        path: _plain(value, units.get(f"{path}@unit"))
        for path, value in _said(device)
        if path not in passing and sides.side_of(re.sub(r"#\d+", "", path)) is not None
    }


def _said(device: Element) -> Iterator[tuple[str, str]]:
    return ((path.lstrip("/"), value) for path, value in all_values(device, "").items())


def _plain(value: str, unit: str | None) -> str:
    number = as_c_number(value)
    if number is None:
        return value.lower()
    return str(number * (unit_size(unit) or 1) if unit else number)
