"""Sealing: what a document leaves open, and libvirt would choose anew at a later start, is made concrete once.

Nothing here looks at a host: what it has comes in as ``capabilities``, and what cannot be sealed is returned in
sentences.
"""

from __future__ import annotations

import copy
import uuid

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.document import Element, child, devices, element
from holdfast.domainxml.elements.disk import new_serial
from holdfast.domainxml.elements.interface import new_mac
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.cpu_model import seal_cpu
from holdfast.domainxml.make.aliases import name_devices
from holdfast.domainxml.make.open_parts import Remedy, open_parts
from holdfast.domainxml.places.root_ports import provide_root_ports
from holdfast.domainxml.platform import Platform, has_root_ports

LOWEST_CID = 3
"""The lowest vsock CID of a guest: 0 to 2 are the hypervisor's, the loopback's and the host's (vsock(7))."""


def seal(domain: Element, capabilities: Capabilities, *, root_ports: int, vsock_cid: int = LOWEST_CID) -> list[str]:
    """Seal ``domain`` in place, whose firmware is concrete already; return what cannot be sealed, in sentences.

    ``root_ports`` is how many are to be free on a machine that has them, ``vsock_cid`` a CID that no other domain has.
    Raises NO_HOST_MODEL where the host cannot say what it would choose.
    """
    identify(domain)
    machine = child(child(domain, "os"), "type")
    machine.set("machine", capabilities.machine)
    machine.set("arch", capabilities.arch)
    notes = seal_cpu(domain, capabilities)
    _add_implied(domain)
    for device in list(devices(domain)):
        _seal_device(device, vsock_cid)
    name_devices(domain)
    if has_root_ports(capabilities.machine):
        provide_root_ports(domain, root_ports)
    return notes + [part.sentence for part in open_parts(domain) if part.remedy is Remedy.NONE]


def identify(domain: Element) -> None:
    """Give ``domain`` a UUID, and its generation id and interfaces their values, where the document leaves them open.

    libvirt would choose them at random.
    """
    if not (domain.findtext("uuid") or "").strip():
        _set_uuid(domain)
    genid = domain.find("genid")
    if genid is not None and not (genid.text or "").strip():
        genid.text = str(uuid.uuid4())
    for interface in domain.iterfind("devices/interface"):
        if interface.find("mac") is None:
            interface.insert(0, element("mac", {"address": new_mac()}))


def _set_uuid(domain: Element) -> None:
    found = domain.find("uuid")
    if found is None:
        found = element("uuid")
        domain.insert(0, found)
    found.text = str(uuid.uuid4())


def _add_implied(domain: Element) -> None:
    """Write down the devices that libvirt (9.0) adds to a PC at the define, so that they get an alias as the others do.

    They are a memory balloon, and the serial port that a console alone stands for.
    """
    if not Platform.of(domain).is_x86:
        return
    parent = child(domain, "devices")
    if parent.find("memballoon") is None:
        parent.append(element("memballoon", {"model": "virtio"}))
    console = parent.find("console")
    if console is None or parent.find("serial") is not None:
        return
    target = console.find("target")
    if target is None or target.get("type") in (None, "serial"):
        serial = copy.deepcopy(console)
        serial.tag = "serial"
        serial[:] = [node for node in serial if node.tag not in ("target", "alias")]
        serial.append(element("target", {"type": "isa-serial", "port": "0"}))
        console.addprevious(serial)


def _seal_device(device: Element, vsock_cid: int) -> None:
    if device.tag == "disk" and device.get("device", "disk") in ("disk", "cdrom") and device.find("serial") is None:
        # Without one QEMU numbers SATA, IDE and USB disks: QM00001 and so on.
        target = device.find("target")
        serial = element("serial", text=new_serial())
        device.append(serial) if target is None else target.addnext(serial)
    if device.tag == "vsock":
        cid = child(device, "cid")
        if cid.get("auto") == "yes" or cid.get("address") is None:
            cid.set("auto", "no")
            cid.set("address", str(vsock_cid))
    if device.tag == "tpm":
        backend = device.find("backend[@type='emulator']")
        if backend is not None and backend.get("version") in (None, "default"):
            backend.set("version", "2.0" if device.get("model") in (None, "tpm-crb", "tpm-spapr") else "1.2")


def makes_concrete(change: Change) -> bool:
    """True for a change by which sealing only says what the guest has, or would have at its next start."""
    return change.where.startswith(("cpu", "os", "features/smm", "devices/vsock/cid"))
