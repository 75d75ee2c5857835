"""What all device elements have in common: how one is recognised, named, and found again in another document."""

from __future__ import annotations

import re

from lxml import etree

from holdfast.domainxml.address import PciAddress, describe_address, pci_address
from holdfast.domainxml.document import Element, devices

USER_ALIAS = "ua-"
"""libvirt keeps aliases that begin so in config; all others exist in live only (libvirt ≥ 3.9)."""

_GENERATED = re.compile(rf'<alias name="(?!{USER_ALIAS})[^"]*"/>((?:\s*<address [^<>]*/>)?)(\s*</[^<>]*>)')
"""The end of a device's text from the generated alias on. With no more than an address after it, it is no child's."""

_NAMED = ("disk", "interface", "controller")
"""What libvirt itself tells apart by target, MAC or index."""


def alias(device: Element) -> str | None:
    """The ``<alias name>`` of a device; in a config document only user aliases (``ua-…``) exist."""
    found = device.find("alias")
    return None if found is None else found.get("name")


def user_alias(device: Element) -> str | None:
    """The alias if it is one that libvirt keeps in both documents."""
    name = alias(device)
    return name if name is not None and name.startswith(USER_ALIAS) else None


def label(device: Element) -> str:
    """The name a person would use: the target of a disk, the MAC of an interface, else the alias, else the tag."""
    tag, name = str(device.tag), None
    if tag in ("disk", "filesystem"):
        target = device.find("target")
        name = None if target is None else target.get("dev") or target.get("dir")
    elif tag == "interface":
        mac = device.find("mac")
        name = None if mac is None else mac.get("address", "").lower()
    elif tag == "controller":
        name = f"{device.get('type', '?')} {device.get('index', '?')}"
    return name or user_alias(device) or tag


def describe(device: Element) -> str:
    """One line for people: ``disk vdb pci 0000:04:00.0``."""
    parts = [str(device.tag), label(device), describe_address(device)]
    if parts[0] == parts[1]:
        del parts[1]
    return " ".join(part for part in parts if part)


def device_name(device: Element) -> str:
    """A device as a sentence names it: "disk vdb", "interface 52:54:00:…", "rng pci 0000:06:00.0"."""
    name = label(device)
    return describe(device) if name == device.tag else f"{device.tag!s} {name}"


def short_name(device: Element) -> str:
    """As :func:`device_name`, but without the place, which the change tells anyway."""
    return " ".join(dict.fromkeys((str(device.tag), label(device))))


def identity(device: Element) -> tuple[str, str]:
    """What makes this the same device in another document: its tag and alias, MAC, target, index or place."""
    tag = str(device.tag)
    name = label(device)
    if tag in _NAMED and name != tag:
        return tag, name
    return tag, user_alias(device) or str(pci_address(device) or describe_address(device) or name)


def find_device(domain: Element, wanted: Element) -> Element | None:
    """The device of ``domain`` that is the same as ``wanted``; None when it has none.

    A user alias decides where both have one; else the identity of its kind: target, MAC or index, or its address.
    """
    name, place = user_alias(wanted), describe_address(wanted)
    alike = [device for device in devices(domain) if device.tag == wanted.tag]
    if name is not None:
        for device in alike:
            if user_alias(device) == name:
                return device
        alike = [device for device in alike if user_alias(device) is None or device.tag in _NAMED]
    for device in alike:
        if identity(device) == identity(wanted):
            return device
        if wanted.tag not in _NAMED and place is not None and describe_address(device) == place:
            return device
    return None


def lookup(domain: Element, name: str, tag: str | None = None) -> Element | None:
    """The device of ``domain`` that a person means by ``name``: target, MAC, alias or PCI address; None if none.

    ``tag`` limits the search to one kind of element.
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


def as_written(device: Element) -> str:
    """The text of a device but for the alias that libvirt generates: what nobody touched is found fast by it."""
    text = etree.tostring(device, encoding="unicode", with_tail=False)
    start = text.find("<alias ")
    generated = _GENERATED.fullmatch(text, start) if start > 0 else None
    if generated is None:
        return text
    rest, (address, end) = text[:start].rstrip(), generated.groups()
    is_empty = not address and rest.index(">") == len(rest) - 1
    return f"{rest[:-1]}/>" if is_empty else rest + address + end


def matching(domain: Element, wanted: Element) -> list[Element]:
    """The devices of ``domain`` that say everything that ``wanted`` says: an element that was attached finds itself."""
    return [device for device in devices(domain) if _says(device, wanted)]


def _says(device: Element, wanted: Element) -> bool:
    if device.tag != wanted.tag or (wanted.text or "").strip() not in ("", (device.text or "").strip()):
        return False
    if any((device.get(str(key)) or "").lower() != str(value).lower() for key, value in wanted.attrib.items()):
        return False
    return all(any(_says(child, part) for child in device) for part in wanted if isinstance(part.tag, str))
