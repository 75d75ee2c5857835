"""What of its host a guest could reach by a document: files, devices, storage, and arguments of QEMU.

For a document that somebody else hands in: who starts it gives all of that to the guest, or lets libvirt run it. Any
path counts, wherever it stands: what a newer libvirt has a path for is not missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, devices, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.domain import passes_qemu_arguments

_NO_PATHS = ("metadata", "name", "title", "description")
_HARMLESS = ("/dev/urandom", "/dev/random", "/dev/null")
_NETWORKED = {"tcp", "udp", "client", "server", "mcast"}
"""The kinds of interface, serial port, random source … that send packets or connect as a program of the host does."""


@dataclass(frozen=True)
class Reach:
    """One thing: ``what`` it is for, and its ``place`` on the host; "" for what is no path."""

    what: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.place}".rstrip()


def reaches(domain: Element) -> Iterator[Reach]:
    """All that a guest could reach by ``domain``; networks and bridges are left out."""
    for part in (each for each in domain if isinstance(each.tag, str) and each.tag not in (*_NO_PATHS, "devices")):
        yield from _paths(part, str(part.tag))
        if part.tag == "seclabel" and (part.get("type") != "dynamic" or part.get("relabel") == "no"):
            yield Reach(f"whatever the security label {part.get('type', 'static')} lets it")
    for device in devices(domain):
        name = device_name(device)
        yield from _paths(device, name)
        if _is_of_the_host(device):
            yield Reach(f"{name} of the host")
        elif _NETWORKED & {device.get("type"), value_at(device, "backend@type")}:
            yield Reach(f"{name} by the host's own network")
        elif device.tag == "disk" and device.get("type") in ("network", "volume"):
            yield Reach(name, source_of(device) or "")
    if passes_qemu_arguments(domain):
        yield Reach("arguments of QEMU (qemu namespace)")


def _is_of_the_host(device: Element) -> bool:
    return (
        device.tag in ("hostdev", "shmem")
        or (device.tag == "audio" and device.get("type") not in ("none", "spice"))
        or device.get("type") in ("hostdev", "nvme", "vdpa", "passthrough", "evdev")
        or device.get("mode") in ("host", "host-certificates")
        or value_at(device, "backend@type") in ("passthrough", "external")
    )


def _paths(part: Element, name: str) -> Iterator[Reach]:
    for node in part.iter("{*}*"):
        for value in (*node.attrib.values(), (node.text or "").strip()):
            if value.startswith("/") and value not in _HARMLESS:
                yield Reach(name, value)
        if node.tag in ("script", "downscript") and not (node.get("path") or "/").startswith("/"):
            yield Reach(f"{name}: the program {node.get('path')}")  # libvirt looks for it in $PATH
        if node.tag == "seclabel" and node is not part:
            yield Reach(f"{name} without a security label of libvirt's own")
