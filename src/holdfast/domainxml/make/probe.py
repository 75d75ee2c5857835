"""The document of a probe: a copy of a domain's, with which a QEMU shows what it makes of it, and reaches nothing.

Only what is known to be harmless is taken over; what else the domain has is left out, and said.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, child, devices, element, remove_children, remove_from_parent, value_at
from holdfast.domainxml.elements.domain import passes_qemu_arguments
from holdfast.domainxml.elements.firmware import flash_of

_KEPT = {
    *{"name", "uuid", "hwuuid", "genid", "memory", "currentMemory", "maxMemory", "vcpu", "vcpus", "iothreads"},
    *{"iothreadids", "os", "features", "cpu", "clock", "pm", "sysinfo", "devices"},
}
_OS = {"type", "loader", "boot", "bootmenu", "bios", "smbios"}
_AS_IT_IS = {"controller", "memballoon", "panic", "iommu", "hub", "sound", "input", "watchdog", "vsock", "video", "rng"}
_NO_HARDWARE = {"graphics", "audio", "redirfilter"}
_CHARACTERS = {"serial", "parallel", "console", "channel"}
_OF_A_DEVICE = {"target", "model", "mac", "driver", "serial", "wwn", "vendor", "product", "geometry", "blockio", "boot"}
_OF_A_DEVICE |= {"readonly", "address", "alias", "acpi", "rom", "codec", "backend", "resolution", "cid"}
_OF_A_DRIVER = {"queue_size", "rx_queue_size", "iommu", "ats", "packed", "page_per_vq", "intremap", "caching_mode"}
_OF_A_DRIVER |= {"eim", "iotlb", "aw_bits", "max_sectors", "cmd_per_lun", "iothread"}
_BOOTS_DIRECTLY = ("kernel", "initrd", "cmdline", "dtb", "shim")


def probe_document(config: Element, labelled: Sequence[str], *, name: str, uuid: str) -> tuple[Element, list[str]]:
    """A copy of ``config`` under another identity, and what of it is not as the domain has it, in sentences.

    ``labelled`` are the security models of the host, none of which is to label the host's files for it. No image,
    network, device or file of the host is in it but the code of the firmware: its disks are empty, its interfaces have
    no cable, and it keeps neither an NVRAM nor the state of a TPM.
    """
    domain = copy.deepcopy(config)
    left_out = [*_of_domain(domain), *_of_os(domain)]
    own = (domain.findtext("uuid") or "").strip().lower()
    for entry in domain.iterfind("sysinfo/system/entry"):
        if domain.find("hwuuid") is None and (entry.text or "").strip().lower() == own:
            entry.text = uuid
    child(domain, "name").text = name
    child(domain, "uuid").text = uuid
    remove_children(child(domain, "devices"), "emulator")
    for device in list(devices(domain)):
        left_out += _of_device(device, labelled)
    return domain, left_out


def _of_domain(domain: Element) -> Iterator[str]:
    if passes_qemu_arguments(domain):
        yield "arguments that are passed to QEMU past libvirt"
    if domain.find("launchSecurity") is not None:
        yield "its launch security"
    for part in [each for each in domain if each.tag not in _KEPT]:
        domain.remove(part)
    for vcpu in domain.iterfind("vcpu"):
        for attribute in ("cpuset", "placement"):
            vcpu.attrib.pop(attribute, None)
    for cell in domain.iterfind("cpu/numa/cell"):
        for attribute in ("memAccess", "discard"):
            cell.attrib.pop(attribute, None)
    for sysinfo in domain.findall("sysinfo"):
        for entry in sysinfo.findall("entry[@file]"):
            sysinfo.remove(entry)
            yield f"the file behind {entry.get('name')} in fw_cfg"


def _of_os(domain: Element) -> Iterator[str]:
    os = child(domain, "os")
    has_variables = flash_of(domain) is not None
    os.attrib.pop("firmware", None)
    if any(os.find(tag) is not None for tag in _BOOTS_DIRECTLY):
        yield "its kernel, which it boots directly"
    if os.find("acpi") is not None:
        yield "ACPI tables of its own"
    for part in [each for each in os if each.tag not in _OS]:
        os.remove(part)
    if has_variables:
        child(os, "loader").set("stateless", "yes")
        yield "its UEFI variables"


def _of_device(device: Element, labelled: Sequence[str]) -> Iterator[str]:
    tag, kind = str(device.tag), device.get("type", "")
    if tag == "disk" and device.get("device") != "lun" and kind not in ("vhostuser", "vhostvdpa"):
        yield from _empty_disk(device, labelled)
    elif tag == "interface" and kind not in ("hostdev", "vdpa"):
        yield from _no_cable(device)
    elif tag in _CHARACTERS and device.find("target[@type='guestfwd']") is None:
        _strip(device)
        device.set("type", "null")
    elif tag == "memory":
        if device.find("source/path") is not None or device.get("model") == "sgx-epc":
            yield from _drop(device)
        remove_children(device, "source")
    elif tag in _AS_IT_IS and kind not in ("passthrough", "evdev"):
        yield from _bare(device)
    elif tag in _NO_HARDWARE:
        remove_from_parent(device)
    else:
        yield from _drop(device)


def _empty_disk(disk: Element, labelled: Sequence[str]) -> Iterator[str]:
    is_medium = disk.get("device") in ("cdrom", "floppy")
    if is_medium and value_at(disk, "target@bus") == "usb":  # QEMU has no such drive without a medium
        yield from _drop(disk)
        return
    for attribute in ("rawio", "sgio", "snapshot"):
        disk.attrib.pop(attribute, None)
    _strip(disk)
    driver = child(disk, "driver")
    driver.attrib.pop("iothread", None)
    driver.attrib.update({"name": "qemu", "type": "raw"})
    if is_medium:
        disk.set("type", "file")
        return
    # /dev/null is everywhere, and whoever dies leaves nothing; libvirt must not make it the guest's own.
    driver.set("cache", "writeback")  # it cannot be opened past the page cache
    disk.set("type", "block")
    labels = [element("seclabel", {"model": model, "relabel": "no"}) for model in labelled]
    disk.append(element("source", {"dev": "/dev/null"}, *labels))
    if disk.find("readonly") is None:
        disk.append(element("shareable"))
    yield f"the image of {device_name(disk)}: it is empty"


def _no_cable(interface: Element) -> Iterator[str]:
    queues = interface.find("driver[@queues]")
    name = device_name(interface)
    for attribute in ("trustGuestRxFilters", "managed"):
        interface.attrib.pop(attribute, None)
    _strip(interface)
    interface.set("type", "user")
    interface.append(element("link", {"state": "down"}))
    yield f"the network of {name}"
    if queues is not None:
        yield f"the queues of {name}: it has one"


def _bare(device: Element) -> Iterator[str]:
    if device.tag == "watchdog":
        device.set("action", "none")
    if device.tag == "rng":
        remove_children(device, "backend")
        device.append(element("backend", {"model": "random"}, text="/dev/urandom"))
    if device.tag == "vsock":
        child(device, "cid").attrib.clear()
        child(device, "cid").set("auto", "yes")
    if device.tag in ("controller", "iommu", "memballoon", "input", "panic"):
        return
    if device.tag == "video" and device.find("model/acceleration") is not None:
        yield f"the acceleration of {device_name(device)}"
        remove_children(child(device, "model"), "acceleration")
    _strip(device)


def _strip(device: Element) -> None:
    """Leave of ``device`` only what makes it, and nothing of what is behind it on the host."""
    for part in [each for each in device if each.tag not in _OF_A_DEVICE]:
        device.remove(part)
    for driver in device.findall("driver"):
        for attribute in [each for each in driver.attrib if each not in _OF_A_DRIVER]:
            if attribute != "queues" or device.tag == "interface":
                del driver.attrib[attribute]
        driver[:] = []
        if not driver.attrib:
            device.remove(driver)
    for rom in device.findall("rom"):
        rom.attrib.pop("file", None)


def _drop(device: Element) -> Iterator[str]:
    yield device_name(device)
    remove_from_parent(device)
