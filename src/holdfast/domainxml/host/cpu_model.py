"""The CPU of a domain made concrete: host-model becomes the model and features that it stands for on a host today.

libvirt keeps host-model in config and expands it anew at each start, so that an upgrade of the host or of libvirt would
change the guest.
"""

from __future__ import annotations

import copy

from holdfast.domainxml.document import Element, child, element
from holdfast.domainxml.host.capabilities import HOST_MODEL_UNKNOWN, Capabilities
from holdfast.domainxml.platform import X86
from holdfast.errors import hosts

MODES = ("host-model", "host-passthrough", "maximum")
"""The CPUs that can be asked for without the name of a model."""

_OF_A_MODEL = ("model", "vendor", "feature")


def new_cpu(name: str, capabilities: Capabilities) -> Element:
    """The ``<cpu>`` for one of MODES, or for a model by its name; :func:`seal_cpu` then makes host-model concrete.

    Raises UNKNOWN_CPU for a name that libvirt does not know, CPU_NOT_HERE and CPU_MODE_NOT_HERE for what this host
    cannot run; neither where that is not told.
    """
    if name in MODES:
        if capabilities.is_complete and name not in capabilities.cpu_modes:
            virt_type, possible = capabilities.virt_type, _usable(capabilities)
            raise hosts.CPU_MODE_NOT_HERE(cpu=name, virt_type=virt_type, possible=possible)
        return element("cpu", {"mode": name})
    if capabilities.is_complete and name not in capabilities.cpu_models:
        raise hosts.UNKNOWN_CPU(cpu=name, possible=_usable(capabilities))
    if not capabilities.cpu_models.get(name, True):
        raise hosts.CPU_NOT_HERE(cpu=name, possible=_usable(capabilities))
    # On ARM libvirt (9.0) can compare no CPUs, and would refuse to start what it is to check.
    check = "partial" if capabilities.arch in X86 else "none"
    cpu = element("cpu", {"mode": "custom", "match": "exact", "check": check})
    cpu.append(element("model", {"fallback": "forbid"}, text=name))
    return cpu


def _usable(capabilities: Capabilities) -> list[str]:
    names = [mode for mode in MODES if mode in capabilities.cpu_modes]
    return names + sorted(name for name, usable in capabilities.cpu_models.items() if usable)


def seal_cpu(domain: Element, capabilities: Capabilities) -> list[str]:
    """Make the CPU of ``domain`` concrete, in place; return why not, in sentences.

    What the document itself says inside host-model (topology, NUMA, single features) stays. ``check='partial'`` lets
    the domain start also where a later QEMU adds something of its own. host-model stays where libvirt does not tell
    what it is. Raises NO_HOST_MODEL.
    """
    cpu = domain.find("cpu")
    if cpu is None:
        return []
    mode = cpu.get("mode", "custom")
    if mode == "host-model" and not capabilities.is_complete:
        return [HOST_MODEL_UNKNOWN]
    if mode == "host-model":
        _make_concrete(cpu, capabilities)
    elif mode != "custom":
        return []
    model = cpu.find("model")
    if model is not None:
        model.set("fallback", "forbid")
    return []


def _make_concrete(cpu: Element, capabilities: Capabilities) -> None:
    if capabilities.host_model is None:
        raise hosts.NO_HOST_MODEL(virt_type=capabilities.virt_type, possible=_usable(capabilities))
    own = [child for child in cpu if child.tag != "model"]
    named = {child.get("name") for child in own if child.tag == "feature"}
    tags = {child.tag for child in own}
    concrete = [
        copy.deepcopy(child)
        for child in capabilities.host_model
        if (child.get("name") not in named if child.tag == "feature" else child.tag not in tags)
    ]
    cpu[:] = [*concrete, *own]
    cpu.attrib.clear()
    cpu.attrib.update({"mode": "custom", "match": "exact", "check": "partial"})


def host_model_cpu(capabilities: Capabilities) -> Element | None:
    """The ``<cpu>`` that host-model is on a host with these ``capabilities``; None where libvirt does not say."""
    if capabilities.host_model is None:
        return None
    return element("cpu", None, *copy.deepcopy(list(capabilities.host_model)))


def concrete_cpu(cpu: Element | None, given: Element) -> Element:
    """A ``<cpu>`` with the model and features of ``given``, and the topology, NUMA … of ``cpu``, which may be None.

    What ``cpu`` says of single features beside host-model stays.
    """
    is_open = cpu is not None and cpu.get("mode") == "host-model"
    own = [each for each in ([] if cpu is None else cpu) if each.tag not in _OF_A_MODEL or is_open]
    own = [each for each in own if each.tag not in ("model", "vendor")]
    named = {each.get("name") for each in own if each.tag == "feature"}
    taken = [each for each in given if each.tag in _OF_A_MODEL and each.get("name", "") not in named]
    made = element("cpu", {"mode": "custom", "match": "exact", "check": "partial"}, *copy.deepcopy([*taken, *own]))
    child(made, "model").attrib.update({"fallback": "forbid"})
    return made


def other_model(cpu: Element, given: Element) -> Element:
    """A ``<cpu>`` with the mode, model and features of ``given``, and what ``cpu`` says besides: topology, NUMA …"""
    made = copy.deepcopy(given)
    own = [copy.deepcopy(each) for each in cpu if each.tag not in _OF_A_MODEL]
    made[:] = [*(each for each in made if each.tag in _OF_A_MODEL), *own]
    return made


def open_cpu(cpu: Element) -> Element:
    """As ``cpu``, with a model that the host chooses at each start in place of the one that it names (host-model)."""
    return other_model(cpu, element("cpu", {"mode": "host-model", "check": "partial"}))


def set_cpu_feature(cpu: Element, name: str, *, is_on: bool) -> None:
    """Let the guest have the feature ``name``, or not, whatever the model of ``cpu`` says."""
    words = ("require", "force") if is_on else ("disable", "forbid")
    found = [each for each in cpu.iterfind("feature") if each.get("name") == name]
    for each in found:
        if each.get("policy", "require") not in words:
            each.set("policy", words[0])
    if not found:
        cpu.append(element("feature", {"policy": words[0], "name": name}))


def set_cpu(domain: Element, cpu: Element) -> None:
    """Let ``domain`` have ``cpu``, at the place of the one that it has."""
    found = domain.find("cpu")
    if found is None:
        domain.append(cpu)
    else:
        cpu.tail = found.tail
        domain.replace(found, cpu)


def without_feature(cpu: Element, name: str) -> None:
    """Let ``cpu`` say nothing of the feature ``name``."""
    for feature in cpu.findall("feature"):
        if feature.get("name") == name:
            cpu.remove(feature)


def describe_cpu(domain: Element) -> str:
    """The CPU of ``domain`` in a few words: "EPYC, 20 features on, 10 off", "host-passthrough"."""
    cpu = domain.find("cpu")
    if cpu is None:
        return "libvirt's default"
    model = cpu.findtext("model")
    if model is None:
        return cpu.get("mode", "custom")
    features = [feature.get("policy", "require") for feature in cpu.iterfind("feature")]
    off = sum(policy in ("disable", "forbid") for policy in features)
    return f"{model}, {len(features) - off} features on, {off} off" if features else model
