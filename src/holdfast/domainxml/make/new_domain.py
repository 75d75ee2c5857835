"""The document of a new domain: complete except for addresses, which libvirt chooses when it is defined."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from holdfast.domainxml.document import Element, child, element, value_at
from holdfast.domainxml.elements.character import GUEST_AGENT
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.make.defaults import defaults_of
from holdfast.domainxml.places.controllers import scsi_controller_of
from holdfast.domainxml.platform import X86
from holdfast.errors import hosts
from holdfast.errors.elements import UNKNOWN_WORD

OSES = ("linux", "windows")
"""The systems that a new domain can be made for."""

GRAPHICS = ("vnc", "spice", "none")
"""How people can see the screen of a new domain."""

_HYPERV = (
    "relaxed",
    "vapic",
    "spinlocks",
    "vpindex",
    "runtime",
    "synic",
    "stimer",
    "reset",
    "frequencies",
    "tlbflush",
    "ipi",
)
"""The Hyper-V features, as KVM offers them, that Windows is faster with. Each needs those before it."""


def new_domain(
    *,
    name: str,
    uuid: str,
    memory_kib: int,
    vcpus: int,
    capabilities: Capabilities,
    os: str,
    cpu: Element,
    disks: Sequence[Element],
    interfaces: Sequence[Element],
    graphics: str = "vnc",
    video: str | None = None,
    tpm: bool = False,
) -> Element:
    """A ``<domain>`` with these disks and interfaces, and with what every guest is given.

    That is a USB tablet, a serial console, the guest agent's channel, a random number generator and a memory balloon.
    ``os`` "windows" sets the clock to local time, turns on the Hyper-V features that ``capabilities`` offer, and takes
    a display that Windows can be installed on. Raises UNKNOWN_WORD, and TOO_MANY_VCPUS, NO_TPM, GRAPHICS_NOT_HERE or
    VIDEO_NOT_HERE for what is not possible here.
    """
    _check(os, vcpus, capabilities)
    is_x86 = capabilities.arch in X86
    cpu.append(element("topology", {"sockets": "1", "dies": "1", "cores": str(vcpus), "threads": "1"}))
    devices = [
        element("emulator", text=capabilities.emulator),
        *disks,
        *_controllers(disks, capabilities),
        *interfaces,
        *_characters(graphics, is_x86),
        *([_tpm(capabilities)] if tpm else []),
        element("input", {"type": "tablet", "bus": "usb"}),
        *_display(capabilities, os, graphics, video),
        element("rng", {"model": "virtio"}, element("backend", {"model": "random"}, text="/dev/urandom")),
        element("memballoon", {"model": "virtio"}),
    ]
    return element(
        "domain",
        {"type": capabilities.virt_type},
        element("name", text=name),
        element("uuid", text=uuid),
        *_size(memory_kib, vcpus),
        _machine(capabilities),
        _features(capabilities, os),
        cpu,
        _clock(os, is_x86),
        *_power(is_x86),
        element("devices", None, *devices),
    )


def _check(os: str, vcpus: int, capabilities: Capabilities) -> None:
    if os not in OSES:
        raise UNKNOWN_WORD(what="guest system", word=os, words=OSES)
    if capabilities.max_vcpus is not None and vcpus > capabilities.max_vcpus:
        raise hosts.TOO_MANY_VCPUS(machine=capabilities.machine, most=capabilities.max_vcpus, vcpus=vcpus)


def _size(memory_kib: int, vcpus: int) -> list[Element]:
    kib = {"unit": "KiB"}
    return [
        element("memory", kib, text=str(memory_kib)),
        element("currentMemory", kib, text=str(memory_kib)),
        element("vcpu", {"placement": "static"}, text=str(vcpus)),
    ]


def _machine(capabilities: Capabilities) -> Element:
    attributes = {"arch": capabilities.arch, "machine": capabilities.machine}
    return element("os", None, element("type", attributes, text="hvm"))


def missing_hyperv(capabilities: Capabilities) -> list[str]:
    """The Hyper-V features that Windows is faster with, and that a host with these ``capabilities`` does not offer.

    There are none but on x86.
    """
    if capabilities.arch not in X86:
        return []
    return [feature for feature in _HYPERV if feature not in capabilities.hyperv]


def unfinished_domain(domain: Element, *, with_nvram: bool = False) -> Element:
    """A document that stands for ``domain`` while its images are being made: its name and UUID, and no devices.

    So nobody can start a guest on an image that is half made. ``with_nvram``: with its firmware, so that an NVRAM which
    is made for it goes with it.
    """
    copied = copy.deepcopy(domain)
    firmware = ["features"] if with_nvram else []
    copied[:] = [each for each in copied if each.tag in ("name", "uuid", "memory", "os", *firmware)]
    if not with_nvram:
        system = child(copied, "os")
        system.attrib.clear()
        system[:] = [each for each in system if each.tag == "type"]
    return copied


def boot_from_disk_then_cd(disks: Iterable[Element]) -> None:
    """Boot from the first of ``disks`` that is a hard disk; and while it holds nothing to boot, from the first CD.

    That is the first CD drive with something in it.
    """
    disks = list(disks)
    chosen = [
        next((disk for disk in disks if disk.get("device") == "disk"), None),
        next((disk for disk in disks if disk.get("device") == "cdrom" and disk.find("source") is not None), None),
    ]
    for order, disk in enumerate((disk for disk in chosen if disk is not None), start=1):
        alias = disk.find("alias")
        boot = element("boot", {"order": str(order)})
        disk.append(boot) if alias is None else alias.addprevious(boot)


def _power(is_x86: bool) -> list[Element]:
    """What happens when the guest powers off, reboots or crashes, and that a PC cannot suspend itself."""
    off = {"enabled": "no"}
    return [
        element("on_poweroff", text="destroy"),
        element("on_reboot", text="restart"),
        element("on_crash", text="destroy"),
        *([element("pm", None, element("suspend-to-mem", off), element("suspend-to-disk", off))] if is_x86 else []),
    ]


def _features(capabilities: Capabilities, os: str) -> Element:
    features = element("features", None, element("acpi"))
    if capabilities.arch not in X86:
        return features
    features.append(element("apic"))
    enlightenments = [feature for feature in _HYPERV if feature in capabilities.hyperv] if os == "windows" else []
    if enlightenments:
        hyperv = element("hyperv", {"mode": "custom"})
        for feature in enlightenments:
            retries = {"retries": "8191"} if feature == "spinlocks" else {}
            hyperv.append(element(feature, {"state": "on", **retries}))
        features.append(hyperv)
    features.append(element("vmport", {"state": "off"}))
    return features


def _clock(os: str, is_x86: bool) -> Element:
    clock = element("clock", {"offset": "localtime" if os == "windows" else "utc"})
    if not is_x86:
        return clock
    clock.append(element("timer", {"name": "rtc", "tickpolicy": "catchup"}))
    clock.append(element("timer", {"name": "pit", "tickpolicy": "delay"}))
    clock.append(element("timer", {"name": "hpet", "present": "no"}))
    if os == "windows":
        clock.append(element("timer", {"name": "hypervclock", "present": "yes"}))
    return clock


def _controllers(disks: Sequence[Element], capabilities: Capabilities) -> list[Element]:
    controllers = [
        element("controller", {"type": "usb", "index": "0", "model": "qemu-xhci", "ports": "15"}),
        element("controller", {"type": "virtio-serial", "index": "0"}),
    ]
    targets = [value_at(disk, "target@dev") or "" for disk in disks if value_at(disk, "target@bus") == "scsi"]
    for index in range(max(map(scsi_controller_of, targets), default=-1) + 1):
        # Without a model libvirt takes lsilogic, for which Linux and Windows have no driver any more.
        controllers.append(element("controller", {"type": "scsi", "index": str(index), "model": "virtio-scsi"}))
    if "q35" in capabilities.machine:
        controllers.append(element("controller", {"type": "sata", "index": "0"}))
    return controllers


def _characters(graphics: str, is_x86: bool) -> list[Element]:
    kind = {"type": "isa-serial"} if is_x86 else {}  # elsewhere libvirt knows which port the machine has
    found = [
        element("serial", {"type": "pty"}, element("target", {**kind, "port": "0"})),
        element("console", {"type": "pty"}, element("target", {"type": "serial", "port": "0"})),
        element(
            "channel",
            {"type": "unix"},
            element("target", {"type": "virtio", "name": GUEST_AGENT}),
        ),
    ]
    if graphics == "spice":
        target = element("target", {"type": "virtio", "name": "com.redhat.spice.0"})
        found.append(element("channel", {"type": "spicevmc"}, target))
    return found


def _tpm(capabilities: Capabilities) -> Element:
    model = defaults_of(capabilities.arch).tpm
    if capabilities.is_complete and model not in (capabilities.offered("devices/tpm", "model") or ()):
        raise hosts.NO_TPM()
    return element("tpm", {"model": model}, element("backend", {"type": "emulator", "version": "2.0"}))


def _display(capabilities: Capabilities, os: str, graphics: str, video: str | None) -> list[Element]:
    if graphics not in GRAPHICS:
        raise UNKNOWN_WORD(what="kind of graphics", word=graphics, words=GRAPHICS)
    found = []
    if graphics != "none":
        types = capabilities.offered("devices/graphics", "type")
        if types is not None and graphics not in types:
            raise hosts.GRAPHICS_NOT_HERE(graphics=graphics, possible=sorted(types) or "none")
        found.append(element("graphics", {"type": graphics, "autoport": "yes", "listen": "127.0.0.1"}))
    found.append(element("audio", {"id": "1", "type": "none"}))
    usual = defaults_of(capabilities.arch).windows_video if os == "windows" else "virtio"
    model = video or ("none" if graphics == "none" else usual)
    models = capabilities.offered("devices/video", "modelType")
    if models is not None and model not in models:
        raise hosts.VIDEO_NOT_HERE(video=model, possible=sorted(models) or "none")
    found.append(element("video", None, element("model", {"type": model})))
    return found
