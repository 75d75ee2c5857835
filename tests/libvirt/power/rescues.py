"""What the tests of rescue share: a domain with much hardware, a rescue image, and where live has everything."""

from __future__ import annotations

from pathlib import Path

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.device import describe, find_device, label
from holdfast.domainxml.document import Element, devices, parse
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from tests.libvirt.domains import LIVE, disk_xml, domain_xml, image


def defined(connection: Connection, folder: Path, machine: str = "q35", extra: str = "", **more: str | int) -> Domain:
    """A domain that is shut off, with two disks on virtio, one on each other bus it has, and interfaces."""
    buses = {"vda": "virtio", "vdb": "virtio", "sda": "scsi", "sdb": "usb"}
    buses |= {"sdc": "sata"} if machine == "q35" else {"hda": "ide"}
    disks = "".join(disk_xml(folder, name, name, f"<serial>{name}</serial>", bus) for name, bus in buses.items())
    interfaces = "<interface type='user'><model type='virtio'/></interface>" * 2
    controllers = "<controller type='usb' index='0' model='qemu-xhci'/><controller type='scsi' model='virtio-scsi'/>"
    document = domain_xml("a", machine, extra=controllers + disks + interfaces + extra, **more)  # type: ignore[arg-type]
    return connection.define(document.replace("<controller type='usb' model='none'/>", ""))


def medium(folder: Path, bus: str | None = None, device: str = "disk") -> DiskSpec:
    """A rescue image."""
    return DiskSpec(path=str(image(folder, "rescue-system")), format="raw", bus=bus, device=device)


def whereabouts(domain: Domain, own: Element) -> dict[str, str | None]:
    """Every device of ``own``, and where live has it."""
    live = parse(domain.xml(LIVE))
    found = {describe(device): find_device(live, device) for device in devices(own)}
    return {name: None if device is None else describe_address(device) for name, device in found.items()}


def booted(domain: Domain) -> list[str]:
    """The labels of what is booted in live, in order."""
    boots = parse(domain.xml(LIVE)).findall("devices/*/boot")
    return [label(boot.getparent()) for boot in sorted(boots, key=lambda boot: int(boot.get("order", "0")))]  # type: ignore[arg-type]


def intended(own: Element) -> dict[str, str | None]:
    """Every device of ``own``, and where it says that it is."""
    return {describe(device): describe_address(device) for device in devices(own)}
