"""A CPU that the host cannot give any more: the domain gets the one that its manager asks for now."""

from __future__ import annotations

import copy
from functools import partial

from holdfast.domainxml.document import Element, element, parse
from holdfast.domainxml.host.cpu_model import other_model, seal_cpu, set_cpu
from holdfast.domainxml.host.cpu_outlook import is_of_cpu
from holdfast.domainxml.platform import Platform
from holdfast.errors.hosts import CPU_NOT_GIVEN
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.cpus import HostCpus
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.session import Need, changing


def follow_cpu(connection: Connection, name: str, generated: str) -> tuple[str, ...]:
    """Where the host cannot give the domain ``name`` its CPU, let it have that of the document ``generated``, sealed.

    Its topology, NUMA cells and address width stay. Returns in sentences why, and what the guest sees of it at its next
    start; nothing where the host can give the CPU, or nobody can tell. Raises CPU_NOT_GIVEN where it cannot give the
    other one either. (virDomainDefineXMLFlags by the proved edit; virConnectCompareHypervisorCPU)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG) as domain:
        config, host = domain.documents.config, HostCpus(connection)
        assert config is not None  # an operation that needs it refuses a domain without
        lack = host.lack_of(config)
        if lack is None:
            return ()
        sealed = element("domain", None, copy.deepcopy(_cpu(parse(generated, "domain"))))
        seal_cpu(sealed, host_capabilities(connection, Platform.of(config)))
        cpu = other_model(_cpu(config), _cpu(sealed))
        edit = plan_edit(domain, partial(set_cpu, cpu=cpu), is_of_cpu)
        if (still := host.lack_of(edit.after)) is not None:
            raise CPU_NOT_GIVEN(name=domain.name, lacks=still)
        apply_edit(domain, edit)
        return (f"the host {lack}", *map(str, edit.changes))


def _cpu(document: Element) -> Element:
    found = document.find("cpu")
    return element("cpu") if found is None else found
