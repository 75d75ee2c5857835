"""What all device elements have in common: how one is named, and how it is found again in another document."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.address import PciAddress, describe_address, pci_address
from holdfast.domainxml.document import Element, devices, value_at

USER_ALIAS = "ua-"
"""How an alias begins that a user gave: libvirt (≥ 3.9) keeps it in config. Those it generates are in live only."""

_NAMED = ("disk", "interface", "controller", "lease")
"""The devices that libvirt itself tells apart by target, MAC, index or key."""


_KIND = {
    **dict.fromkeys(("sound", "watchdog", "panic", "memory"), "@model"),
    "input": "@type",
    "shmem": "@name",
}
"""What tells devices of one tag apart that nobody gave a name."""


def alias(device: Element) -> str | None:
    """The alias of a device; a config document has only those that users gave (``ua-…``)."""
    return value_at(device, "alias@name")


def user_alias(device: Element) -> str | None:
    """The alias of a device if a user gave it, so that both documents have it; else None."""
    name = alias(device)
    return name if name is not None and name.startswith(USER_ALIAS) else None


def label(device: Element) -> str:
    """What a person would call a device: a disk's target, an interface's MAC, a channel's name; its alias; its tag."""
    tag, name = str(device.tag), None
    if tag in ("disk", "filesystem"):
        name = value_at(device, "target@dev") or value_at(device, "target@dir")
    elif tag == "interface":
        name = (value_at(device, "mac@address") or "").lower()
    elif tag == "channel":
        name = value_at(device, "target@name")
    elif tag == "controller":
        name = f"{device.get('type', '?')} {device.get('index', '?')}"
    elif tag == "lease":
        name = ":".join(filter(None, map(device.findtext, ("lockspace", "key"))))
    return name or user_alias(device) or tag


def describe(device: Element) -> str:
    """A device in one line, with its place: "disk vdb pci 0000:04:00.0"."""
    parts = [str(device.tag), label(device), describe_address(device)]
    if parts[0] == parts[1]:
        del parts[1]
    return " ".join(part for part in parts if part)


def device_name(device: Element) -> str:
    """A device as a sentence names it: "disk vdb", "interface 52:54:00:…", "rng pci 0000:06:00.0"."""
    has_name = label(device) != device.tag or describe_address(device) is None
    return short_name(device) if has_name else describe(device)


def short_name(device: Element) -> str:
    """As :func:`device_name`, but never with the place: for sentences that tell the place anyway."""
    tag, name = str(device.tag), label(device)
    kind = value_at(device, _KIND[tag]) if name == tag and tag in _KIND else None
    return " ".join(dict.fromkeys((tag, name, *([kind] if kind else []))))


def identity(device: Element) -> tuple[str, str]:
    """What makes this the same device in another document: its tag, and its target, MAC, index, key, alias or place."""
    tag = str(device.tag)
    name = label(device)
    if tag in _NAMED and name != tag:
        return tag, name
    return tag, user_alias(device) or str(pci_address(device) or describe_address(device) or name)


def find_device(domain: Element, like: Element) -> Element | None:
    """The device of ``domain`` that is the same as ``like``, a device of another document; None when it has none.

    A user's alias decides where both have one, else the target, MAC, index or key, else the address.
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


def generated_aliases(domain: Element) -> Iterator[tuple[Element, Element]]:
    """Each device of a live document with its alias that libvirt generated, where that says no more than a name."""
    for found in domain.iter("alias"):
        if len(found.attrib) != 1 or found.get("name", USER_ALIAS).startswith(USER_ALIAS):
            continue
        device = found.getparent()
        parent = None if device is None else device.getparent()
        if device is None or parent is None or parent.tag != "devices":
            continue
        if not len(found) and _is_blank(found.text) and _is_blank(found.tail):
            yield device, found


def remove_without_trace(device: Element, alias: Element) -> None:
    """Take ``alias`` out of ``device``, with its white space: the text is as if it had never been there."""
    before = alias.getprevious()
    if alias.getnext() is None and before is not None and _is_blank(before.tail):
        before.tail = alias.tail
    elif alias.getnext() is None and before is None and _is_blank(device.text):
        device.text = None
    device.remove(alias)


def _is_blank(text: str | None) -> bool:
    return not text or text.isspace()


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
