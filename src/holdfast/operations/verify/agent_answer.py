"""What the QEMU guest agent says, as values. A guest can say anything: nothing here is believed to make sense.

What is not told is None. Texts are cut and made fit for a terminal; an answer that makes no sense is no answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from holdfast.domainxml.address import PciAddress
from holdfast.errors.look import SENSELESS_ANSWER
from holdfast.json_value import Json, as_list, as_object, as_text
from holdfast.text import printable

T = TypeVar("T")

MOST = 2048
"""The longest list that is believed."""

_LONGEST = 128
"""Characters of a text that are kept."""


@dataclass(frozen=True)
class GuestDisk:
    """A whole disk that sits on hardware: no partition, no logical volume, no loop device.

    ``pci`` is the function that it hangs on, in the guest's numbers, and ``unit`` which disk of several on it.
    """

    name: str
    pci: PciAddress | None
    unit: str | None
    serial: str | None


@dataclass(frozen=True)
class GuestInterface:
    """A network interface of whatever kind; ``mac`` in libvirt's notation."""

    name: str
    mac: str | None


@dataclass(frozen=True)
class GuestSystem:
    """The operating system: "Debian GNU/Linux 12 (bookworm)", "debian", "12", its kernel's release, "x86_64"."""

    name: str | None
    id: str | None
    version: str | None
    kernel: str | None
    machine: str | None


def parse_disks(answer: str) -> tuple[GuestDisk, ...]:
    """The answer to guest-get-disks. Raises SENSELESS_ANSWER."""
    return _parsed(answer, lambda said: tuple(_disk(each) for each in _objects(said) if _is_disk(each)))


def parse_interfaces(answer: str) -> tuple[GuestInterface, ...]:
    """The answer to guest-network-get-interfaces. Raises SENSELESS_ANSWER."""
    return _parsed(answer, lambda said: tuple(_interface(each) for each in _objects(said)))


def parse_system(answer: str) -> GuestSystem:
    """The answer to guest-get-osinfo. Raises SENSELESS_ANSWER."""
    return _parsed(answer, _system)


def fit(text: str) -> str:
    """What a guest said, cut, and fit for a terminal."""
    shown = printable(text[: _LONGEST + 1])
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def unit_of(bus: str | None, numbers: tuple[int, int, int]) -> str | None:
    """Which disk of several on one controller, by bus, target and unit of its address; None where nobody can tell.

    The agent says target 0 for whatever is on virtio-scsi (QEMU 7.2).
    """
    channel, target, unit = numbers
    if bus == "ide":
        return f"{channel}:{unit}"
    return str(unit) if bus in ("scsi", "sata") and target == 0 else None


def _parsed(answer: str, read: Callable[[Json], T]) -> T:
    try:
        return read(as_object(json.loads(answer))["return"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise SENSELESS_ANSWER() from error


def _objects(said: Json) -> Sequence[Mapping[str, Json]]:
    items = as_list(said)
    if len(items) > MOST:
        raise ValueError("an implausible list")
    return [as_object(item) for item in items]


def _text(said: Mapping[str, Json], key: str) -> str | None:
    value = said.get(key)
    text = "" if value is None else as_text(value)
    return fit(text) if text else None


def _number(said: Mapping[str, Json], key: str) -> int:
    value = said[key]
    if not isinstance(value, int | float | str):
        raise TypeError(f"{key} is no number")
    return int(value)


def _name(said: Mapping[str, Json]) -> str:
    name = _text(said, "name")
    if name is None:
        raise ValueError("an entry without a name")
    return name


def _is_disk(said: Mapping[str, Json]) -> bool:
    return not said["partition"] and "address" in said


def _disk(said: Mapping[str, Json]) -> GuestDisk:
    name, address = _name(said), as_object(said["address"])
    controller = as_object(address["pci-controller"])
    place = [_number(controller, key) for key in ("domain", "bus", "slot", "function")]
    is_place = all(0 <= number <= most for number, most in zip(place, (0xFFFFFFFF, 255, 31, 7), strict=True))
    seat = (_number(address, "bus"), _number(address, "target"), _number(address, "unit"))
    # Windows counts what hangs on a SATA controller in other ways.
    unit = unit_of(_text(address, "bus-type"), seat) if name.startswith("/") else None
    return GuestDisk(name, PciAddress(*place) if is_place else None, unit, _text(address, "serial"))


def _interface(said: Mapping[str, Json]) -> GuestInterface:
    mac = _text(said, "hardware-address")
    return GuestInterface(_name(said), None if mac is None else mac.lower())


def _system(said: Json) -> GuestSystem:
    system = as_object(said)
    return GuestSystem(
        name=_text(system, "pretty-name") or _text(system, "name"),
        id=_text(system, "id"),
        version=_text(system, "version-id"),
        kernel=_text(system, "kernel-release"),
        machine=_text(system, "machine"),
    )
