"""The document of a clone: the same hardware at the same places, under another identity.

Nothing here copies a file: where the clone's images, NVRAM and the like are is for the caller to say.
"""

from __future__ import annotations

import secrets
import uuid as uuids
from collections.abc import Iterator

from holdfast.domainxml.device import describe, label
from holdfast.domainxml.document import Element, child, devices, remove_children
from holdfast.domainxml.elements.domain import passes_qemu_arguments
from holdfast.domainxml.elements.interface import new_mac

_WWN_PREFIX = "5000c5"
"""How a new WWN of 16 digits begins: NAA 5 and a vendor's number, as those of disks do. The rest is random."""


def renew_identity(
    domain: Element, *, name: str, uuid: str, serials: bool = False, vsock_cid: int | None = None
) -> list[str]:
    """Make ``domain`` the document of a clone, in place: with this name and UUID, new MACs and a new generation id.

    ``serials`` renews the serials and WWNs of disks, too. ``vsock_cid`` is a CID that no domain has. Paths of the host
    with the old name or UUID in them (sockets, logs) get the new one; ports of Open vSwitch get new ids. Returns what
    both domains would share or fight over, and what of the host was made for the other one, in sentences.
    """
    old_name, old_uuid = domain.findtext("name") or "", domain.findtext("uuid") or ""
    seen_uuids = {(uuid or "").strip().lower() for uuid in (old_uuid, domain.findtext("hwuuid"))} - {""}
    child(domain, "name").text = name
    child(domain, "uuid").text = uuid
    remove_children(domain, "hwuuid")
    genid = domain.find("genid")
    if genid is not None:
        genid.text = str(uuids.uuid4())
    for entry in domain.iterfind("sysinfo/system/entry"):
        if (entry.text or "").strip().lower() in seen_uuids:
            entry.text = uuid
    notes = [note for interface in domain.iterfind("devices/interface") for note in _renew_interface(interface)]
    if serials:
        for disk in domain.iterfind("devices/disk"):
            _renew_serials(disk)
    for cid in domain.iterfind("devices/vsock/cid"):
        if cid.get("auto") != "yes" and vsock_cid is not None:
            cid.set("address", str(vsock_cid))
    for device in devices(domain):
        if device.tag not in ("disk", "interface", "hostdev", "filesystem"):
            _rename_paths(device, {old_name: name, old_uuid: uuid})
    for source in domain.iterfind("devices/tpm/backend/source[@path]"):  # libvirt 10.10
        source.set("path", f"{source.get('path', '').rpartition('/')[0]}/{uuid}")
    return [*notes, *_shared(domain)]


def _renew_interface(interface: Element) -> Iterator[str]:
    """Renew what is its own; what becomes of a tap device that somebody made for the other one, in a sentence."""
    child(interface, "mac").set("address", new_mac())
    for target in interface.findall("target"):
        tap = target.attrib.pop("dev", None)  # its name is unique on a host
        if tap and target.attrib.pop("managed", None) == "no":
            yield f"the tap device {tap} was made for the other domain; libvirt makes one for this domain"
        if not target.attrib:
            interface.remove(target)
    for parameters in interface.iterfind("virtualport/parameters"):
        parameters.attrib.pop("interfaceid", None)


def _renew_serials(disk: Element) -> None:
    serial, wwn = disk.find("serial"), disk.find("wwn")
    if serial is not None and serial.text:
        serial.text = secrets.token_hex(18)[: max(8, len(serial.text))]
    if wwn is not None:
        wwn.text = _WWN_PREFIX + secrets.token_hex(5)


def _rename_paths(device: Element, names: dict[str, str]) -> None:
    """Replace each of ``names``, old by new, in the file name of every path of ``device``."""
    for node in device.iter():
        path = node.get("path", "") if isinstance(node.tag, str) else ""
        folder, slash, file = path.rpartition("/")
        for old, new in names.items():
            if slash and old and old in file:
                node.set("path", f"{folder}/{file.replace(old, new)}")
                break


def _shared(domain: Element) -> Iterator[str]:
    """What the document still shares with that of the other domain though only one of them can use it at a time."""
    for device in devices(domain):
        if device.tag == "hostdev":
            yield f"{describe(device)} is the host's: only one of the two domains can run with it"
        elif device.tag == "filesystem":
            yield f"filesystem {label(device)} is the same folder of the host for both domains"
        elif device.tag == "graphics" and device.get("autoport") == "no" and device.get("port", "-1") != "-1":
            yield f"the {device.get('type')} port {device.get('port')} is the same for both domains: one runs at a time"
        elif device.tag in ("serial", "console", "channel", "parallel", "tpm") and device.get("type") in ("dev", "tcp"):
            yield f"{describe(device)} uses the same place on the host for both domains"
    if passes_qemu_arguments(domain):
        yield "arguments are passed to QEMU past libvirt (qemu namespace): which of them must be renewed is not known"
