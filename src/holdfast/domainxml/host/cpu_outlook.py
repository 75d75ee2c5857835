"""What happens to a CPU at a cold start on a host: which model it is, which features it gains and loses."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.document import Element, child, element
from holdfast.domainxml.elements.cpu import BY_TOPOLOGY
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.cpu_model import seal_cpu

_OFF = ("disable", "forbid")
_NONE: Mapping[str, str] = {}


def model_of(cpu: Element) -> str:
    """The name of the model in ``<cpu>``; empty where none is named."""
    return (cpu.findtext("model") or "").strip()


def cpu_mode(domain: Element) -> str:
    """The mode of the CPU: "custom", "host-model", "host-passthrough", "maximum", or "minimum".

    The last is Holdfast's word for a custom model that the host may exceed (match='minimum').
    """
    cpu = domain.find("cpu")
    if cpu is None:
        return "custom"
    mode = cpu.get("mode", "custom")
    return "minimum" if mode == "custom" and cpu.get("match") == "minimum" else mode


def is_of_cpu(change: Change) -> bool:
    """True for a change of ``<cpu>``."""
    return change.where.partition("@")[0].partition("/")[0] == "cpu"


def expand_host_model(domain: Element, capabilities: Capabilities) -> Element:
    """The ``<cpu>`` that the host-model of ``domain`` becomes on a host with these ``capabilities``.

    Raises NO_HOST_MODEL.
    """
    sealed = element("domain", None, copy.deepcopy(child(domain, "cpu")))
    seal_cpu(sealed, capabilities)
    return child(sealed, "cpu")


def same_model(before: Element, after: Element, canonical: Mapping[str, str] = _NONE) -> bool:
    """True when two ``<cpu>`` have the same model; ``canonical`` maps names to others of the same model."""
    was, becomes = model_of(before), model_of(after)
    return canonical.get(was, was) == canonical.get(becomes, becomes)


def cpu_difference(before: Element, after: Element, canonical: Mapping[str, str] = _NONE) -> str | None:
    """What a guest gains and loses from one concrete ``<cpu>`` to another, in words; None for nothing.

    Of two models only the names can be compared: which features each stands for is known to libvirt alone.
    """
    if not same_model(before, after, canonical):
        return f"becomes {model_of(after)}, was {model_of(before)}"
    old, new = _features(before), _features(after)
    names = [name for name in dict.fromkeys((*old, *new)) if name not in BY_TOPOLOGY]
    # A feature that only one of them names is in the other as the model has it: on where this one turns it off.
    gained = [name for name in names if _is_on(old, new, name) is False and _is_on(new, old, name) is True]
    lost = [name for name in names if _is_on(old, new, name) is True and _is_on(new, old, name) is False]
    return gains_and_losses(gained, lost) or None


def gains_and_losses(gained: Sequence[str], lost: Sequence[str]) -> str:
    """In words, which features a CPU gains and loses; empty for none."""
    words = [f"gains {', '.join(gained)}"] * bool(gained) + [f"loses {', '.join(lost)}"] * bool(lost)
    return " and ".join(words)


def features_on(cpu: Element) -> frozenset[str]:
    """The features that ``<cpu>`` names, and does not turn off."""
    return frozenset(name for name, on in _features(cpu).items() if on)


def _features(cpu: Element) -> dict[str, bool]:
    return {node.get("name", ""): node.get("policy") not in _OFF for node in cpu.iterfind("feature")}


def _is_on(features: dict[str, bool], other: dict[str, bool], name: str) -> bool:
    return features[name] if name in features else not other[name]
