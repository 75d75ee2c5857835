"""The devices of a document as a short list for people: what each is, and where it sits."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.device import label, user_alias
from holdfast.domainxml.document import Element, devices, value_at
from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.elements.interface import connected_to


@dataclass(frozen=True)
class DeviceLine:
    """One device: the name of its element, its own name or "", what it is, and its address in words (None without)."""

    kind: str
    name: str
    what: str
    address: str | None


def device_lines(domain: Element) -> list[DeviceLine]:
    """The devices that a person asks for, in document order; PCI controllers, consoles and audio are left out."""
    return [
        DeviceLine(str(device.tag), _name(device), _what(device), describe_address(device))
        for device in devices(domain)
        if device.tag not in ("console", "audio") and (device.tag, device.get("type")) != ("controller", "pci")
    ]


def device_in_words(device: Element) -> str:
    """A device that came without being asked for, as a person would tell it from others, with its place.

    "input mouse ps2", "controller scsi 1 virtio-scsi, pci 0000:03:00.0"; without an alias, which says nothing.
    """
    name = label(device)
    own = [] if name == user_alias(device) else name.split()
    words = " ".join(dict.fromkeys([str(device.tag), *own, *_what(device).split()]))
    return ", ".join(filter(None, (words, describe_address(device))))


def _name(device: Element) -> str:
    name = label(device)
    if device.tag == "controller":
        return user_alias(device) or ""
    return "" if name == device.tag else name


def _what(device: Element) -> str:
    return " ".join(word for word in _words(device) if word)


def _words(device: Element) -> list[str | None]:
    model = value_at(device, "model@type")
    if device.tag == "disk":
        kind, source = device.get("device", "disk"), source_of(device)
        format = f"({stated_format(device)})" if source and kind == "disk" else None
        return [value_at(device, "target@bus"), None if kind == "disk" else kind, source or "(empty)", format]
    if device.tag == "interface":
        return [model, connected_to(device)]
    if device.tag == "controller":
        return [device.get("type"), device.get("model")]
    if device.tag == "channel":
        return [device.get("type"), value_at(device, "target@name")]
    if device.tag == "graphics":
        return [device.get("type"), device.get("listen")]
    return [device.get("model") or model, device.get("type"), device.get("bus")]
