"""Which parts of a document a host cannot provide, as far as it says what it has.

What a document asks of a host is taken apart into :class:`Demand`\\ s: one value of one enumeration each. Most
enumerations are those of libvirt's domain capabilities. They do not list everything: models of interfaces, sound cards
and watchdogs are in none (libvirt 9.0 to 12.8); these QEMU itself lists. What nobody speaks of is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from holdfast.domainxml.device import device_name, label
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.features import hyperv_mode
from holdfast.domainxml.elements.vcpu import max_vcpus
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.places.controllers import devices_behind
from holdfast.domainxml.platform import Platform, has_root_ports

QEMU = ("qemu", "device")
"""The enumeration of all devices that a QEMU can be given, which is not libvirt's: ``qemu-system-… -device help``."""


@dataclass(frozen=True)
class _Rule:
    """The value at ``value`` of each element at ``path`` must be in the enumeration ``enum`` of ``section``.

    ``word`` names the thing in the sentence. ``only`` are the values that the enumeration speaks of, where others work
    that it leaves out; None where it lists all. ``default`` is what an element without the value asks for; None where
    every host has that. ``names`` are other names that the enumeration has for some values; "" is what every host has.
    """

    path: str
    value: str
    section: str
    enum: str
    word: str
    only: frozenset[str] | None = None
    default: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)


_VIRTIO = frozenset({"virtio", "virtio-transitional", "virtio-non-transitional"})
_VFIO = _Rule("", "driver@name", "devices/hostdev", "pciBackend", "hand-through of devices by", default="vfio")

_RULES = (
    _Rule("devices/disk", "@device", "devices/disk", "diskDevice", "disk device"),
    _Rule("devices/disk", "@model", "devices/disk", "model", "disk model", _VIRTIO),
    _Rule("devices/disk", "target@bus", "devices/disk", "bus", "disk bus"),
    _Rule("devices/graphics", "@type", "devices/graphics", "type", "graphics of type"),
    _Rule("devices/video", "model@type", "devices/video", "modelType", "video model"),
    _Rule("devices/hostdev", "@type", "devices/hostdev", "subsysType", "hand-through of", frozenset({"usb", "pci"})),
    replace(_VFIO, path="devices/hostdev[@type='pci']"),
    replace(_VFIO, path="devices/hostdev[@type='mdev']"),
    replace(_VFIO, path="devices/interface[@type='hostdev']"),
    _Rule("devices/rng", "@model", "devices/rng", "model", "rng model"),
    _Rule("devices/rng", "backend@model", "devices/rng", "backendModel", "rng backend"),
    _Rule("devices/filesystem", "driver@type", "devices/filesystem", "driverType", "filesystem driver"),
    _Rule("devices/tpm", "@model", "devices/tpm", "model", "TPM model"),
    _Rule("devices/tpm", "backend@type", "devices/tpm", "backendModel", "TPM backend"),
    _Rule("devices/tpm", "backend@version", "devices/tpm", "backendVersion", "TPM of version"),
    _Rule("devices/redirdev", "@bus", "devices/redirdev", "bus", "redirection on the bus"),
    _Rule("devices/channel", "@type", "devices/channel", "type", "channel of type", frozenset({"spicevmc"})),
    _Rule("devices/crypto", "@model", "devices/crypto", "model", "crypto device"),
    _Rule("devices/crypto", "backend@model", "devices/crypto", "backendModel", "crypto backend"),
    _Rule("devices/panic", "@model", "devices/panic", "model", "panic device"),
    _Rule("devices/interface", "backend@type", "devices/interface", "backendType", "interface backend"),
    _Rule("os", "@firmware", "os", "firmware", "firmware to choose of type"),
    _Rule("os", "loader@type", "os/loader", "type", "loader of type"),
    _Rule("os", "loader@secure", "os/loader", "secure", "loader with secure="),
    _Rule("launchSecurity", "@type", "features/launchSecurity", "sectype", "launch security"),
    _Rule("memoryBacking", "source@type", "memoryBacking", "sourceType", "memory from"),
)

_INTERFACES = dict.fromkeys(_VIRTIO, "")
_SOUNDS = {"ich6": "intel-hda", "ich9": "ich9-intel-hda", "ac97": "AC97", "es1370": "ES1370", "sb16": "sb16"}
_SCSI = {
    "lsilogic": "lsi53c895a",
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "vmpvscsi": "pvscsi",
    "am53c974": "am53c974",
    "dc390": "dc-390",
    "ibmvscsi": "spapr-vscsi",
}
_WATCHDOGS = ("i6300esb", "ib700")
_QEMU_RULES = (
    _Rule("devices/interface", "model@type", *QEMU, "interface model", names=_INTERFACES),
    _Rule("devices/controller[@type='scsi']", "@model", *QEMU, "SCSI controller", frozenset(_SCSI), names=_SCSI),
    _Rule("devices/sound", "@model", *QEMU, "sound card", frozenset(_SOUNDS), names=_SOUNDS),
    _Rule("devices/watchdog", "@model", *QEMU, "watchdog", frozenset(_WATCHDOGS)),
)
"""Models that libvirt hands on to QEMU as they are, on machines whose devices are all given one by one."""


