"""Small domains for tests: documents as text, defined on the real libvirt of the test."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.domainxml.address import PciAddress, pci_address
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, devices, parse
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.host.outlook import HostOutlook

LIVE, CONFIG = Definition.LIVE, Definition.CONFIG


def domain_xml(name: str = "a", machine: str = "q35", ports: int = 8, extra: str = "") -> str:
    """A domain without disks; with ``ports`` root ports on q35. The balloon takes the first place."""
    root_ports = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
        f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, ports + 1)
    )
    return f"""<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>64</memory>
  <os><type machine='{machine}'>hvm</type></os><features><acpi/></features>
  <devices>{root_ports if machine == "q35" else ""}
    <controller type='usb' model='none'/><memballoon model='virtio'/>{extra}
  </devices></domain>"""


def newest_machine(connection: Connection, family: str = "q35") -> str:
    """The versioned machine type that "q35" or "pc" means on this host."""
    return HostOutlook(connection).machines("x86_64", "qemu")[family].canonical or family


def deprecated_machine(connection: Connection) -> str:
    """A machine type of i440fx that this host's QEMU calls deprecated."""
    machines = HostOutlook(connection).machines("x86_64", "qemu")
    return next(name for name, each in machines.items() if name.startswith("pc-i440fx-") and each.deprecated)


def has_open_firmware(document: Element) -> bool:
    """True where libvirt chooses the firmware at each start; since 9.2 it leaves firmware='efi' beside its choice."""
    return document.find("os[@firmware]") is not None and not document.findtext("os/loader")


def is_of_machine(device: Element) -> bool:
    """True for the watchdog of q35 itself, which libvirt (9.1) writes down in every document."""
    return device.tag == "watchdog" and device.get("model") == "itco"


def running(connection: Connection, *args: str, **kwargs: str | int) -> Domain:
    """A started, paused domain: QEMU runs, the guest does not."""
    domain = connection.define(domain_xml(*args, **kwargs))  # type: ignore[arg-type]
    domain.start(paused=True)
    return domain


def remove_domains(connection: Connection) -> None:
    """Destroy and undefine all that there are; images stay."""
    for domain in connection.domains():
        persistent = domain.is_persistent()
        if domain.is_active():
            domain.destroy()
        if persistent:
            domain.undefine()


def image(folder: Path, name: str) -> Path:
    """An empty raw image of 1 MiB."""
    path = folder / f"{name}.img"
    with path.open("wb") as file:
        file.truncate(1024 * 1024)
    return path


def disk_xml(folder: Path, name: str, target: str | None = None, extra: str = "", bus: str = "virtio") -> str:
    """A raw disk on an image of its own."""
    dev = f"dev='{target}'" if target else ""
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image(folder, name)}'/>"
        f"<target {dev} bus='{bus}'/>{extra}</disk>"
    )


def places(domain: Domain, definition: Definition) -> dict[str, PciAddress | None]:
    """Label → PCI address of every device in one document."""
    return {label(device): pci_address(device) for device in devices(parse(domain.xml(definition)))}


def place(domain: Domain, name: str) -> PciAddress:
    """Where the device ``name`` stands, which must be the same in live and config."""
    live, config = places(domain, LIVE)[name], places(domain, CONFIG)[name]
    assert live == config
    assert live is not None
    return live


def recorded(domain: Domain, definition: Definition) -> set[str]:
    """The targets of the disks that one document records."""
    return {record.target for record in facts(parse(domain.xml(definition)), DiskRecord)}


def without_wish(domain: Domain) -> str:
    """Config without the record since when the domain is wanted running, which a start after a shutdown makes anew."""
    return re.sub(r" *<holdfast:wanted .*/>\n", "", domain.xml(CONFIG))


def text_of(domain: Domain, definition: Definition) -> str:
    """One document, without the empty <metadata/> that libvirt (9.0) leaves where a record was made and removed."""
    return domain.xml(definition).replace("  <metadata/>\n", "")
