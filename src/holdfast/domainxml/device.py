"""What all device elements have in common: how one is named, and how it is found again in another document."""

from __future__ import annotations

import re

from lxml import etree

from holdfast.domainxml.address import PciAddress, describe_address, pci_address
from holdfast.domainxml.document import Element, devices, value_at

USER_ALIAS = "ua-"
"""How an alias begins that a user gave: libvirt (≥ 3.9) keeps it in config. Those it generates are in live only."""

_GENERATED = re.compile(rf'<alias name="(?!{USER_ALIAS})[^"]*"/>((?:\s*<address [^<>]*/>)?)(\s*</[^<>]*>)')
"""How a device's text ends, from a generated alias on. With no more than an address behind it, it is no child's."""

_NAMED = ("disk", "interface", "controller")
"""The devices that libvirt itself tells apart by target, MAC or index."""


def alias(device: Element) -> str | None:
    """The alias of a device; a config document has only those that users gave (``ua-…``)."""
    return value_at(device, "alias@name")


def user_alias(device: Element) -> str | None:
    """The alias of a device if a user gave it, so that both documents have it; else None."""
    name = alias(device)
    return name if name is not None and name.startswith(USER_ALIAS) else None


def label(device: Element) -> str:
    """What a person would call a device: a disk's target, an interface's MAC, else its alias, else its tag."""
    tag, name = str(device.tag), None
    if tag in ("disk", "filesystem"):
        name = value_at(device, "target@dev") or value_at(device, "target@dir")
    elif tag == "interface":
        name = (value_at(device, "mac@address") or "").lower()
    elif tag == "controller":
        name = f"{device.get('type', '?')} {device.get('index', '?')}"
    return name or user_alias(device) or tag


def describe(device: Element) -> str:
    """A device in one line, with its place: "disk vdb pci 0000:04:00.0"."""
    parts = [str(device.tag), label(device), describe_address(device)]
    if parts[0] == parts[1]:
        del parts[1]
    return " ".join(part for part in parts if part)


def device_name(device: Element) -> str:
    """A device as a sentence names it: "disk vdb", "interface 52:54:00:…", "rng pci 0000:06:00.0"."""
    name = label(device)
    return describe(device) if name == device.tag else f"{device.tag!s} {name}"


def short_name(device: Element) -> str:
    """As :func:`device_name`, but never with the place: for sentences that tell the place anyway."""
    return " ".join(dict.fromkeys((str(device.tag), label(device))))


def identity(device: Element) -> tuple[str, str]:
    """What makes this the same device in another document: its tag, with its target, MAC, index, alias or place."""
    tag = str(device.tag)
    name = label(device)
    if tag in _NAMED and name != tag:
        return tag, name
    return tag, user_alias(device) or str(pci_address(device) or describe_address(device) or name)


def find_device(domain: Element, like: Element) -> Element | None:
    """The device of ``domain`` that is the same as ``like``, a device of another document; None when it has none.

    A user's alias decides where both have one, else the target, MAC or index, else the address.
    """
    name, place = user_alias(like), describe_address(like)
    alike = [device for device in devices(domain) if device.tag == like.tag]
    if name is not None:
        for device in alike:
            if user_alias(device) == name:
                return device
        alike = [device for device in alike if user_alias(device) is None or device.tag in _NAMED]
    for device in alike:
        if identity(device) == identity(like):
            return device
        if like.tag not in _NAMED and place is not None and describe_address(device) == place:
            return device
    return None


def lookup(domain: Element, name: str, tag: str | None = None) -> Element | None:
    """The device of ``domain`` that a person means by ``name``: a target, MAC, alias or PCI address; None without one.

    ``tag`` limits the search to devices of one kind ("disk").
    """
    place = PciAddress.parse(name)
    for device in devices(domain):
        if tag is not None and device.tag != tag:
            continue
        if name in (label(device), alias(device)) or name.lower() == label(device):
            return device
        if place is not None and pci_address(device) == place:
            return device
    return None


def text_but_alias(device: Element) -> str:
    """The text of a device without the alias that libvirt generates: what both documents have is found fast by it."""
    text = etree.tostring(device, encoding="unicode", with_tail=False)
    start = text.find("<alias ")
    generated = _GENERATED.fullmatch(text, start) if start > 0 else None
    if generated is None:
        return text
    rest, (address, end) = text[:start].rstrip(), generated.groups()
    is_empty = not address and rest.index(">") == len(rest) - 1
    return f"{rest[:-1]}/>" if is_empty else rest + address + end


def matching(domain: Element, pattern: Element) -> list[Element]:
    """The devices of ``domain`` that say all that ``pattern`` says, and maybe more.

    libvirt adds to an element that it was given: so the element of an attach finds the device that came of it.
    """
    return [device for device in devices(domain) if _says(device, pattern)]


def _says(device: Element, pattern: Element) -> bool:
    if device.tag != pattern.tag or (pattern.text or "").strip() not in ("", (device.text or "").strip()):
        return False
    if any((device.get(str(key)) or "").lower() != str(value).lower() for key, value in pattern.attrib.items()):
        return False
    return all(any(_says(child, part) for child in device) for part in pattern if isinstance(part.tag, str))
