"""What a cold start on another host, or on this one as it is now, would change for the guests of this host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from holdfast.domainxml.document import parse
from holdfast.domainxml.host.outlook import Effect, Outlook, differs
from holdfast.domainxml.make.open_parts import Remedy, open_parts
from holdfast.domainxml.snapshots.stored import read_snapshot
from holdfast.errors import InvalidDocument, LibvirtRefused, NotFound
from holdfast.errors.hosts import PROBE_OF_ONE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.domain_list import with_saved_memory
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.disks.known_files import images_outlook
from holdfast.operations.documents import Documents, read
from holdfast.operations.host.by_version import save_outlook, snapshot_outlook, version_outlook
from holdfast.operations.host.outlook import HostOutlook, known_guest
from holdfast.operations.look.plan_reboot import Plan
from holdfast.operations.own_state import state_outlook
from holdfast.operations.probe.two_hosts import probe_outlook


def plan_host(
    connection: Connection, target: Connection | None = None, names: Sequence[str] = (), *, probe: bool = False
) -> Iterator[Plan]:
    """For each domain (``names``, or all of them) what a cold start on ``target`` would do to it, one at a time.

    ``target`` None is this host itself, as after an upgrade. Of each domain the config document is judged: what waits
    in it for the next start is :func:`plan_reboot`'s, so ``changes`` is empty. One that vanishes meanwhile has the
    state "gone", one whose document nobody can read "not known". With ``probe`` a QEMU is started on both hosts for
    each of ``names``, for a moment, and what they make of the document is compared (:mod:`holdfast.operations.probe`).

    Raises NO_DOMAIN for a name that is not there, and PROBE_OF_ONE, before anything is yielded; NO_MEMORY_TO_PROBE.
    (virConnectListAllDomains, virDomainGetXMLDesc, virConnectGetCapabilities, virConnectGetDomainCapabilities,
    virConnectCompareHypervisorCPU)
    """
    if probe and (target is None or not names):
        raise PROBE_OF_ONE()
    domains = [connection.find_domain(name) for name in names] if names else connection.domains()
    here = HostOutlook(connection)
    there = here if target is None else HostOutlook(target)
    plans = _plans(connection, domains, here, there)
    return plans if target is None or not probe else _probed(plans, connection, target)


def _probed(plans: Iterator[Plan], here: Connection, there: Connection) -> Iterator[Plan]:
    """The same, with what a QEMU on each of the two hosts makes of the documents."""
    for plan in plans:
        config = read(here.find_domain(plan.uuid)).config
        yield plan if config is None else replace(plan, outlooks=(*plan.outlooks, *probe_outlook(config, here, there)))


def _plans(connection: Connection, domains: Sequence[Domain], here: HostOutlook, there: HostOutlook) -> Iterator[Plan]:
    saved = with_saved_memory(connection)
    for domain in domains:
        try:
            plan = _plan(connection, domain, here, there)
            memory = _saved_memory(domain, here, there) if domain.uuid in saved else ()
            yield replace(plan, outlooks=(*plan.outlooks, *memory))
        except NotFound:
            sentence = f"the domain {domain.name!r} is gone: it was deleted since the domains were listed"
            yield _nothing(domain, "gone", Outlook(Effect.NOTE, "domain", sentence))
        except InvalidDocument as error:
            sentence = f"the domain {domain.name!r} could not be looked at: {error.message}"
            yield _nothing(domain, "not known", Outlook(Effect.UNKNOWN, "domain", sentence))


def _plan(connection: Connection, domain: Domain, here: HostOutlook, there: HostOutlook) -> Plan:
    documents, state = read(domain), domain.state()
    outlooks = list(_outlooks(documents, here, there))
    if there is here and documents.config is not None:
        beside = state_outlook(connection, documents.config, live=documents.live)
        headers = images_outlook(connection, domain, documents)
        outlooks += [each for each in (*beside, *headers) if differs([each])]
    return Plan(
        name=domain.name,
        uuid=domain.uuid,
        state=state,
        instance=documents.instance,
        outlooks=tuple(outlooks),
    )


def _saved_memory(domain: Domain, here: HostOutlook, there: HostOutlook) -> Iterator[Outlook]:
    """What of its saved memory the other host does not restore, or this one after an upgrade."""
    config = read(domain).config
    if config is not None and domain.has_managed_save():
        try:
            saved = parse(domain.managed_save_xml(), "domain")
        except LibvirtRefused as error:
            sentence = f"its managed-save image cannot be read: {error.message}"
            yield Outlook(Effect.UNKNOWN, "managed save", sentence)
        else:
            yield from save_outlook(saved, config, there, here)
    for snapshot in snapshots(domain):
        yield from snapshot_outlook(read_snapshot(snapshot.xml()), there, here)


def _nothing(domain: Domain, state: str, why: Outlook) -> Plan:
    return Plan(name=domain.name, uuid=domain.uuid, state=state, instance=None, outlooks=(why,))


def _outlooks(documents: Documents, here: HostOutlook, there: HostOutlook) -> Iterator[Outlook]:
    config = documents.config
    if config is None:
        sentence = "it is transient: there is no document to start it from, here or elsewhere"
        yield Outlook(Effect.NOTE, "domain", sentence)
        return
    known = known_guest(documents.live, config)
    if known.cpu is None and there is not here:
        known = replace(known, cpu=here.expanded_cpu(config))
    yield from there.of(config, known, here)
    yield from version_outlook(config, known.versions, there, here)
    # Of the CPU the host has been asked already.
    open_ends = (part for part in open_parts(config) if part.remedy is Remedy.NONE and part.kind != "cpu")
    yield from (Outlook(Effect.NOTE, part.kind, part.sentence) for part in open_ends)
