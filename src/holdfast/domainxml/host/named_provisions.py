"""What a document names of its host, and a start needs there: networks, bridges, devices, pools, volumes, secrets."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from holdfast.domainxml.address import read_pci
from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, devices, element, value_at
from holdfast.domainxml.elements.disk import is_optional
from holdfast.domainxml.number import as_c_number


class ProvisionKind(StrEnum):
    """What a host can provide by name. The values are for people."""

    NETWORK = "network"
    BRIDGE = "bridge"
    NETWORK_DEVICE = "network device"
    UNMANAGED = "network device made by somebody else"
    PCI = "PCI device"
    USB = "USB device"
    SCSI = "SCSI device"
    MEDIATED = "mediated device"
    POOL = "storage pool"
    VOLUME = "volume"
    FILE = "file"
    SECRET = "secret"


_BOOT_FILES = ("kernel", "initrd", "dtb")


class Provision(NamedTuple):
    """One thing that the host has to have: ``who`` needs it, in words, and what it is called there.

    A USB device is named "VENDOR:PRODUCT" by its ids, or "BUS.DEVICE" by its place; a volume "POOL/VOLUME"; a secret by
    its UUID, or by its type and usage: "ceph client.admin".
    """

    who: str
    kind: ProvisionKind
    name: str


def named_provisions(domain: Element) -> Iterator[Provision]:
    """All that a start of ``domain`` needs by name, but images; except what the document marks as optional."""
    for tag in _BOOT_FILES:
        if path := (domain.findtext(f"os/{tag}") or "").strip():
            yield Provision(f"the {tag}", ProvisionKind.FILE, path)
    for device in devices(domain):
        for kind, name in _named(device):
            if name:
                yield Provision(device_name(device), kind, name)
        if _has_iommufd(device, domain):
            yield Provision(device_name(device), ProvisionKind.FILE, "/dev/iommu")


def _named(device: Element) -> Iterator[tuple[ProvisionKind, str | None]]:
    yield from _secrets(device)
    if device.tag == "interface":
        yield from _of_interface(device)
    elif device.tag == "hostdev":
        yield from _of_hostdev(device)
    elif device.tag == "disk" and device.get("type") == "volume" and not is_optional(device):
        pool, volume = value_at(device, "source@pool"), value_at(device, "source@volume")
        yield ProvisionKind.POOL, pool
        yield ProvisionKind.VOLUME, f"{pool}/{volume}"
    elif device.tag == "filesystem" and device.get("type", "mount") == "mount":
        yield ProvisionKind.FILE, value_at(device, "source@dir")
    elif device.tag == "tpm":
        yield ProvisionKind.FILE, value_at(device, "backend/device@path")


def _of_interface(device: Element) -> Iterator[tuple[ProvisionKind, str | None]]:
    kind = device.get("type")
    if kind == "network":
        yield ProvisionKind.NETWORK, value_at(device, "source@network")
    elif (
        kind == "bridge" and device.find("virtualport") is None
    ):  # else it is a switch's, which the kernel may not list
        yield ProvisionKind.BRIDGE, value_at(device, "source@bridge")
    elif kind == "direct":
        yield ProvisionKind.NETWORK_DEVICE, value_at(device, "source@dev")
    elif kind == "ethernet" and value_at(device, "target@managed") == "no":
        yield ProvisionKind.UNMANAGED, value_at(device, "target@dev")
    elif kind == "hostdev":
        yield ProvisionKind.PCI, _pci(device.find("source/address"))


def _of_hostdev(device: Element) -> Iterator[tuple[ProvisionKind, str | None]]:
    source, address = device.find("source"), device.find("source/address")
    if source is None or source.get("startupPolicy") == "optional":
        return
    kind = device.get("type")
    if kind == "usb":
        yield ProvisionKind.USB, _usb(source)
    elif address is not None and kind == "pci":
        yield ProvisionKind.PCI, _pci(address)
    elif address is not None and kind == "mdev":
        yield ProvisionKind.MEDIATED, address.get("uuid")
    elif address is not None and kind == "scsi" and (adapter := value_at(source, "adapter@name")):
        host = adapter.removeprefix("scsi_host")
        yield ProvisionKind.SCSI, ":".join([host, *(address.get(name, "0") for name in ("bus", "target", "unit"))])


def _has_iommufd(device: Element, domain: Element) -> bool:
    """True for a device of the host that QEMU is given through the kernel's iommufd (libvirt 12.1; of all, 12.2)."""
    is_passed = device.get("type") == "hostdev" or (device.tag == "hostdev" and device.get("type") in ("pci", "mdev"))
    return is_passed and (value_at(device, "driver@iommufd") or value_at(domain, "iommufd@enabled")) == "yes"


def _pci(address: Element | None) -> str | None:
    """The PCI device of the host; libvirt leaves the type of such an address out."""
    if address is None or address.get("type", "pci") != "pci" or address.get("bus") is None:
        return None
    place = read_pci(element("address", {**address.attrib, "type": "pci"}))
    return None if place is None else str(place)


def _usb(source: Element) -> str | None:
    vendor, product, bus, device = (
        as_c_number(value_at(source, path) or "")
        for path in ("vendor@id", "product@id", "address@bus", "address@device")
    )
    if vendor is not None and product is not None:
        return f"{vendor:04x}:{product:04x}"
    return f"{bus}.{device}" if bus is not None and device is not None else None


def _secrets(device: Element) -> Iterator[tuple[ProvisionKind, str]]:
    for node in device.iter("secret"):
        yield ProvisionKind.SECRET, node.get("uuid") or f"{node.get('type')} {node.get('usage')}"
    for node in device.iterfind("backend/encryption[@secret]"):
        yield ProvisionKind.SECRET, node.get("secret", "")
