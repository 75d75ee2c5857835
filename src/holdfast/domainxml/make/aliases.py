"""The aliases that Holdfast gives to devices, by which each is known again wherever it sits: ua-vda, ua-net0."""

from __future__ import annotations

from itertools import chain, count

from holdfast.domainxml.device import USER_ALIAS, alias, user_alias
from holdfast.domainxml.document import Element, devices, element, remove_children, value_at
from holdfast.domainxml.elements.declarations import is_hardware
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts

_BEHIND_ALIAS = ("rom", "acpi", "address")
"""What libvirt writes behind the alias of a device (virDomainDeviceInfoFormat)."""

_ALIASED = {
    "disk",
    "interface",
    "filesystem",
    "input",
    "sound",
    "video",
    "hostdev",
    "redirdev",
    "hub",
    "watchdog",
    "crypto",
    "pstore",
    "memballoon",
    "rng",
    "tpm",
    "shmem",
    "memory",
    "vsock",
    "serial",
    "parallel",
    "channel",
    "panic",
}
"""Elements that can have an alias of ours; graphics, audio, iommu and smartcards cannot (libvirt 9.0, 11.3)."""

_ALIASED_CONTROLLERS = {"virtio-serial": "", "scsi": "", "usb": "xhci", "ccid": ""}
"""Controllers that can, and what their model must contain: the names of built-in ones, and of the companions of a USB 2
controller, are fixed; a PCI controller is named by its index."""


def name_devices(domain: Element) -> None:
    """Give every device that can have one an alias of ours: ua-vda, ua-net0, ua-rng0 …"""
    # An alias that a record names is left for the recorded disk.
    taken = {alias(device) for device in devices(domain)} | {record.alias for record in facts(domain, DiskRecord)}
    for device in devices(domain):
        name_device(device, taken)


def name_device(device: Element, taken: set[str | None]) -> None:
    """Give ``device``, if it can have one, an alias of ours that is not in ``taken``; it is added there."""
    stem = alias_stem(device)
    if stem is None or user_alias(device) is not None:
        return
    remove_children(device, "alias")
    plain = [stem] if device.tag == "disk" else []
    names = (USER_ALIAS + name for name in chain(plain, (f"{stem}{number}" for number in count())))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    _insert_alias(device, name)


def _insert_alias(device: Element, name: str) -> None:
    """Put it where libvirt writes it, and laid out alike: what libvirt then has is word for word the same."""
    made = element("alias", {"name": name})
    at = next((number for number, each in enumerate(device) if each.tag in _BEHIND_ALIAS), len(device))
    made.tail = device.text
    if at:
        made.tail, device[at - 1].tail = device[at - 1].tail, device.text
    device.insert(at, made)


def alias_stem(device: Element) -> str | None:
    """How an alias of ours for ``device`` begins ("vda", "net", "rng"); None for a device that cannot have one."""
    tag = str(device.tag)
    if tag == "controller":
        kind, model = device.get("type", ""), device.get("model") or ""
        return kind if kind in _ALIASED_CONTROLLERS and _ALIASED_CONTROLLERS[kind] in model else None
    is_built_in = tag == "input" and device.get("bus") in ("ps2", "xen")
    if tag not in _ALIASED or is_built_in or not is_hardware(device):
        return None
    if tag == "disk":
        return "disk" if device.find("target") is None else value_at(device, "target@dev")
    return {"interface": "net", "memballoon": "balloon"}.get(tag, tag)
