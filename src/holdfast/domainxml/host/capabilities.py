"""libvirt's ``<domainCapabilities>``: what a domain of one platform can have on a host, with concrete names."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.number import number_at
from holdfast.domainxml.platform import Platform
from holdfast.errors.hosts import HOST_CANNOT, NO_MACHINE_TYPE

_HYPERV_UNSAID = frozenset({"relaxed", "vapic", "spinlocks"})
"""The Hyper-V features that every host has where libvirt, before 9.0, says nothing of them."""

CAPABILITIES_UNKNOWN = "over a read-only connection libvirt does not say which CPU and devices this host can provide"
"""The sentence for where :attr:`Capabilities.is_complete` is False."""
HOST_MODEL_UNKNOWN = "which CPU host-model becomes is not known: libvirt does not say so over a read-only connection"


@dataclass(frozen=True)
class Capabilities:
    """What libvirt says of one emulator, architecture, machine type and virtualisation type.

    ``machine``            the versioned name, also where an alias was asked for
    ``max_vcpus``          how many vCPUs a domain can have; None where libvirt does not say
    ``cpu_modes``          those that are supported: "custom", "host-model" …
    ``host_model``         the ``<mode>`` element with the CPU that host-model would become; None where unsupported
    ``cpu_models``         name → whether this host can run that CPU
    ``deprecated_models``  names of CPUs that will go
    ``canonical_models``   name → another name of the same CPU (libvirt 11.0: EPYC is EPYC-v1)
    ``loaders``            the firmware files that exist here
    ``enums``              a section ("devices/disk") and an enumeration in it ("bus") → its values
    ``unsupported``        sections of which the host has nothing
    ``is_complete``        False over a read-only connection, which knows only platform and vCPUs: the rest is unknown

    An enumeration that libvirt does not report is not there, and says nothing; one that it reports without a value says
    that the host has none. :meth:`offered` tells the two apart.
    """

    virt_type: str
    machine: str
    arch: str
    emulator: str
    max_vcpus: int | None
    cpu_modes: frozenset[str]
    host_model: Element | None
    cpu_models: dict[str, bool]
    loaders: tuple[str, ...]
    hyperv: frozenset[str]
    deprecated_models: frozenset[str]
    canonical_models: dict[str, str]
    enums: dict[tuple[str, str], frozenset[str]]
    unsupported: frozenset[str]
    is_complete: bool = True

    def offered(self, section: str, enum: str) -> frozenset[str] | None:
        """The values that the host has of an enumeration, () for none; None where libvirt does not say."""
        return frozenset() if section in self.unsupported else self.enums.get((section, enum))


def read_capabilities(text: str) -> Capabilities:
    """Read a domain capabilities document (virConnectGetDomainCapabilities)."""
    root = parse(text, "domainCapabilities")
    modes = {mode.get("name", ""): mode for mode in root.iterfind("cpu/mode") if mode.get("supported") == "yes"}
    models = modes["custom"].findall("model") if "custom" in modes else []
    maximum = root.find("vcpu")
    hyperv = root.find("features/hyperv")
    return Capabilities(
        virt_type=root.findtext("domain") or "",
        machine=root.findtext("machine") or "",
        arch=root.findtext("arch") or "",
        emulator=root.findtext("path") or "",
        max_vcpus=number_at(maximum, "@max") or None if maximum is not None else None,
        cpu_modes=frozenset(modes),
        host_model=modes.get("host-model"),
        cpu_models={model.text or "": model.get("usable") != "no" for model in models},
        loaders=tuple(value.text or "" for value in root.iterfind("os/loader/value")),
        hyperv=_values(root, "features/hyperv", "features") if hyperv is not None else _HYPERV_UNSAID,
        deprecated_models=frozenset(model.text or "" for model in models if model.get("deprecated") == "yes"),
        canonical_models={model.text or "": model.get("canonical", "") for model in models if model.get("canonical")},
        enums={
            (_section(enum.getparent()), enum.get("name", "")): frozenset(value.text or "" for value in enum)
            for enum in root.iter("enum")
        },
        unsupported=frozenset(_section(node) for node in root.iterfind(".//*[@supported='no']") if node.tag != "mode"),
    )


def capabilities_for_readers(host: Element, platform: Platform) -> Capabilities:
    """What the host's capabilities document (virConnectGetCapabilities) tells of a platform.

    What the platform leaves open is what libvirt would choose: the host's architecture, KVM, the first machine type.
    Raises HOST_CANNOT and NO_MACHINE_TYPE.
    """
    arch = platform.arch or host.findtext("host/cpu/arch") or ""
    guest = host.find(f"guest[os_type='hvm']/arch[@name='{arch}']")
    kinds = {} if guest is None else {kind.get("type", ""): kind for kind in guest.iterfind("domain")}
    virt_type = platform.virt_type or ("kvm" if "kvm" in kinds else "qemu")
    if guest is None or virt_type not in kinds:
        raise HOST_CANNOT(reason=f"its capabilities name no {virt_type} for {arch}")
    emulators = [kinds[virt_type].findtext("emulator"), guest.findtext("emulator")]
    emulator = next((each for each in emulators if each), "")
    machines = {each.text or "": each for each in (*kinds[virt_type].iterfind("machine"), *guest.iterfind("machine"))}
    machine = platform.machine or next(iter(machines), "")
    found = machines.get(machine)
    if found is None and platform.emulator in ("", emulator):
        raise NO_MACHINE_TYPE(machine=machine, possible="those in the host's capabilities")
    return Capabilities(
        virt_type=virt_type,
        machine=machine if found is None else found.get("canonical", machine),
        arch=arch,
        emulator=platform.emulator or emulator,
        max_vcpus=None if found is None else number_at(found, "@maxCpus") or None,
        cpu_modes=frozenset(),
        host_model=None,
        cpu_models={},
        loaders=(),
        hyperv=_HYPERV_UNSAID,
        deprecated_models=frozenset(),
        canonical_models={},
        enums={},
        unsupported=frozenset(),
        is_complete=False,
    )


def _section(node: Element | None) -> str:
    """The path of an element from the root: "devices/disk"."""
    tags: list[str] = []
    while node is not None and (parent := node.getparent()) is not None:
        tags.insert(0, str(node.tag))
        node = parent
    return "/".join(tags)


def _values(root: Element, parent: str, name: str) -> frozenset[str]:
    return frozenset(value.text or "" for value in root.iterfind(f"{parent}/enum[@name='{name}']/value"))