class Demand(NamedTuple):
    """One thing that a document asks of a host: the ``value`` that the enumeration ``enum`` of ``section`` has to have.

    Both are "" where the section has to be there at all.
    """

    section: str
    enum: str = ""
    value: str = ""


_NEEDS = (
    ("iothreads", "iothreads", "I/O threads"),
    ("genid", "features/genid", "generation ID"),
    ("features/vmcoreinfo[@state='on']", "features/vmcoreinfo", "vmcoreinfo"),
    ("features/async-teardown[@enabled='yes']", "features/async-teardown", "asynchronous teardown"),
    ("devices/input[@bus='ps2']", "features/ps2", "PS/2 controller"),
    ("launchSecurity[@type='sev']", "features/sev", "memory encryption (SEV)"),
    ("devices/memory[@model='sgx-epc']", "features/sgx", "SGX memory"),
    *(
        (f"devices/{tag}", f"devices/{tag}", tag)
        for tag in ("crypto", "filesystem", "hostdev", "panic", "redirdev", "rng", "tpm")
    ),
)
"""A path, a section and a word for people: where a document has the path, the section must not say supported='no'."""


class _Asked(NamedTuple):
    """A demand at one place of a document: which ``part`` it is of, and what is said where it is not met."""

    demand: Demand
    part: str
    lack: str
    unused: str = ""
    who: str = ""


def demands(domain: Element) -> set[Demand]:
    """All that the document ``domain`` asks of a host."""
    return {asked.demand for asked in _asked(domain)}


def support_outlook(
    domain: Element, capabilities: Capabilities, models: frozenset[str] | None = None
) -> Iterator[Outlook]:
    """What of ``domain`` a host with these ``capabilities`` cannot provide, so that it would not start there.

    ``models`` are the devices that its QEMU lists; None where nobody can say.
    """
    for asked in _asked(domain):
        section, enum, value = asked.demand
        if not enum:
            met = section not in capabilities.unsupported
        elif section in capabilities.unsupported:  # which is said about the section
            met = True
        else:
            offered = models if (section, enum) == QEMU else capabilities.enums.get((section, enum))
            met = offered is None or value in offered
        if not met:
            yield Outlook(Effect.BLOCKS, asked.part, asked.lack, asked.unused, asked.who)
    yield from _vcpus(domain, capabilities)
    yield from _hyperv(domain, capabilities)


def _asked(domain: Element) -> Iterator[_Asked]:
    for path, section, word in _NEEDS:
        if domain.find(path) is not None:
            yield _Asked(Demand(section), _part(path), f"the host has no {word}")
    platform = Platform.of(domain)
    one_by_one = platform.is_x86 or has_root_ports(platform.machine)
    for rule in (*_RULES, *(_QEMU_RULES if one_by_one else ())):
        for element in domain.iterfind(rule.path):
            value = value_at(element, rule.value)
            value = rule.default if value in (None, "default") else value
            name = rule.names.get(value or "", value)
            if not value or not name or (rule.only is not None and value not in rule.only):
                continue
            who = device_name(element) if rule.path.startswith("devices/") else ""
            lack = f"{who}{': ' * bool(who)}the host has no {rule.word} {value}"
            yield _Asked(Demand(rule.section, rule.enum, name), _part(rule.path), lack, who=who)
    for controller in domain.iterfind("devices/controller[@type='ide']"):
        if not devices_behind(domain, controller):  # else it is said about the disk
            name = label(controller)
            lack = f"controller {name}: the host has no disk bus ide; nothing is on it: detach it"
            yield _Asked(Demand("devices/disk", "bus", "ide"), "device", lack, name)


def _part(path: str) -> str:
    return "device" if path.startswith("devices/") else path.partition("[")[0].rpartition("/")[2]


def _vcpus(domain: Element, capabilities: Capabilities) -> Iterator[Outlook]:
    vcpus = max_vcpus(domain)
    if capabilities.max_vcpus is not None and vcpus > capabilities.max_vcpus:
        sentence = f"{capabilities.machine} cannot have {vcpus} vCPUs: at most {capabilities.max_vcpus}"
        yield Outlook(Effect.BLOCKS, "vcpu", sentence)


def _hyperv(domain: Element, capabilities: Capabilities) -> Iterator[Outlook]:
    """Only KVM needs them: under emulation QEMU starts without the Hyper-V features that it does not have.

    But libvirt (12.8) chooses none where it is told of none.
    """
    offered = capabilities.enums.get(("features/hyperv", "features"))
    if hyperv_mode(domain) == "host-model" and not offered and capabilities.is_complete:
        sentence = "the host has no Hyper-V features to choose from (hyperv mode='host-model')"
        yield Outlook(Effect.BLOCKS, "features", sentence)
    if offered is None or capabilities.virt_type != "kvm":
        return
    asked = [str(node.tag) for node in domain.iterfind("features/hyperv/*") if node.get("state") == "on"]
    missing = [name for name in asked if name not in offered]
    if missing:
        yield Outlook(Effect.BLOCKS, "features", f"the host has no Hyper-V features {', '.join(missing)}")
