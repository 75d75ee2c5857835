"""Sealing: what a document leaves open, and libvirt would choose anew at a later start, is made concrete once.

Nothing here looks at a host: what it has comes in as ``capabilities``, and what cannot be sealed is returned in
sentences.
"""

from __future__ import annotations

import copy
import uuid
from itertools import chain, count

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.device import USER_ALIAS, alias, user_alias
from holdfast.domainxml.document import Element, child, devices, element, remove_children, value_at
from holdfast.domainxml.elements.declarations import is_hardware
from holdfast.domainxml.elements.disk import new_serial
from holdfast.domainxml.elements.domain import passes_qemu_arguments
from holdfast.domainxml.elements.interface import new_mac
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.cpu_model import seal_cpu
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.places.root_ports import provide_root_ports
from holdfast.domainxml.platform import Platform, has_root_ports

_BEHIND_ALIAS = ("rom", "acpi", "address")
"""What libvirt writes behind the alias of a device (virDomainDeviceInfoFormat)."""

_ALIASED = {
    "disk",
    "interface",
    "filesystem",
    "input",
    "sound",
    "video",
    "hostdev",
    "redirdev",
    "hub",
    "watchdog",
    "crypto",
    "pstore",
    "memballoon",
    "rng",
    "tpm",
    "shmem",
    "memory",
    "vsock",
    "serial",
    "parallel",
    "channel",
    "panic",
}
"""Elements that can have an alias of ours; graphics, audio, iommu and smartcards cannot (libvirt 9.0, 11.3)."""

_ALIASED_CONTROLLERS = {"virtio-serial": "", "scsi": "", "usb": "xhci", "ccid": ""}
"""Controllers that can, and what their model must contain: the names of built-in ones, and of the companions of a USB 2
controller, are fixed; a PCI controller is named by its index."""

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
    return notes + _open_ends(domain)


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


def name_devices(domain: Element) -> None:
    """Give every device that can have one an alias of ours: ua-vda, ua-net0, ua-rng0 …"""
    # An alias that a record names is left for the recorded disk.
    taken = {alias(device) for device in devices(domain)} | {record.alias for record in facts(domain, DiskRecord)}
    for device in devices(domain):
        name_device(device, taken)


def name_device(device: Element, taken: set[str | None]) -> None:
    """Give ``device``, if it can have one, an alias of ours that is not in ``taken``; it is added there."""
    stem = alias_stem(device)
    if stem is None or user_alias(device) is not None:
        return
    remove_children(device, "alias")
    plain = [stem] if device.tag == "disk" else []
    names = (USER_ALIAS + name for name in chain(plain, (f"{stem}{number}" for number in count())))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    _insert_alias(device, name)


def _insert_alias(device: Element, name: str) -> None:
    """Put it where libvirt writes it, and laid out alike: what libvirt then has is word for word the same."""
    made = element("alias", {"name": name})
    at = next((number for number, each in enumerate(device) if each.tag in _BEHIND_ALIAS), len(device))
    made.tail = device.text
    if at:
        made.tail, device[at - 1].tail = device[at - 1].tail, device.text
    device.insert(at, made)


def alias_stem(device: Element) -> str | None:
    """How an alias of ours for ``device`` begins ("vda", "net", "rng"); None for a device that cannot have one."""
    tag = str(device.tag)
    if tag == "controller":
        kind, model = device.get("type", ""), device.get("model") or ""
        return kind if kind in _ALIASED_CONTROLLERS and _ALIASED_CONTROLLERS[kind] in model else None
    is_built_in = tag == "input" and device.get("bus") in ("ps2", "xen")
    if tag not in _ALIASED or is_built_in or not is_hardware(device):
        return None
    if tag == "disk":
        return "disk" if device.find("target") is None else value_at(device, "target@dev")
    return {"interface": "net", "memballoon": "balloon"}.get(tag, tag)


def _open_ends(domain: Element) -> list[str]:
    """What no document can seal, of what this one has."""
    notes = []
    if value_at(domain, "os/smbios@mode") == "host":
        notes.append("the SMBIOS tables are the host's own (smbios mode='host')")
    if any(device.tag == "hostdev" for device in devices(domain)):
        notes.append("devices of the host are passed through: the guest sees them as they are")
    if domain.find("devices/tpm/backend[@type='passthrough']") is not None:
        notes.append("the TPM is the host's own (passthrough)")
    if passes_qemu_arguments(domain):
        notes.append("arguments are passed to QEMU past libvirt (qemu namespace): nothing keeps what they mean")
    return notes
