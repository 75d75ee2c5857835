"""The ``<controller>`` element: the buses. Which one a device sits on, and which one a document lacks for it.

A PCI controller's index is the number of the bus it provides.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from holdfast.domainxml.address import address_of
from holdfast.domainxml.document import Element, element
from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "controller",
    guest=f"""
        @type @index @model=auto model@name @ports @vectors master@startport
        @maxGrantFrames @maxEventChannels pcihole64 pcihole64@unit
        target@chassisNr,chassis,port,busNr,index,memReserve target@hotplug=on target/node
        driver@queues,cmd_per_lun,max_sectors {virtio.OPTIONS}
    """,
    host="driver@iothread,ioeventfd driver/iothreads/**",
    identity="@type+@index+@model alias @type+@index",
)


def has_root_ports(machine: str) -> bool:
    """True for the machine types whose PCI devices sit behind root ports: q35, and virt on ARM and RISC-V."""
    return "q35" in machine or machine.startswith("virt")


def _seat(device: Element) -> tuple[str, str] | None:
    """Type and index of the controller that the address of ``device`` names; None where it names none."""
    address = address_of(device)
    kind = None if address is None else address.get("type")
    if address is None or kind not in ("drive", "virtio-serial"):
        return None
    target = device.find("target")
    bus = target.get("bus") if kind == "drive" and target is not None else kind
    return bus or "scsi", address.get("controller", "0")


def controller_of(domain: Element, device: Element) -> Element | None:
    """The SCSI, SATA, IDE, floppy or virtio-serial controller that the address of ``device`` names; None without."""
    seat = _seat(device)
    controllers = domain.iterfind("devices/controller")
    return next((each for each in controllers if (each.get("type"), each.get("index")) == seat), None)


def has_controller(domain: Element, device: Element) -> bool:
    """True unless the address of ``device`` names a SCSI, SATA, IDE or virtio-serial controller ``domain`` lacks."""
    return _seat(device) is None or controller_of(domain, device) is not None


def missing_controller(device: Element, documents: Iterable[Element]) -> Element | None:
    """The virtio-scsi controller that a SCSI disk needs where no document has any SCSI controller; None otherwise.

    libvirt 9.0 would bring an lsilogic one on a chain of bridges of its own, which a running guest cannot get.
    """
    target = device.find("target")
    if device.tag != "disk" or target is None or target.get("bus") != "scsi":
        return None
    if any(document.find("devices/controller[@type='scsi']") is not None for document in documents):
        return None
    return element("controller", {"type": "scsi", "model": "virtio-scsi"})


def next_index(kind: str, documents: Iterable[Element]) -> str:
    """The first index that no controller of type ``kind`` has in any of ``documents``."""
    taken = {
        controller.get("index")
        for document in documents
        for controller in document.iterfind("devices/controller")
        if controller.get("type") == kind
    }
    return next(index for index in map(str, count()) if index not in taken)
