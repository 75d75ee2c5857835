"""Which concrete CPUs a host can give to its guests: what it lacks of one, and what it has that one forbids."""

from __future__ import annotations

import copy
from functools import cache

from holdfast.domainxml.document import Element, element, serialize
from holdfast.domainxml.host.capabilities import read_capabilities
from holdfast.domainxml.host.cpu_model import describe_cpu
from holdfast.domainxml.host.cpu_outlook import cpu_mode, features_on, model_of
from holdfast.domainxml.platform import Platform
from holdfast.errors import LibvirtRefused
from holdfast.libvirtapi.connection import Connection


class HostCpus:
    """The CPUs of the host of ``connection``, which is asked once of each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._shortfalls = cache(connection.cpu_shortfall)
        self._possible = cache(self._ask_possible)

    def lack_of(self, domain: Element) -> str | None:
        """Why a start here fails for the CPU that ``domain`` names: "lacks CPU features: vmx"; None where it does not.

        None also where nobody can tell. (virConnectCompareHypervisorCPU)
        """
        cpu = domain.find("cpu")
        if cpu is None or not model_of(cpu) or cpu_mode(domain) != "custom" or cpu.get("check") == "none":
            return None
        try:
            return self.lack(cpu, Platform.of(domain))
        except LibvirtRefused as error:
            return f"does not know the CPU {describe_cpu(domain)}" if is_unknown(error) else None

    def lack(self, cpu: Element, platform: Platform) -> str | None:
        """What the host lacks for a concrete CPU, or has that it forbids. Raises LibvirtRefused."""
        if missing := self.lacking(cpu, platform):
            return f"lacks CPU features: {', '.join(missing)}"
        forbidden = self._forbidden(cpu, platform)
        return f"has CPU features that the domain forbids: {', '.join(forbidden)}" if forbidden else None

    def lacking(self, cpu: Element, platform: Platform) -> list[str]:
        """The features of a concrete CPU that a domain cannot have here. Raises LibvirtRefused."""
        lacked = self._shortfall(_exact(cpu), platform)
        # libvirt hides some that a domain has if it asks for them by name.
        return [name for name in lacked if name not in self._possible(platform)]

    def _forbidden(self, cpu: Element, platform: Platform) -> list[str]:
        """The features that the host has and the CPU forbids. Raises LibvirtRefused."""
        lacked = self._shortfall(_exact(cpu), platform)
        return [name for name in self._shortfall(cpu, platform) if name not in lacked]

    def _shortfall(self, cpu: Element, platform: Platform) -> list[str]:
        shortfall = self._shortfalls(serialize(cpu).strip(), *platform)
        return shortfall.split(", ") if shortfall else []

    def available(self, features: list[str], cpu: Element, platform: Platform) -> list[str]:
        """Those of ``features`` that a domain can have here: a model has more in one libvirt than in another."""
        if not features:
            return []
        named = {node.get("name") for node in cpu.iterfind("feature")}
        asked = copy.deepcopy(cpu)
        asked.extend(element("feature", {"policy": "require", "name": name}) for name in features if name not in named)
        try:
            missing = self.lacking(asked, platform)
        except LibvirtRefused:  # libvirt here does not know one of them by name
            return []
        return [name for name in features if name not in missing]

    def _ask_possible(self, platform: Platform) -> frozenset[str]:
        """Every CPU feature that a domain can have here; none where libvirt (< 12.5) hides none."""
        if self._connection.readonly or self._connection.libvirt_version() < (12, 5, 0):
            return frozenset()
        reported = read_capabilities(self._connection.domain_capabilities(*platform, all_cpu_features=True))
        return frozenset() if reported.host_model is None else features_on(reported.host_model)


def is_unknown(error: LibvirtRefused) -> bool:
    """True where libvirt does not know a CPU model or feature: 9.0 has no code of its own for that."""
    return "unknown cpu" in error.message.lower()


def _exact(cpu: Element) -> Element:
    """A copy of the CPU that says nothing about what the host must not have: only what the host lacks is asked."""
    exact = copy.deepcopy(cpu)
    exact.set("match", "exact")
    for feature in exact.iterfind("feature[@policy='forbid']"):
        feature.set("policy", "disable")
    return exact
