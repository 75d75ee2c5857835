"""Root ports of a PCI Express machine: numbered, and enough of them that some stay free.

A running q35 guest takes one new device per free pcie-root-port and cannot get new ports; libvirt by itself leaves
one free.
"""

from __future__ import annotations

from itertools import count

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.document import Element, child, devices, element
from holdfast.domainxml.pci import pci_controllers

SPARE = 16
MOST = 200
"""More ports would not leave bus numbers (256 in all) for bridges."""

_CONVENTIONAL_MODELS = {"interface": ("e1000", "rtl8139", "ne2k_pci", "pcnet"), "sound": ("ac97", "es1370", "ich6")}


def has_root_ports(machine: str) -> bool:
    """True for the machine types whose PCI devices sit behind root ports: q35, and virt on ARM and RISC-V."""
    return "q35" in machine or machine.startswith("virt")


def provide_root_ports(domain: Element, spare: int) -> None:
    """Number the PCI controllers of ``domain`` and add root ports, so that ``spare`` are free once libvirt has placed
    every device that has no address yet. Ports that the document has already count.
    """
    controllers = pci_controllers(domain)
    used = {int(controller.get("index", "")) for controller in controllers if controller.get("index")}
    parent = child(domain, "devices")
    if not any(controller.get("model") == "pcie-root" for controller in controllers):
        root = element("controller", {"type": "pci", "index": "0", "model": "pcie-root"})
        parent.insert(_first_controller(parent), root)
        used.add(0)
    free = (index for index in count(1) if index not in used)
    for controller in controllers:
        if controller.get("index") is None:
            controller.set("index", "0" if controller.get("model") == "pcie-root" else str(next(free)))
    ports = [controller for controller in controllers if controller.get("model") == "pcie-root-port"]
    occupied = {address.bus for device in devices(domain) if (address := pci_address(device)) is not None}
    open_ports = sum(int(port.get("index", "0")) not in occupied for port in ports)
    position = _last_controller(parent)
    for _ in range(max(0, spare + _ports_needed(domain) - open_ports)):
        port = element("controller", {"type": "pci", "index": str(next(free)), "model": "pcie-root-port"})
        parent.insert(position, port)
        position += 1


def _first_controller(parent: Element) -> int:
    return next((index for index, node in enumerate(parent) if node.tag == "controller"), len(parent))


def _last_controller(parent: Element) -> int:
    places = [index + 1 for index, node in enumerate(parent) if node.tag == "controller" and node.get("type") == "pci"]
    return places[-1] if places else len(parent)


def _ports_needed(domain: Element) -> int:
    """How many root ports libvirt (9.0) will take for the devices that have no address yet."""
    express = conventional = 0
    for device in devices(domain):
        if device.find("address") is not None:
            continue
        kind = _kind(device, domain)
        express += kind == "express"
        conventional += kind == "conventional"
    present = {(node.get("type"), node.get("model")) for node in domain.iterfind("devices/controller")}
    types = {kind for kind, _ in present}
    if "usb" not in types:
        conventional += 1
    if domain.find("devices/memballoon") is None:
        express += 1
    if "virtio-serial" not in types and domain.find("devices/channel/target[@type='virtio']") is not None:
        express += 1
    if "scsi" not in types and domain.find("devices/disk/target[@bus='scsi']") is not None:
        conventional += 1
    has_bridge = any(model in ("pcie-to-pci-bridge", "dmi-to-pci-bridge") for _, model in present)
    return express + (1 if conventional and not has_bridge else 0)


def _kind(device: Element, domain: Element) -> str | None:
    """Where libvirt puts a device on q35: "express" takes a root port, "conventional" shares one bridge."""
    tag, model = str(device.tag), device.get("model") or device.findtext("model")
    named = device.find("model")
    model = (named.get("type") if named is not None else None) or model or ""
    if "transitional" in model and "non-transitional" not in model:
        return "conventional"
    if tag == "disk":
        target = device.find("target")
        return "express" if target is not None and target.get("bus") == "virtio" else None
    if tag == "controller":
        return _controller_kind(device)
    if tag in _CONVENTIONAL_MODELS:
        if model in _CONVENTIONAL_MODELS[tag]:
            return "conventional"
        return "express" if tag == "interface" else None
    if tag == "video":
        return None if domain.find("devices/video") is device or model == "none" else "express"
    if tag == "watchdog":
        return "conventional" if model == "i6300esb" else None
    if tag == "memballoon":
        return None if model == "none" else "express"
    if tag == "input":
        return "express" if device.get("bus") == "virtio" else None
    if tag == "hostdev":
        return "express" if device.get("type") in ("pci", "mdev") else None
    if tag == "memory":
        return "express" if model in ("virtio-mem", "virtio-pmem") else None
    return "express" if tag in ("rng", "filesystem", "vsock", "crypto", "shmem") else None


def _controller_kind(device: Element) -> str | None:
    kind, model = device.get("type"), device.get("model") or ""
    if kind == "usb":
        if model.endswith("xhci"):
            return "express"
        return None if model.startswith("ich9") or model == "none" else "conventional"
    if kind == "scsi":
        return "express" if model.startswith("virtio") or "sas" in model else "conventional"
    return "express" if kind == "virtio-serial" else None
