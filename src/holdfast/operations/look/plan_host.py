"""What a cold start on another host, or on this one as it is now, would change for the guests of this host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.errors import NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.documents import read
from holdfast.operations.host_outlook import HostOutlook, KnownGuest
from holdfast.operations.plan_reboot import Plan, instance_of, known_guest


def plan_host(connection: Connection, target: Connection | None = None, names: Sequence[str] = ()) -> Iterator[Plan]:
    """For each domain (``names``, or all of them) what a cold start on ``target`` would do to it, one at a time.

    ``target`` None is this host itself, as after an upgrade. Of each domain the config document is judged: what waits
    in it for the next start is :func:`plan_reboot`'s. Domains that vanish meanwhile are left out. Raises NotFound for
    a name that is not there, before anything is yielded.
    (virConnectListAllDomains, virDomainGetXMLDesc, virConnectGetCapabilities, virConnectGetDomainCapabilities,
    virConnectCompareHypervisorCPU)
    """
    domains = [connection.find_domain(name) for name in names] if names else connection.domains()
    here = HostOutlook(connection)
    there = here if target is None else HostOutlook(target)
    return _plans(domains, here, there)


def _plans(domains: Sequence[Domain], here: HostOutlook, there: HostOutlook) -> Iterator[Plan]:
    for domain in domains:
        try:
            yield _plan(domain, here, there)
        except NotFound:
            continue


def _plan(domain: Domain, here: HostOutlook, there: HostOutlook) -> Plan:
    documents = read(domain)
    state = domain.state()
    config, instance = documents.config, instance_of(documents)
    if config is None:
        sentence = "it is transient: there is no document to start it from, here or elsewhere"
        return Plan(domain.name, domain.uuid, state, instance, (Outlook(Effect.NOTE, "domain", sentence),))
    known = known_guest(documents.live, config)
    if known.cpu is None and there is not here:
        known = KnownGuest(here.expanded_cpu(config), known.firmware, known.loader)
    return Plan(domain.name, domain.uuid, state, instance, tuple(there.of(config, known, here)))
