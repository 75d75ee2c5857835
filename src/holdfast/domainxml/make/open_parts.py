"""What a document leaves open: parts that a later start, another host or a newer libvirt may fill in differently."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from holdfast.domainxml.device import describe, user_alias
from holdfast.domainxml.document import Element, devices, value_at
from holdfast.domainxml.elements.domain import passes_qemu_arguments
from holdfast.domainxml.elements.features import hyperv_mode
from holdfast.domainxml.elements.firmware import firmware_request
from holdfast.domainxml.make.aliases import alias_stem
from holdfast.domainxml.places.pci import hotplug_places
from holdfast.domainxml.platform import Platform, has_root_ports

LEAST_FREE_PORTS = 4
"""With fewer free root ports that is listed, because each device attached while the guest runs takes one."""

_VERSIONED = re.compile(r"\d\.\d")


class Remedy(StrEnum):
    """What closes an open part: sealing, an addition that the guest would see, or nothing."""

    SEAL = "seal"
    SERIALS = "add-serials"
    PORTS = "add-ports"
    NONE = "none"


@dataclass(frozen=True)
class OpenPart:
    """One open part: its ``kind`` for programs ("cpu", "machine", "serial" …), a ``sentence`` for people, a remedy."""

    kind: str
    sentence: str
    remedy: Remedy


def open_parts(config: Element, live: Element | None = None) -> list[OpenPart]:
    """Every part that ``config`` leaves open. ``live`` is what a running guest has, which can be sealed."""
    found = (part for parts in (_cpu, _hyperv, _machine, _firmware, _smbios) for part in parts(config))
    return [*found, *_devices(config, live), *_of_the_host(config)]


def _cpu(config: Element) -> Iterator[OpenPart]:
    cpu = config.find("cpu")
    mode = "custom" if cpu is None else cpu.get("mode", "custom")
    if mode == "host-model":
        yield OpenPart("cpu", "the CPU is host-model: libvirt expands it anew at each start", Remedy.SEAL)
    elif mode == "host-passthrough":
        yield OpenPart("cpu", "the CPU is the host's own (host-passthrough): it changes with the host", Remedy.NONE)
    elif mode == "maximum":
        yield OpenPart("cpu", "the CPU is all that QEMU offers (maximum): it changes with QEMU", Remedy.NONE)
    if cpu is not None and cpu.get("match") == "minimum":
        yield OpenPart("cpu", "the CPU gets what the host has beyond its model (match='minimum')", Remedy.NONE)
    if cpu is None:
        return
    optional = [feature.get("name", "") for feature in cpu.iterfind("feature[@policy='optional']")]
    if optional:
        names = ", ".join(optional)
        yield OpenPart("cpu", f"these CPU features depend on the host at each start (optional): {names}", Remedy.NONE)
    for path, what in (("maxphysaddr", "the width of the CPU's physical addresses"), ("cache", "the CPU's cache")):
        if value_at(cpu, f"{path}@mode") == "passthrough" and mode == "custom":
            yield OpenPart("cpu", f"{what} is the host's own (mode='passthrough')", Remedy.NONE)


def _hyperv(config: Element) -> Iterator[OpenPart]:
    mode = hyperv_mode(config)
    if mode != "custom":
        sentence = f"the Hyper-V features are what the host offers at each start (hyperv mode='{mode}')"
        yield OpenPart("hyperv", sentence, Remedy.NONE)


def _machine(config: Element) -> Iterator[OpenPart]:
    name = Platform.of(config).machine
    if name and not _VERSIONED.search(name):
        yield OpenPart(
            "machine", f"the machine type {name} is an alias: it will stand for another version later", Remedy.SEAL
        )


def _firmware(config: Element) -> Iterator[OpenPart]:
    if firmware_request(config) is not None:
        yield OpenPart("firmware", "the firmware files are chosen anew at each start (firmware='efi')", Remedy.SEAL)


def _smbios(config: Element) -> Iterator[OpenPart]:
    mode = value_at(config, "os/smbios@mode")
    if mode == "host":
        yield OpenPart("smbios", "the SMBIOS strings are the host's own (smbios mode='host')", Remedy.NONE)
    if mode == "sysinfo":
        for entry in config.iterfind("sysinfo/*/entry[@name='version']"):
            sentence = f"the SMBIOS version {entry.text!r} is a product's: it changes when that product writes it again"
            yield OpenPart("smbios", sentence, Remedy.NONE)


def _devices(config: Element, live: Element | None) -> Iterator[OpenPart]:
    for device in devices(config):
        if alias_stem(device) is not None and user_alias(device) is None:
            yield OpenPart("alias", f"{describe(device)} has no alias of its own", Remedy.SEAL)
        if needs_serial(device):
            yield OpenPart(
                "serial", f"{describe(device)} has no serial: the guest knows it by its place", Remedy.SERIALS
            )
        if device.tag == "vsock" and device.find("cid[@auto='yes']") is not None:
            remedy = Remedy.NONE if live is None else Remedy.SEAL
            yield OpenPart("vsock", "the vsock CID is chosen anew at each start (auto='yes')", remedy)
    if has_root_ports(Platform.of(config).machine):
        free = len(hotplug_places(config))
        if free < LEAST_FREE_PORTS:
            sentence = f"only {free} root ports are free for devices to be attached while it runs"
            yield OpenPart("ports", sentence, Remedy.PORTS)


_AS_THE_HOST_HAS_IT = {
    "devices/hostdev": "devices of the host are passed through: the guest sees them as they are",
    "devices/interface[@type='hostdev']": "cards of the host are passed through as interfaces (type='hostdev')",
    "devices/interface[@type='vdpa']": "interfaces are devices of the host (type='vdpa')",
    "devices/disk[@device='lun']": "disks are LUNs of the host, which say themselves what they are (device='lun')",
    "devices/input[@type='passthrough']": "input devices of the host are passed through",
    "devices/smartcard[@mode='host']": "the smartcard is the host's own (mode='host')",
    "devices/smartcard[@mode='host-certificates']": "the smartcard has the host's certificates",
    "devices/tpm/backend[@type='passthrough']": "the TPM is the host's own (passthrough)",
    "devices/tpm/backend/profile[@removeDisabled='fips-host']": "what the TPM can do depends on the host's FIPS mode",
    "features/gic[@version='host']": "the interrupt controller is the host's own (gic version='host')",
    "features/xen/passthrough[@state='on']": "the IOMMU is shared with the host (xen passthrough)",
}
"""The path of what the guest sees as the host has it → a sentence."""


def _of_the_host(config: Element) -> Iterator[OpenPart]:
    for path, sentence in _AS_THE_HOST_HAS_IT.items():
        if config.find(path) is not None:
            yield OpenPart("host", sentence, Remedy.NONE)
    if config.find("launchSecurity[@type='sev']") is not None and config.find("launchSecurity/cbitpos") is None:
        sentence = "where the encryption bit is, the host's processor decides (no <cbitpos>)"
        yield OpenPart("host", sentence, Remedy.NONE)
    if passes_qemu_arguments(config):
        sentence = "arguments are passed to QEMU past libvirt (qemu namespace): nothing keeps what they mean"
        yield OpenPart("qemu", sentence, Remedy.NONE)


def needs_serial(device: Element) -> bool:
    """True for a disk or CD drive without a serial: the guest can tell it from others by its place only."""
    return device.tag == "disk" and device.get("device", "disk") in ("disk", "cdrom") and device.find("serial") is None
