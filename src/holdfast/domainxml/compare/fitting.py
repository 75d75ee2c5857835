"""Which devices of a document an element can mean: one that somebody wrote by hand, or printed from the document."""

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
"""What changes by itself: a start chooses it anew, or the guest does (whether it has opened a channel)."""

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
"""Element → the paths by which libvirt (9.0) finds the device to detach."""


def devices_fitting(domain: Element, pattern: Element) -> list[Element]:
    """The devices of ``domain`` that ``pattern`` can mean: those that have everything that it has, and maybe more.

    Where there are none: those that are equal in the paths of _IDENTIFIED_BY, and contradict ``pattern`` nowhere. A
    device may lack other parts of ``pattern``: libvirt may have left them out.
    """
    found = matching(domain, pattern)
    asked = _lasting_values(pattern)
    beginnings = "|".join(_IDENTIFIED_BY.get(str(pattern.tag), ("@type", "@model")))
    identifying = {path for path in asked if re.match(rf"({beginnings})(?![a-z])", path)}
    if found or not identifying:
        return found
    return [device for device in devices(domain) if _fits(device, pattern, asked, identifying)]


def _fits(device: Element, pattern: Element, asked: dict[str, str], identifying: set[str]) -> bool:
    if device.tag != pattern.tag or user_alias(pattern) not in (None, user_alias(device)):
        return False
    values = _lasting_values(device)
    return all(values.get(path, None if path in identifying else value) == value for path, value in asked.items())


def _lasting_values(device: Element) -> dict[str, str]:
    """Path → value of ``device``, for what libvirt knows and what lasts; numbers are in one notation."""
    sides = DEVICES.get(str(device.tag)) or Sides(str(device.tag))
    units = {path: unit for path, unit in _values(device) if path.endswith("@unit")}
    ignored = [*units, *_OF_THE_MOMENT]
    if device.tag == "interface":
        ignored.append("target@dev")
    if device.get("type") == "pty":  # the host numbers them anew at each start
        ignored.append("source@path")
    return {
        path: _plain(value, units.get(f"{path}@unit"))
        for path, value in _values(device)
        if path not in ignored and sides.side_of(re.sub(r"#\d+", "", path)) is not None
    }


def _values(device: Element) -> Iterator[tuple[str, str]]:
    return ((path.lstrip("/"), value) for path, value in all_values(device, "").items())


def _plain(value: str, unit: str | None) -> str:
    number = as_c_number(value)
    if number is None:
        return value.lower()
    return str(number * (unit_size(unit) or 1) if unit else number)
