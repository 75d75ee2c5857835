"""How many vCPUs a domain has, how many it can have, and the topology they form."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements import vcpu
from holdfast.errors import Refused
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host_outlook import HostOutlook
from holdfast.operations.session import OpenDomain
from holdfast.operations.settings.apply import NEXT_START, SettingStep
from holdfast.operations.settings.values import DomainSettings


def vcpu_steps(connection: Connection, domain: OpenDomain, settings: DomainSettings) -> Iterator[SettingStep]:
    """The steps for ``cpu_topology``, ``max_vcpus`` and ``vcpus``, in the order in which they can be done."""
    if settings.cpu_topology is not None:
        yield _topology(settings.cpu_topology, settings.max_vcpus)
    if settings.max_vcpus is not None:
        yield _most(connection, domain, settings.max_vcpus, with_topology=settings.cpu_topology is not None)
    if settings.vcpus is not None:
        yield _online(domain, settings.vcpus)


def _topology(wanted: vcpu.Topology, most: int | None) -> SettingStep:
    def write(document: Element) -> None:
        vcpu.set_topology(document, wanted)
        made, there = vcpu.topology_vcpus(document), most or vcpu.max_vcpus(document)
        if made != there:
            raise Refused(
                f"the topology {wanted} makes {made} vCPUs, and there are to be {there}", f"--max-vcpus {made} fits it"
            )

    return SettingStep("cpu-topology", str(wanted), vcpu.topology, write, sees=("cpu/topology",))


def _most(connection: Connection, domain: OpenDomain, wanted: int, with_topology: bool) -> SettingStep:
    def write(document: Element) -> None:
        before = copy.deepcopy(document)
        if document.find("cpu/numa/cell") is not None:
            raise Refused(
                f"the vCPUs of {domain.name!r} are divided among NUMA cells",
                f"change <vcpu> and the cells in one go: 'holdfast edit {domain.name}'",
            )
        made = vcpu.topology_vcpus(document)
        if made not in (None, wanted):
            raise Refused(
                f"the guest's topology {vcpu.topology(document)} makes {made} vCPUs, not {wanted}",
                f"say what it is to be, such as --cpu-topology cores={wanted}",
            )
        vcpu.set_max_vcpus(document, wanted)
        if lacking := HostOutlook(connection).newly_blocks(before, document):
            raise Refused(f"{domain.name!r} would not start here any more: {'; '.join(lacking)}", "choose fewer vCPUs")

    def call(_: object, document: Element) -> None:
        domain.set_max_vcpus(vcpu.max_vcpus(document))

    # libvirt's call refuses a number that the topology does not make, and has none for the topology (9.0).
    return SettingStep("max-vcpus", wanted, vcpu.max_vcpus, write, None if with_topology else call, sees=("vcpu",))


def _online(domain: OpenDomain, wanted: int) -> SettingStep:
    def write(document: Element) -> None:
        if wanted > vcpu.max_vcpus(document):
            raise Refused(
                f"{domain.name!r} can have at most {vcpu.max_vcpus(document)} vCPUs, not {wanted}",
                f"add --max-vcpus {wanted}; the guest has them after its next start",
            )
        vcpu.set_online(document, wanted)

    def waits(live: Element) -> str | None:
        if wanted > vcpu.max_vcpus(live):
            return f"the running guest can have {vcpu.max_vcpus(live)} at most; {NEXT_START}"
        if wanted < vcpu.least_online(live):
            return f"the running guest keeps the {vcpu.least_online(live)} that it was started with"
        return None

    return SettingStep(
        "vcpus",
        wanted,
        vcpu.online_vcpus,
        write,
        lambda definition, document: domain.set_vcpus(vcpu.online_vcpus(document), definition),
        waits,
        sees=("vcpu",),
    )
