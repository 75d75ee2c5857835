"""The control of the scenario: a manager that keeps a list of devices and writes a fresh document from it.

It is the one exception to the rule that nothing is undefined in order to be defined again. Apart from that it is not
handicapped: machine type, CPU, UUID, MACs, serials, firmware, NVRAM and the number of root ports stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from holdfast.domainxml.document import Element, parse, serialize
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain


def regenerate(connection: Connection, domain: Domain, order: Sequence[str]) -> Domain:
    """Throw the config document of ``domain`` (shut off) away and define a fresh one; return the domain anew.

    ``order`` are the serials of its disks in the order in which the manager's own list has them.
    """
    document = fresh_document(domain.xml(Definition.CONFIG, secure=True), order)
    domain.undefine(keep_nvram=True)
    return connection.define(document)


def fresh_document(document: str, order: Sequence[str]) -> str:
    """``document`` as a manager writes it that knows the devices but not their addresses.

    No device has a PCI address; disks come in ``order`` of their serials and are named vda, vdb, … accordingly.
    """
    domain = copy.deepcopy(parse(document, "domain"))
    devices = domain.find("devices")
    assert devices is not None
    for device in devices:
        address = device.find("address")
        if address is not None and address.get("type") == "pci":
            device.remove(address)
    for port in devices.findall("controller[@model='pcie-root-port']"):
        for placed in port.findall("target") + port.findall("model"):
            port.remove(placed)
    disks = sorted(
        (disk for disk in devices.findall("disk") if _serial(disk) in order),
        key=lambda disk: order.index(_serial(disk)),
    )
    first = devices.index(disks[0])
    for number, disk in enumerate(disks):
        devices.remove(disk)
        devices.insert(first + number, disk)
        target = disk.find("target")
        assert target is not None
        target.set("dev", f"vd{chr(ord('a') + number)}")
    return serialize(domain)


def _serial(disk: Element) -> str:
    return disk.findtext("serial") or ""
