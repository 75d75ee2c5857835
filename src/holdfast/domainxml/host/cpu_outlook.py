"""A CPU before and after a cold start, where the document leaves it open: what was gained, what was lost."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from holdfast.domainxml.document import Element, child, element
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.cpu_model import seal_cpu

_OFF = ("disable", "forbid")
_NONE: Mapping[str, str] = {}


def model_of(cpu: Element) -> str:
    """The name of the model in a ``<cpu>``; empty where it has none."""
    return (cpu.findtext("model") or "").strip()


def cpu_mode(domain: Element) -> str:
    """ "custom", "host-model", "host-passthrough", "maximum", or "minimum" for a model that the host may exceed."""
    cpu = domain.find("cpu")
    if cpu is None:
        return "custom"
    mode = cpu.get("mode", "custom")
    return "minimum" if mode == "custom" and cpu.get("match") == "minimum" else mode


def expanded(domain: Element, capabilities: Capabilities) -> Element:
    """The ``<cpu>`` that host-model in ``domain`` becomes on a host with these capabilities.

    Raises Failed when libvirt there cannot say it.
    """
    sealed = element("domain", None, copy.deepcopy(child(domain, "cpu")))
    seal_cpu(sealed, capabilities)
    return child(sealed, "cpu")


def same_model(before: Element, after: Element, canonical: Mapping[str, str] = _NONE) -> bool:
    """True when two ``<cpu>`` have the same model; ``canonical`` tells which names mean the same."""
    was, becomes = model_of(before), model_of(after)
    return canonical.get(was, was) == canonical.get(becomes, becomes)


def cpu_difference(before: Element, after: Element, canonical: Mapping[str, str] = _NONE) -> str | None:
    """What a guest loses and gains from one concrete ``<cpu>`` to another, in words; None when nothing.

    Of two models only the names can be compared: what each stands for is in libvirt, not in a document.
    """
    if not same_model(before, after, canonical):
        return f"becomes {model_of(after)}, was {model_of(before)}"
    old, new = _features(before), _features(after)
    names = list(dict.fromkeys((*old, *new)))
    # What only one of them names is as the model has it in the other: on where this one turns it off.
    gained = [name for name in names if _is_on(old, new, name) is False and _is_on(new, old, name) is True]
    lost = [name for name in names if _is_on(old, new, name) is True and _is_on(new, old, name) is False]
    return gains_and_losses(gained, lost) or None


def gains_and_losses(gained: Sequence[str], lost: Sequence[str]) -> str:
    """Features that come and go, in words; empty when there are none."""
    words = [f"gains {', '.join(gained)}"] * bool(gained) + [f"loses {', '.join(lost)}"] * bool(lost)
    return " and ".join(words)


def _features(cpu: Element) -> dict[str, bool]:
    return {node.get("name", ""): node.get("policy") not in _OFF for node in cpu.iterfind("feature")}


def _is_on(features: dict[str, bool], other: dict[str, bool], name: str) -> bool:
    return features[name] if name in features else not other[name]
