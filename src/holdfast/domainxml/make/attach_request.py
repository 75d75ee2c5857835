"""The device element of an attach, completed so that libvirt has nothing left to choose.

libvirt (9.0) parses the element once for live and once for config. A MAC address, an alias or a target that is missing
would come out differently in the two.
"""

from __future__ import annotations

import copy
import secrets

from holdfast.domainxml.address import address_of, pci_address, read_pci
from holdfast.domainxml.device import USER_ALIAS, alias, identity, label, user_alias
from holdfast.domainxml.document import Element, devices, element, parse_user_document, remove_children, same, value_at
from holdfast.domainxml.elements.disk import (
    disk_with_serial_of,
    is_shared,
    new_serial,
    next_target,
    seen_serial,
    source_of,
)
from holdfast.domainxml.elements.interface import new_mac
from holdfast.domainxml.places.controllers import free_controller_index
from holdfast.errors.documents import NOT_ONE_DEVICE

_NO_DEVICE = {"domain", "domainsnapshot", "network", "pool", "volume", "devices"}
"""Elements that people hand in by mistake where a device is asked for."""


def parse_device(text: str) -> Element:
    """Parse the element of one device. Raises InvalidDocument: NOT_ONE_DEVICE for a whole domain."""
    device = parse_user_document(text)
    if device.tag in _NO_DEVICE:
        raise NOT_ONE_DEVICE(line=device.sourceline, found=device.tag)
    return device


def complete_request(device: Element, documents: list[Element]) -> Element:
    """A copy of ``device`` with the target of a disk, or the index of a controller: the first that is free.

    What ``device`` has already stays. ``documents`` are the domain's.
    """
    completed = copy.deepcopy(device)
    if user_alias(completed) is None:
        remove_children(completed, "alias")
    if completed.tag == "disk":
        target = completed.find("target")
        if target is None:
            target = element("target", {"bus": "virtio"})
            completed.append(target)
        if target.get("dev") is None:
            target.set("dev", next_target(target.get("bus") or "virtio", documents))
    if completed.tag == "controller" and completed.get("index") is None:
        completed.set("index", free_controller_index(completed.get("type", ""), documents))
    return completed


def with_identifiers(device: Element) -> Element:
    """A copy of ``device`` with a user's alias, and with a MAC address and a serial where its kind has them.

    What ``device`` has already stays. Everything is chosen at random, so that no device is mistaken for an earlier one.
    A lease gets no alias, since libvirt (9.0) keeps none of it: its lockspace and key are its name.
    """
    request = copy.deepcopy(device)
    if user_alias(request) is None and request.tag != "lease":
        request.append(element("alias", {"name": f"{USER_ALIAS}{secrets.token_hex(6)}"}))
    if request.tag == "interface" and request.find("mac") is None:
        request.insert(0, element("mac", {"address": new_mac()}))
    if request.tag == "disk" and request.get("device", "disk") == "disk" and request.find("serial") is None:
        request.append(element("serial", text=new_serial()))
    return request


def without_random_identifiers(device: Element, promised: Element) -> Element:
    """A copy of ``device`` without the random choices of :func:`with_identifiers`: what ``promised`` does not have."""
    copied = copy.deepcopy(device)
    for tag in ("alias", "mac", "serial"):
        if promised.find(tag) is None:
            remove_children(copied, tag)
    return copied


def conflict(request: Element, document: Element) -> tuple[str, Element] | None:
    """What of ``request`` is taken, in words, and the device of ``document`` that has it; None when nothing is."""
    same = disk_with_serial_of(request, document.iterfind("devices/disk")) if request.tag == "disk" else None
    if same is not None and identity(same) != identity(request):
        return f"the serial {seen_serial(request)}, of which the guest sees no more,", same
    place, name = pci_address(request), alias(request)
    source = source_of(request) if request.tag == "disk" and not is_shared(request) else None
    for device in devices(document):
        if name is not None and alias(device) == name:
            return f"the alias {name}", device
        if place is not None and pci_address(device) == place:
            return f"the address {place}", device
        if device.tag != request.tag:
            continue
        if source is not None and source == source_of(device):
            return f"the image {source}", device
        what = {"disk": "target", "interface": "MAC address", "lease": "lease"}.get(str(request.tag))
        if what is not None and identity(device) == identity(request):
            return f"the {what} {identity(request)[1]}", device
    return None


def is_from_earlier_attach(request: Element, device: Element) -> bool:
    """True when ``device`` is what an earlier attach of the same ``request`` left in config.

    That is a device of the same kind that has all that the request names: alias, target, MAC, address, source.
    """
    if request.tag != device.tag or not names_one_device(request):
        return False
    asked_address, address = address_of(request), address_of(device)
    if asked_address is not None and (address is None or not same(asked_address, address)):
        return False
    return all(asked in (None, has) for asked, has in zip(_names(request), _names(device), strict=True))


def names_one_device(request: Element) -> bool:
    """True when ``request`` means one certain device: an interface without a MAC could as well be a second one."""
    is_named = request.tag == "lease" or (request.tag == "disk" and source_of(request))
    return bool(user_alias(request) or _mac(request) or is_named or _of_host(request))


def _names(device: Element) -> tuple[str | None, ...]:
    target = value_at(device, "target@dev") if device.tag == "disk" else None
    lease = label(device) if device.tag == "lease" else None
    return user_alias(device), target, _mac(device), source_of(device), lease, _of_host(device)


def _mac(device: Element) -> str | None:
    return (value_at(device, "mac@address") or "").lower() or None


def _of_host(device: Element) -> str | None:
    """Which PCI or mediated device of the host is passed through, however its numbers are written; else None."""
    address = device.find("source/address") if device.tag == "hostdev" else None
    if address is None or device.get("type") not in ("pci", "mdev"):
        return None
    return address.get("uuid") or str(read_pci(element("address", {**address.attrib, "type": "pci"})))
