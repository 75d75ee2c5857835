"""How many vCPUs a domain has, how many it can have, and the topology they form."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements import vcpu
from holdfast.errors import settings as errors
from holdfast.errors.changes import WOULD_NOT_START
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.session import OpenDomain
from holdfast.operations.settings.apply import NEXT_START, SettingStep
from holdfast.operations.settings.values import DomainSettings
from holdfast.text import plural


def vcpu_steps(domain: OpenDomain, settings: DomainSettings) -> Iterator[SettingStep]:
    """The steps for ``cpu_topology``, ``max_vcpus`` and ``vcpus``, in the order in which they can be done."""
    if settings.cpu_topology is not None:
        yield _topology(settings.cpu_topology, settings.max_vcpus)
    if settings.max_vcpus is not None:
        yield _most(domain, settings.max_vcpus, with_topology=settings.cpu_topology is not None)
    if settings.vcpus is not None:
        yield _online(domain, settings.vcpus)


def _topology(topology: vcpu.Topology, most: int | None) -> SettingStep:
    def write(document: Element) -> None:
        vcpu.set_topology(document, topology)
        made, there = vcpu.topology_vcpus(document), most or vcpu.max_vcpus(document)
        if made != there:
            raise errors.TOPOLOGY_DOES_NOT_FIT(topology=topology, made=made, asked=there)

    return SettingStep("cpu-topology", str(topology), vcpu.topology, write, sees=("cpu/topology",))


def _most(domain: OpenDomain, count: int, with_topology: bool) -> SettingStep:
    host = HostOutlook(domain.connection)

    def write(document: Element) -> None:
        before = copy.deepcopy(document)
        if document.find("cpu/numa/cell") is not None:
            raise errors.VCPUS_IN_CELLS(name=domain.name)
        made = vcpu.topology_vcpus(document)
        if made not in (None, count):
            raise errors.OTHER_TOPOLOGY(topology=vcpu.topology(document), made=made, asked=count)
        vcpu.set_max_vcpus(document, count)
        if reasons := host.newly_blocks(before, document):
            raise WOULD_NOT_START(what=f"{count} {plural(count, 'vCPU')}", name=domain.name, reasons=reasons)

    def call(_: object, document: Element) -> None:
        domain.set_max_vcpus(vcpu.max_vcpus(document))

    # libvirt's call refuses a number that the topology does not make, and has none for the topology (9.0).
    libvirts = None if with_topology else call
    return SettingStep("max-vcpus", count, vcpu.max_vcpus, write, libvirts, sees=("vcpu",), early=True)


def _online(domain: OpenDomain, count: int) -> SettingStep:
    def write(document: Element) -> None:
        if count > vcpu.max_vcpus(document):
            raise errors.BEYOND_MAX_VCPUS(name=domain.name, most=vcpu.max_vcpus(document), asked=count)
        vcpu.set_online(document, count)

    def call(definition: Definition, document: Element) -> None:
        domain.set_vcpus(vcpu.online_vcpus(document), definition)

    def later(live: Element) -> str | None:
        if count > vcpu.max_vcpus(live):
            return f"the running guest can have {vcpu.max_vcpus(live)} at most; {NEXT_START}"
        if count < vcpu.least_online(live):
            return f"the running guest keeps the {vcpu.least_online(live)} that it was started with"
        return None

    return SettingStep("vcpus", count, vcpu.online_vcpus, write, call, later, sees=("vcpu",), early=True)
