"""The document of a new domain: sensible, complete, and without addresses, which are libvirt's to choose (once)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from holdfast.domainxml.document import Element, child, element
from holdfast.domainxml.elements.character import GUEST_AGENT
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.errors import hosts
from holdfast.errors.elements import UNKNOWN_WORD

OSES = ("linux", "windows")
GRAPHICS = ("vnc", "spice", "none")

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
"""What Windows is faster with: Microsoft's interface as KVM offers it. Each needs those before it."""


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

    That is a USB tablet, a serial console, a guest agent's channel, a random number generator and a memory balloon.
    ``os`` "windows" sets the clock to local time, turns on the Hyper-V features that ``capabilities`` names, and takes
    a display Windows can install on. Memory is in KiB. Raises UNKNOWN_WORD, and TOO_MANY_VCPUS,
    NO_TPM, GRAPHICS_NOT_HERE or VIDEO_NOT_HERE for what is not possible here.
    """
    if os not in OSES:
        raise UNKNOWN_WORD(what="guest system", word=os, words=OSES)
    if capabilities.max_vcpus is not None and vcpus > capabilities.max_vcpus:
        raise hosts.TOO_MANY_VCPUS(machine=capabilities.machine, most=capabilities.max_vcpus, vcpus=vcpus)
    cpu.append(element("topology", {"sockets": "1", "dies": "1", "cores": str(vcpus), "threads": "1"}))
    domain = element("domain", {"type": capabilities.virt_type})
    domain.extend(
        [
            element("name", text=name),
            element("uuid", text=uuid),
            element("memory", {"unit": "KiB"}, text=str(memory_kib)),
            element("currentMemory", {"unit": "KiB"}, text=str(memory_kib)),
            element("vcpu", {"placement": "static"}, text=str(vcpus)),
            element(
                "os", None, element("type", {"arch": capabilities.arch, "machine": capabilities.machine}, text="hvm")
            ),
            _features(capabilities, os),
            cpu,
            _clock(os),
            element("on_poweroff", text="destroy"),
            element("on_reboot", text="restart"),
            element("on_crash", text="destroy"),
            element(
                "pm",
                None,
                element("suspend-to-mem", {"enabled": "no"}),
                element("suspend-to-disk", {"enabled": "no"}),
            ),
        ]
    )
    devices = child(domain, "devices")
    devices.append(element("emulator", text=capabilities.emulator))
    devices.extend(disks)
    devices.extend(_controllers(disks, capabilities))
    devices.extend(interfaces)
    devices.extend(_characters(graphics))
    if tpm:
        devices.append(_tpm(capabilities))
    devices.append(element("input", {"type": "tablet", "bus": "usb"}))
    devices.extend(_display(capabilities, os, graphics, video))
    devices.append(element("rng", {"model": "virtio"}, element("backend", {"model": "random"}, text="/dev/urandom")))
    devices.append(element("memballoon", {"model": "virtio"}))
    return domain


def missing_hyperv(capabilities: Capabilities) -> list[str]:
    """The Hyper-V features that Windows is faster with and that are not possible here."""
    return [feature for feature in _HYPERV if feature not in capabilities.hyperv]


def unfinished_domain(domain: Element) -> Element:
    """What stands for ``domain`` while its images are being made: its name and UUID, and no device of its own.

    Nobody who starts it meets an image that is half made.
    """
    copied = copy.deepcopy(domain)
    copied[:] = [each for each in copied if each.tag in ("name", "uuid", "memory", "os")]
    system = child(copied, "os")
    system.attrib.clear()
    system[:] = [each for each in system if each.tag == "type"]
    return copied


def boot_from_disk_then_cd(disks: Iterable[Element]) -> None:
    """Boot from the first disk; from the first CD with something in it while that disk has nothing to boot."""
    disks = list(disks)
    chosen = [
        next((disk for disk in disks if disk.get("device") == "disk"), None),
        next((disk for disk in disks if disk.get("device") == "cdrom" and disk.find("source") is not None), None),
    ]
    for order, disk in enumerate((disk for disk in chosen if disk is not None), start=1):
        alias = disk.find("alias")
        boot = element("boot", {"order": str(order)})
        disk.append(boot) if alias is None else alias.addprevious(boot)


def _features(capabilities: Capabilities, os: str) -> Element:
    features = element("features", None, element("acpi"), element("apic"))
    wanted = [feature for feature in _HYPERV if feature in capabilities.hyperv] if os == "windows" else []
    if wanted:
        hyperv = element("hyperv", {"mode": "custom"})
        for feature in wanted:
            retries = {"retries": "8191"} if feature == "spinlocks" else {}
            hyperv.append(element(feature, {"state": "on", **retries}))
        features.append(hyperv)
    features.append(element("vmport", {"state": "off"}))
    return features


def _clock(os: str) -> Element:
    clock = element("clock", {"offset": "localtime" if os == "windows" else "utc"})
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
    if any(disk.find("target[@bus='scsi']") is not None for disk in disks):
        # Without a model libvirt takes lsilogic, which Linux and Windows have dropped.
        controllers.append(element("controller", {"type": "scsi", "index": "0", "model": "virtio-scsi"}))
    if "q35" in capabilities.machine:
        controllers.append(element("controller", {"type": "sata", "index": "0"}))
    return controllers


def _characters(graphics: str) -> list[Element]:
    found = [
        element("serial", {"type": "pty"}, element("target", {"type": "isa-serial", "port": "0"})),
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
    if "tpm-crb" not in capabilities.tpm_models:
        raise hosts.NO_TPM()
    return element("tpm", {"model": "tpm-crb"}, element("backend", {"type": "emulator", "version": "2.0"}))


def _display(capabilities: Capabilities, os: str, graphics: str, video: str | None) -> list[Element]:
    if graphics not in GRAPHICS:
        raise UNKNOWN_WORD(what="kind of graphics", word=graphics, words=GRAPHICS)
    found = []
    if graphics != "none":
        if capabilities.graphics and graphics not in capabilities.graphics:
            raise hosts.GRAPHICS_NOT_HERE(graphics=graphics, possible=sorted(capabilities.graphics))
        found.append(element("graphics", {"type": graphics, "autoport": "yes", "listen": "127.0.0.1"}))
    found.append(element("audio", {"id": "1", "type": "none"}))
    model = video or ("none" if graphics == "none" else "vga" if os == "windows" else "virtio")
    if capabilities.videos and model not in capabilities.videos:
        raise hosts.VIDEO_NOT_HERE(video=model, possible=sorted(capabilities.videos))
    found.append(element("video", None, element("model", {"type": model})))
    return found
