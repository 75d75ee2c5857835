"""What an attach asks for: a device element, completed with what libvirt would otherwise make up once per document.

libvirt 9.0 parses the element anew for live and for config: a MAC address, an alias or a target that is missing comes
out twice and different.
"""

from __future__ import annotations

import copy
import secrets

from holdfast.domainxml.address import address_of, pci_address
from holdfast.domainxml.device import USER_ALIAS, alias, identity, user_alias
from holdfast.domainxml.document import Element, devices, element, parse, same
from holdfast.domainxml.elements.disk import is_shared, next_target, source_of
from holdfast.domainxml.elements.interface import new_mac
from holdfast.domainxml.places.controllers import free_controller_index
from holdfast.errors.documents import NOT_ONE_DEVICE

_NO_DEVICE = {"domain", "domainsnapshot", "network", "pool", "volume", "devices"}


def parse_device(text: str) -> Element:
    """Parse one device element. Raises InvalidDocument: NOT_ONE_DEVICE for a whole domain."""
    device = parse(text)
    if device.tag in _NO_DEVICE:
        raise NOT_ONE_DEVICE(line=device.sourceline, found=device.tag)
    return device


def complete(device: Element, documents: list[Element]) -> Element:
    """A copy of ``device`` with a user alias, and with MAC address, target and serial where its kind has them.

    What is given stays. Targets are the first that no document uses; ``documents`` are the domain's, parsed.
    """
    request = copy.deepcopy(device)
    if user_alias(request) is None:
        for generated in request.findall("alias"):
            request.remove(generated)
        request.append(element("alias", {"name": f"{USER_ALIAS}{secrets.token_hex(6)}"}))
    if request.tag == "interface" and request.find("mac") is None:
        request.insert(0, element("mac", {"address": new_mac()}))
    if request.tag == "disk":
        _complete_disk(request, documents)
    if request.tag == "controller" and request.get("index") is None:
        request.set("index", free_controller_index(request.get("type", ""), documents))
    return request


def _complete_disk(request: Element, documents: list[Element]) -> None:
    target = request.find("target")
    if target is None:
        target = element("target", {"bus": "virtio"})
        request.append(target)
    if target.get("dev") is None:
        target.set("dev", next_target(target.get("bus") or "virtio", documents))
    if request.get("device", "disk") == "disk" and request.find("serial") is None:
        request.append(element("serial", text=secrets.token_hex(8)))


def conflict(request: Element, document: Element) -> tuple[str, Element] | None:
    """What of ``request`` a device of ``document`` has already, in words, and that device; None when nothing is."""
    place, name = pci_address(request), alias(request)
    source = source_of(request) if request.tag == "disk" and not is_shared(request) else None
    for device in devices(document):
        if alias(device) == name:
            return f"the alias {name}", device
        if place is not None and pci_address(device) == place:
            return f"the address {place}", device
        if device.tag != request.tag:
            continue
        if source is not None and source == source_of(device):
            return f"the image {source}", device
        if request.tag in ("disk", "interface") and identity(device) == identity(request):
            what = "target" if request.tag == "disk" else "MAC address"
            return f"the {what} {identity(request)[1]}", device
    return None


def resumes(request: Element, device: Element) -> bool:
    """True when ``device`` is what an earlier attach of the same ``request`` left in config.

    The same kind, and nothing that the request names (alias, target, MAC, address, source) differs.
    """
    if request.tag != device.tag:
        return False
    named = [
        (user_alias(request), user_alias(device)),
        (_target(request), _target(device)),
        (_mac(request), _mac(device)),
        (source_of(request), source_of(device)),
    ]
    given = [(wanted, there) for wanted, there in named if wanted is not None]
    wanted_address, there_address = address_of(request), address_of(device)
    if wanted_address is not None and (there_address is None or not same(wanted_address, there_address)):
        return False
    return bool(given) and all(wanted == there for wanted, there in given) and _identified(request)


def _identified(request: Element) -> bool:
    """True when the request names one device: an interface without a MAC could as well be a second one."""
    return bool(user_alias(request) or _mac(request) or (request.tag == "disk" and source_of(request)))


def _target(device: Element) -> str | None:
    target = device.find("target")
    return target.get("dev") if device.tag == "disk" and target is not None else None


def _mac(device: Element) -> str | None:
    mac = device.find("mac")
    address = mac.get("address") if mac is not None else None
    return address.lower() if address else None
