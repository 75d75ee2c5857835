"""Make concrete what libvirt would leave open, and choose anew at a later start: at creation, once (DESIGN rule 7).

Nothing here looks anywhere: what the host has comes in, the sealed document goes out, and what cannot be sealed is
said in sentences.
"""

from __future__ import annotations

import copy
import secrets
import uuid
from itertools import chain, count

from holdfast.domainxml.device import USER_ALIAS, alias, user_alias
from holdfast.domainxml.document import Element, child, devices, element
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.domainxml.elements.domain import passes_qemu_arguments
from holdfast.domainxml.elements.interface import new_mac
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.cpu_model import seal_cpu
from holdfast.domainxml.metadata import DiskRecord, facts
from holdfast.domainxml.places.root_ports import provide_root_ports
from holdfast.domainxml.platform import has_root_ports

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
"""Elements that can bear an alias of ours; graphics, audio, iommu and smartcards cannot (libvirt 9.0, 11.3)."""

_ALIASED_CONTROLLERS = {"virtio-serial": "", "scsi": "", "usb": "xhci", "ccid": ""}
"""Controllers likewise, and what their model must hold: the names of built-in ones, and of the companions of a
USB 2 controller, are fixed; a PCI controller is named by its index."""

_SERIAL_BYTES = 8
LOWEST_CID = 3
"""0 to 2 are the hypervisor's, the loopback's and the host's (vsock(7))."""


def seal(domain: Element, capabilities: Capabilities, *, root_ports: int, vsock_cid: int = LOWEST_CID) -> list[str]:
    """Seal ``domain`` in place; returns what could not be, in sentences. Its firmware must be concrete already.

    ``root_ports`` is how many are to be free on a machine that has them; ``vsock_cid`` one that no other domain has.
    Raises Failed where the host cannot say what would be chosen.
    """
    if not (domain.findtext("uuid") or "").strip():
        _set_text(domain, "uuid", str(uuid.uuid4()))
    child(child(domain, "os"), "type").set("machine", capabilities.machine)
    child(child(domain, "os"), "type").set("arch", capabilities.arch)
    notes = seal_cpu(domain, capabilities)
    genid = domain.find("genid")
    if genid is not None and not (genid.text or "").strip():
        genid.text = str(uuid.uuid4())
    _add_implied(domain)
    for device in list(devices(domain)):
        _seal_device(device, vsock_cid)
    name_devices(domain)
    if has_root_ports(capabilities.machine):
        provide_root_ports(domain, root_ports)
    return notes + _open_ends(domain)


def _set_text(domain: Element, tag: str, text: str) -> None:
    found = domain.find(tag)
    if found is None:
        found = element(tag)
        domain.insert(0, found)
    found.text = text


def _add_implied(domain: Element) -> None:
    """Write down the devices that libvirt adds at define (9.0, x86), so that they get names as the others do.

    That is a memory balloon, and the serial port that a console alone stands for.
    """
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
    if device.tag == "interface" and device.find("mac") is None:
        device.insert(0, element("mac", {"address": new_mac()}))
    if device.tag == "disk" and device.get("device", "disk") in ("disk", "cdrom") and device.find("serial") is None:
        # Without one QEMU counts SATA, IDE and USB disks through: QM00001 and so on.
        target = device.find("target")
        serial = element("serial", text=secrets.token_hex(_SERIAL_BYTES))
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


def name_devices(domain: Element) -> None:
    """Give every device that can have one an alias of ours: ua-vda, ua-net0, ua-rng0 …"""
    # An alias that a record names comes back with its own disk only, never with another one.
    taken = {alias(device) for device in devices(domain)} | {record.alias for record in facts(domain, DiskRecord)}
    for device in devices(domain):
        name_device(device, taken)


def name_device(device: Element, taken: set[str | None]) -> None:
    """Give a device that can have one an alias of ours that is not in ``taken``, and add it there."""
    stem = alias_stem(device)
    if stem is None or user_alias(device) is not None:
        return
    for generated in device.findall("alias"):
        device.remove(generated)
    plain = [stem] if device.tag == "disk" else []
    names = (USER_ALIAS + name for name in chain(plain, (f"{stem}{number}" for number in count())))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    device.append(element("alias", {"name": name}))


def alias_stem(device: Element) -> str | None:
    """What an alias of this device begins with ("vda", "net", "rng"); None for one that cannot bear one of ours."""
    tag = str(device.tag)
    if tag == "controller":
        kind, model = device.get("type", ""), device.get("model") or ""
        return kind if kind in _ALIASED_CONTROLLERS and _ALIASED_CONTROLLERS[kind] in model else None
    if (
        tag not in _ALIASED
        or not DEVICES[tag].is_seen(device)
        or (tag == "input" and device.get("bus") in ("ps2", "xen"))
        or _is_none(device)
    ):
        return None
    if tag == "disk":
        target = device.find("target")
        return target.get("dev") if target is not None else "disk"
    return {"interface": "net", "memballoon": "balloon"}.get(tag, tag)


def _is_none(device: Element) -> bool:
    model = device.find("model")
    return "none" in (device.get("model"), None if model is None else model.get("type"))


def _open_ends(domain: Element) -> list[str]:
    """What no document can pin, where this one has it."""
    notes = []
    smbios = domain.find("os/smbios")
    if smbios is not None and smbios.get("mode") == "host":
        notes.append("the SMBIOS tables are the host's own (smbios mode='host')")
    if any(device.tag == "hostdev" for device in devices(domain)):
        notes.append("devices of the host are passed through: the guest sees them as they are")
    if domain.find("devices/tpm/backend[@type='passthrough']") is not None:
        notes.append("the TPM is the host's own (passthrough)")
    if passes_qemu_arguments(domain):
        notes.append("arguments are passed to QEMU past libvirt (qemu namespace): nothing keeps what they mean")
    return notes
