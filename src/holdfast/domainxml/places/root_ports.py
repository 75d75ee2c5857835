"""Root ports of a PCI Express machine: enough of them that some stay free for devices attached later.

A running q35 guest can be given one device for each free pcie-root-port, and no new ports. libvirt by itself leaves a
single one free.
"""

from __future__ import annotations

from itertools import count

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.document import Element, child, devices, element
from holdfast.domainxml.number import number_at
from holdfast.domainxml.places.pci import pci_controllers
from holdfast.domainxml.platform import Platform

SPARE = 16
"""How many root ports a new domain has free, where nothing else is asked for."""

MOST = 200
"""With more ports too few of the 256 bus numbers would be left for bridges."""

_CONVENTIONAL_INTERFACES = ("e1000", "rtl8139", "ne2k_pci", "pcnet", "usb-net")
_EXPRESS_CONTROLLERS = ("xhci", "virtio-scsi", "virtio-non-transitional", "lsisas1068", "lsisas1078")


def provide_root_ports(domain: Element, spare: int) -> None:
    """Number the PCI controllers of ``domain``, and add root ports so that ``spare`` of them stay free.

    They are free once libvirt has placed every device that has no address yet. Ports that ``domain`` has already count.
    """
    controllers = pci_controllers(domain)
    used = {number_at(controller, "@index") for controller in controllers if controller.get("index")}
    parent = child(domain, "devices")
    if not any(controller.get("model") == "pcie-root" for controller in controllers):
        root = element("controller", {"type": "pci", "index": "0", "model": "pcie-root"})
        parent.insert(_position_behind(parent, "controller"), root)
        used.add(0)
    free = (index for index in count(1) if index not in used)
    for controller in controllers:
        if controller.get("index") is None:
            controller.set("index", "0" if controller.get("model") == "pcie-root" else str(next(free)))
    ports = [controller for controller in controllers if controller.get("model") == "pcie-root-port"]
    occupied = {address.bus for device in devices(domain) if (address := pci_address(device)) is not None}
    open_ports = sum(number_at(port, "@index") not in occupied for port in ports)
    position = _position_behind(parent, "controller[@type='pci']")
    for _ in range(max(0, spare + _ports_needed(domain) - open_ports)):
        port = element("controller", {"type": "pci", "index": str(next(free)), "model": "pcie-root-port"})
        parent.insert(position, port)
        position += 1


def _position_behind(parent: Element, controllers: str) -> int:
    """The position in ``parent`` behind the last of ``controllers``, a path; the end where there are none.

    PCI controllers go last among the controllers. libvirt adds its own at the define, behind these; if another type
    stood between, it would move them together at the first start (9.0), and the document would change.
    """
    places = [parent.index(node) + 1 for node in parent.iterfind(controllers)]
    return places[-1] if places else len(parent)


def _ports_needed(domain: Element) -> int:
    """How many root ports libvirt (9.0) will use for the devices that have no address yet.

    Conventional PCI devices use none: for them libvirt adds a bridge, and the root port that the bridge sits on.
    """
    needed = sum(_takes_port(device, domain) for device in devices(domain) if device.find("address") is None)
    has_serial = domain.find("devices/controller[@type='virtio-serial']") is not None
    if not has_serial and domain.find("devices/channel/target[@type='virtio']") is not None:
        needed += 1
    return needed


def _takes_port(device: Element, domain: Element) -> bool:
    tag, named = str(device.tag), device.find("model")
    model = device.get("model") or (None if named is None else named.get("type")) or ""
    if model.endswith("virtio-transitional") or model == "none":
        return False
    if tag == "disk":
        return device.find("target[@bus='virtio']") is not None
    if tag == "controller":
        kind = device.get("type")
        return kind == "virtio-serial" or (kind in ("usb", "scsi") and model.endswith(_EXPRESS_CONTROLLERS))
    if tag == "interface":
        return model not in _CONVENTIONAL_INTERFACES
    if tag == "video":
        is_primary = domain.find("devices/video") is device  # which a PC has on pcie-root itself
        return model not in ("ramfb", "none") and not (is_primary and Platform.of(domain).is_x86)
    if tag == "hostdev":
        return device.get("type") in ("pci", "mdev")
    if tag == "memory":
        return model in ("virtio-mem", "virtio-pmem")
    if tag == "input":
        return device.get("bus") == "virtio"
    return tag in ("rng", "filesystem", "vsock", "crypto", "memballoon")
