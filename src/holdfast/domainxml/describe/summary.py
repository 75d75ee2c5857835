"""A document as a short list of its devices, for people: what each is, and where it sits."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.device import label, user_alias
from holdfast.domainxml.document import Element, devices
from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.domainxml.elements.interface import connected_to


@dataclass(frozen=True)
class DeviceLine:
    """One device: its element name, its name or alias, what it is, and its address in words (None: it has none)."""

    kind: str
    name: str
    what: str
    address: str | None


def device_lines(domain: Element) -> list[DeviceLine]:
    """The devices of a document that a person asks for, in its order; PCI controllers and consoles are left out."""
    return [
        DeviceLine(str(device.tag), _name(device), _what(device), describe_address(device))
        for device in devices(domain)
        if device.tag not in ("console", "audio") and (device.tag, device.get("type")) != ("controller", "pci")
    ]


def _name(device: Element) -> str:
    name = label(device)
    if device.tag == "controller":
        return user_alias(device) or ""
    return "" if name == device.tag else name


def _what(device: Element) -> str:
    target, model = device.find("target"), device.find("model")
    if device.tag == "disk":
        bus = target.get("bus", "") if target is not None else ""
        kind = device.get("device", "disk")
        words = [bus, "" if kind == "disk" else kind, source_of(device) or "(empty)"]
        if source_of(device) and kind == "disk":
            words.append(f"({stated_format(device)})")
        return " ".join(word for word in words if word)
    if device.tag == "interface":
        found = [model.get("type") if model is not None else None, connected_to(device)]
        return " ".join(word for word in found if word)
    if device.tag == "controller":
        return " ".join(word for word in (device.get("type"), device.get("model")) if word)
    if device.tag in ("channel", "graphics"):
        name = target.get("name") if target is not None else device.get("listen")
        return " ".join(word for word in (device.get("type"), name) if word)
    named = model.get("type") if model is not None else None
    return " ".join(word for word in (device.get("model") or named, device.get("type"), device.get("bus")) if word)
