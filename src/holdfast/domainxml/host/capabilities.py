"""libvirt's ``<domainCapabilities>``: what a new domain of one kind can have on this host, concrete names included."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element, parse

_HYPERV_UNSAID = frozenset({"relaxed", "vapic", "spinlocks"})
"""What libvirt before 9.0, which says nothing of Hyper-V features, can have everywhere."""


@dataclass(frozen=True)
class Capabilities:
    """What libvirt says of one emulator, machine type and virtualisation type.

    ``machine`` is the versioned name also where an alias was asked for. ``host_model`` is the ``<mode>`` element with
    the CPU that host-model would become, None where that is not supported. ``cpu_models`` maps each named CPU to
    whether this host can run it; ``deprecated_models`` are those that will go, ``canonical_models`` maps names to
    others of the same model (libvirt 11.0: EPYC is EPYC-v1). ``loaders`` are the firmware files that exist here.
    ``enums`` maps a section ("devices/disk") and the name of an enumeration there ("bus") to its values;
    ``unsupported`` are the sections of which the host has nothing.
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
    videos: frozenset[str]
    graphics: frozenset[str]
    tpm_models: frozenset[str]
    deprecated_models: frozenset[str]
    canonical_models: dict[str, str]
    enums: dict[tuple[str, str], frozenset[str]]
    unsupported: frozenset[str]


def read_capabilities(text: str) -> Capabilities:
    """Read a domain capabilities document (virConnectGetDomainCapabilities)."""
    root = parse(text, "domainCapabilities")
    modes = {mode.get("name", ""): mode for mode in root.iterfind("cpu/mode") if mode.get("supported") == "yes"}
    custom = modes.get("custom")
    maximum = root.find("vcpu")
    hyperv = root.find("features/hyperv")
    return Capabilities(
        virt_type=root.findtext("domain") or "",
        machine=root.findtext("machine") or "",
        arch=root.findtext("arch") or "",
        emulator=root.findtext("path") or "",
        max_vcpus=int(maximum.get("max", "0")) or None if maximum is not None else None,
        cpu_modes=frozenset(modes),
        host_model=modes.get("host-model"),
        cpu_models={}
        if custom is None
        else {model.text or "": model.get("usable") != "no" for model in custom.iterfind("model")},
        loaders=tuple(value.text or "" for value in root.iterfind("os/loader/value")),
        hyperv=_values(root, "features/hyperv", "features") if hyperv is not None else _HYPERV_UNSAID,
        videos=_values(root, "devices/video", "modelType"),
        graphics=_values(root, "devices/graphics", "type"),
        tpm_models=_values(root, "devices/tpm", "model"),
        deprecated_models=frozenset()
        if custom is None
        else frozenset(model.text or "" for model in custom.iterfind("model[@deprecated='yes']")),
        canonical_models={}
        if custom is None
        else {model.text or "": model.get("canonical", "") for model in custom.iterfind("model[@canonical]")},
        enums={
            (_section(enum.getparent()), enum.get("name", "")): frozenset(value.text or "" for value in enum)
            for enum in root.iter("enum")
        },
        unsupported=frozenset(_section(node) for node in root.iterfind(".//*[@supported='no']") if node.tag != "mode"),
    )


def _section(node: Element | None) -> str:
    """The path of an element below the root: "devices/disk"."""
    tags: list[str] = []
    while node is not None and (parent := node.getparent()) is not None:
        tags.insert(0, str(node.tag))
        node = parent
    return "/".join(tags)


def _values(root: Element, parent: str, name: str) -> frozenset[str]:
    return frozenset(value.text or "" for value in root.iterfind(f"{parent}/enum[@name='{name}']/value"))
