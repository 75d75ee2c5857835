"""Which parts of a document a host cannot provide, as far as its domain capabilities say.

They do not list everything: models of interfaces, sound cards and watchdogs, for instance, are in no enumeration
(libvirt 9.0). What they do not speak of is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.vcpu import max_vcpus
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.outlook import Effect, Outlook


@dataclass(frozen=True)
class _Rule:
    """The value at ``value`` of each element at ``path`` must be in the enumeration ``enum`` of ``section``.

    ``word`` names the thing in the sentence. ``only`` are the values that the enumeration speaks of, where others work
    that it leaves out; None where it lists all.
    """

    path: str
    value: str
    section: str
    enum: str
    word: str
    only: frozenset[str] | None = None


_RULES = (
    _Rule("devices/disk", "@device", "devices/disk", "diskDevice", "disk device"),
    _Rule("devices/disk", "@model", "devices/disk", "model", "disk model"),
    _Rule("devices/disk", "target@bus", "devices/disk", "bus", "disk bus"),
    _Rule("devices/graphics", "@type", "devices/graphics", "type", "graphics of type"),
    _Rule("devices/video", "model@type", "devices/video", "modelType", "video model"),
    _Rule("devices/hostdev", "@type", "devices/hostdev", "subsysType", "hand-through of", frozenset({"usb", "pci"})),
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


def support_outlook(domain: Element, capabilities: Capabilities) -> Iterator[Outlook]:
    """What of ``domain`` a host with these ``capabilities`` cannot provide, so that it would not start there."""
    for path, section, word in _NEEDS:
        if section in capabilities.unsupported and domain.find(path) is not None:
            yield Outlook(Effect.BLOCKS, _part(path), f"the host has no {word}")
    for rule in _RULES:
        offered = capabilities.enums.get((rule.section, rule.enum))
        if not offered or rule.section in capabilities.unsupported:
            continue
        for element in domain.iterfind(rule.path):
            value = value_at(element, rule.value)
            if value in (None, "default") or value in offered or (rule.only is not None and value not in rule.only):
                continue
            who = f"{device_name(element)}: " if rule.path.startswith("devices/") else ""
            yield Outlook(Effect.BLOCKS, _part(rule.path), f"{who}the host has no {rule.word} {value}")
    yield from _vcpus(domain, capabilities)
    yield from _hyperv(domain, capabilities)


def _part(path: str) -> str:
    return "device" if path.startswith("devices/") else path.partition("[")[0].rpartition("/")[2]


def _vcpus(domain: Element, capabilities: Capabilities) -> Iterator[Outlook]:
    vcpus = max_vcpus(domain)
    if capabilities.max_vcpus is not None and vcpus > capabilities.max_vcpus:
        sentence = f"{capabilities.machine} cannot have {vcpus} vCPUs: at most {capabilities.max_vcpus}"
        yield Outlook(Effect.BLOCKS, "vcpu", sentence)


def _hyperv(domain: Element, capabilities: Capabilities) -> Iterator[Outlook]:
    """Only KVM needs them: under emulation QEMU starts without the Hyper-V features that it does not have."""
    offered = capabilities.enums.get(("features/hyperv", "features"))
    if offered is None or capabilities.virt_type != "kvm":
        return
    asked = [str(node.tag) for node in domain.iterfind("features/hyperv/*") if node.get("state") == "on"]
    missing = [name for name in asked if name not in offered]
    if missing:
        yield Outlook(Effect.BLOCKS, "features", f"the host has no Hyper-V features {', '.join(missing)}")
