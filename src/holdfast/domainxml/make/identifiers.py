"""What is chosen at random when a domain is made: its identifiers. Everything else is known beforehand."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Container, Iterator

from holdfast.domainxml.document import Element, canonical, element
from holdfast.domainxml.elements.interface import mac_of

_TEXTS = ("uuid", "hwuuid", "genid", "sysinfo/system/entry[@name='uuid']", "devices/disk/serial", "devices/disk/wwn")
_MAC = "devices/interface/mac"


def identifiers(domain: Element) -> set[str]:
    """The UUIDs, MAC addresses, serials and WWNs that a document states."""
    return {identifier for _, identifier in _stated(domain)}


def keep_seen_uuid(domain: Element) -> None:
    """Let ``<hwuuid>`` (libvirt 11.7) have the UUID that the guest of ``domain`` sees, before it gets another one."""
    uuid = domain.find("uuid")
    if uuid is not None and domain.find("hwuuid") is None:
        uuid.addnext(element("hwuuid", text=(uuid.text or "").strip()))


def name_interfaces(domain: Element) -> None:
    """Give a MAC address to every interface of ``domain`` without one: the same each time, which a dry run can promise.

    It depends on the domain's UUID, on the interface, and on what stands before it in the document.
    """
    seed = hashlib.sha256((domain.findtext("uuid") or "").encode())
    for interface in domain.iterfind("devices/interface"):
        seed.update(canonical(interface))
        if interface.find("mac") is None:
            interface.insert(0, element("mac", {"address": mac_of(seed.digest())}))


def without_identifiers(domain: Element, but: Container[str]) -> Element:
    """A copy of ``domain`` without its identifiers, except those in ``but``: what a dry run can promise of it.

    An empty ``<genid>`` stays, which says that there is one. The name of an NVRAM goes with the UUID that is in it.
    """
    copied = copy.deepcopy(domain)
    uuid, nvram = copied.findtext("uuid") or "", copied.find("os/nvram")
    if nvram is not None and uuid and uuid not in but and uuid in (nvram.text or ""):
        nvram.text = None
    for node, identifier in _stated(copied):
        if identifier in but:
            continue
        parent = node.getparent()
        if node.tag == "genid" or parent is None:
            node.text = None
        else:
            parent.remove(node)
    return copied


def _stated(domain: Element) -> list[tuple[Element, str]]:
    def found() -> Iterator[tuple[Element, str]]:
        for path in _TEXTS:
            for node in domain.iterfind(path):
                yield node, (node.text or "").strip()
        for node in domain.iterfind(_MAC):
            yield node, node.get("address", "")

    return [(node, identifier) for node, identifier in found() if identifier]
