"""The best CPU that a domain can have on several hosts: libvirt's own baseline of what each would give it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence

from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.host.capabilities import CAPABILITIES_UNKNOWN
from holdfast.domainxml.host.cpu_model import concrete_cpu, host_model_cpu, without_feature
from holdfast.domainxml.platform import Platform
from holdfast.errors import LibvirtRefused, NotFound
from holdfast.errors.hosts import NO_COMMON_CPU
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.outlook import HostOutlook

_UNKNOWN_FEATURE = re.compile(r"Unknown CPU feature (\S+)", re.IGNORECASE)
"""What libvirt (9.0 to 12.8) says of a feature that only a later one knows."""


def common_cpu(domain: Element, machine: str, hosts: Sequence[Connection]) -> Element:
    """The ``<cpu>`` that ``domain``, of the versioned ``machine`` type, can have on all ``hosts``; its topology stays.

    Each libvirt in turn is asked for the baseline, the newest first, since it knows the most models and features; the
    first answer counts that every host can run. Raises NO_COMMON_CPU.
    (virConnectGetDomainCapabilities, virConnectBaselineHypervisorCPU, virConnectCompareHypervisorCPU)
    """
    name = domain.findtext("name") or ""
    platform = Platform.of(domain)._replace(emulator="", machine=machine)
    outlooks = {host: HostOutlook(host) for host in hosts}
    cpus = [_given_by(name, host, outlooks[host], platform) for host in hosts]
    reasons: list[str] = []
    for host in sorted(hosts, key=Connection.libvirt_version, reverse=True):
        try:
            given = baseline_by(host, cpus, platform)
        except LibvirtRefused as error:
            reasons.append(f"{host.uri}: {error.message}")
            continue
        wanted = concrete_cpu(domain.find("cpu"), given)
        if not (missing := [*_missing(outlooks, wanted, platform)]):
            return wanted
        reasons += missing
    raise NO_COMMON_CPU(name=name, reasons=list(dict.fromkeys(reasons)))


def _given_by(name: str, host: Connection, outlook: HostOutlook, platform: Platform) -> Element:
    """What host-model is there. Raises NO_COMMON_CPU."""
    capabilities = outlook.capabilities(platform)
    if isinstance(capabilities, str):
        reason = capabilities
    elif not capabilities.is_complete:
        reason = CAPABILITIES_UNKNOWN
    elif (cpu := host_model_cpu(capabilities)) is not None:
        return cpu
    else:
        reason = f"libvirt does not say which CPU host-model is with {capabilities.virt_type}"
    raise NO_COMMON_CPU(name=name, reasons=[f"{host.uri}: {reason}"])


def baseline_by(host: Connection, cpus: Sequence[Element], platform: Platform) -> Element:
    """What libvirt at ``host`` makes of them. What it does not know it cannot give: no CPU is said to have that.

    Raises LibvirtRefused.
    """
    known = [copy.deepcopy(cpu) for cpu in cpus]
    while True:
        try:
            return parse(host.baseline_cpu([serialize(cpu) for cpu in known], *platform), "cpu")
        except LibvirtRefused as error:
            unknown = _UNKNOWN_FEATURE.search(error.message)
            if unknown is None or not any(cpu.find(f"feature[@name='{unknown[1]}']") is not None for cpu in known):
                raise
        for cpu in known:
            without_feature(cpu, unknown[1])


def _missing(outlooks: dict[Connection, HostOutlook], cpu: Element, platform: Platform) -> Iterator[str]:
    """What each of the hosts lacks of ``cpu``, in sentences."""
    for host, outlook in outlooks.items():
        try:
            lacked = outlook.cpus.lacking(cpu, platform)
        except (LibvirtRefused, NotFound) as error:
            yield f"{host.uri}: {error.message}"
        else:
            if lacked:
                yield f"{host.uri} lacks {', '.join(lacked)} of {cpu.findtext('model')}"
