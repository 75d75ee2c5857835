"""What is found about one domain: its documents by themselves, against each other, and against its snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.device import short_name
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import Adopted, RunAgain, SeenState
from holdfast.domainxml.host.outlook import Effect
from holdfast.domainxml.host.state_files import StateFile, kept_nvram
from holdfast.domainxml.manager.nova_metadata import URI as NOVAS_URI
from holdfast.domainxml.manager.nova_metadata import NovaInstance, nova_instance
from holdfast.domainxml.metadata import URI as OUR_URI
from holdfast.domainxml.metadata import fact
from holdfast.domainxml.records.disk_record import disagreements, records_apart, unfinished
from holdfast.domainxml.records.garbled import garbled_facts
from holdfast.domainxml.snapshots.stored import read_snapshot
from holdfast.hostfiles.images.image import is_complete
from holdfast.libvirtapi.domain import PAUSED, Definition, Domain
from holdfast.libvirtapi.domain_list import Listed
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.audit.firmware import FirmwareLook
from holdfast.operations.audit.judge import Judge, Judgement
from holdfast.operations.audit.report import Finding, FindingKind
from holdfast.operations.disks.known_files import images_outlook
from holdfast.operations.documents import Documents, read
from holdfast.operations.host.provides import HostProvides
from holdfast.operations.own_state import state_outlook
from holdfast.operations.power_record import unfinished_start, was_switched_off
from holdfast.operations.snapshots.revert_changes import changes_of_revert
from holdfast.operations.waiting import (
    disks_being_copied,
    is_asked_for,
    unreleased,
    waiting,
    waiting_host_changes,
    waiting_password_changes,
)

_CHANGES = 2
"""How many of the changes that a revert would bring are listed."""

_RECORDED = (OUR_URI, NOVAS_URI)
"""A document in which neither namespace is named has nothing recorded, neither by Holdfast nor by Nova."""


class Judged(NamedTuple):
    """The verdict on a domain's document, the findings about the domain itself, and the instance of Nova that it is.

    ``document`` gives what the guest has or will have: most domains are judged without parsing theirs. ``kept`` is the
    NVRAM of before an upgrade.
    """

    verdict: Judgement
    findings: list[Finding]
    instance: NovaInstance | None
    document: Callable[[], Element]
    kept: tuple[StateFile, ...] = ()


def judge_domain(
    judge: Judge, provided: HostProvides, firmware: FirmwareLook, listed: Listed, domain: Domain
) -> Judged:
    """What is found about one domain, which may be of another connection than ``listed.domain``.

    Raises NotFound when the domain has vanished, InvalidDocument. (virDomainGetXMLDesc)
    """
    if not listed.active and not listed.snapshots:
        text = domain.xml(Definition.CONFIG)
        verdict = judge.judge_text(text)
        if not any(namespace in text for namespace in _RECORDED):
            unrecorded = Documents(None, parse(text)) if _may_lack_images(verdict) else None
            findings = [
                *_missing_provisions(provided, verdict, None),
                *firmware.findings(verdict),
                *(() if unrecorded is None else _headers(judge, domain, unrecorded)),
            ]
            return Judged(verdict, findings, None, lambda: parse(text))
        alone = parse(text)
        instance = nova_instance(alone)
        findings = [
            *_missing_provisions(provided, verdict, instance),
            *firmware.findings(verdict),
            *_headers(judge, domain, Documents(None, alone)),
            *_records(alone, None),
            *_run_record(domain, Documents(None, alone)),
            *_lost(judge, alone),
        ]
        return Judged(verdict, findings, instance, lambda: alone, tuple(kept_nvram(alone)))
    documents = read(domain)
    config = documents.config if documents.config is not None else documents.live
    assert config is not None  # read() raises NotFound when there is neither
    verdict = judge.judge(config, documents.live)
    instance = nova_instance(config)
    findings = [
        *(() if documents.config is None else _missing_provisions(provided, verdict, instance)),
        *firmware.findings(verdict),
        *_headers(judge, domain, documents),
        *_lost(judge, config),
        *_drift(domain, documents),
        *_records(config, documents.live),
        *_run_record(domain, documents),
        *_snapshots(listed, documents),
    ]
    if documents.config is None:
        findings.append(Finding(FindingKind.TRANSIENT, "the domain is transient: nothing of it is left once it stops"))
    current = config if documents.live is None else documents.live
    return Judged(verdict, findings, instance, lambda: current, tuple(kept_nvram(config)))


def _missing_provisions(provided: HostProvides, verdict: Judgement, instance: NovaInstance | None) -> Iterator[Finding]:
    """What of the host a start needs and does not find."""
    for provision in verdict.provisions:
        outlook = provided.outlook_for(provision, made_at_start=instance is not None)
        if outlook is not None and outlook.stops:
            yield Finding(FindingKind.WOULD_NOT_START, outlook.sentence)


def _may_lack_images(verdict: Judgement) -> bool:
    """True unless all images are there, as far as looking at their files tells."""
    return not all(is_complete(use.path, use.format) for use in verdict.images if use.path is not None)


def _headers(judge: Judge, domain: Domain, documents: Documents) -> Iterator[Finding]:
    """Images that are missing, and headers of images for which a start would be refused."""
    for outlook in images_outlook(judge.connection, domain, documents):
        if outlook.stops:
            yield Finding(FindingKind.WOULD_NOT_START, outlook.sentence)
        else:
            judge.notes.add("whether all images are there, and which files they name, cannot be seen from here")


def _drift(domain: Domain, documents: Documents) -> Iterator[Finding]:
    for name in sorted(map(short_name, unreleased(documents))):
        yield Finding(FindingKind.RELEASING, f"{name} is detached, and the guest has not released it")
    asked_for = is_asked_for(documents)
    for change in waiting(documents):
        if not asked_for(change):
            yield Finding(FindingKind.DRIFT, f"at the next start {change}")
    for change in (*waiting_host_changes(documents), *waiting_password_changes(domain, documents)):
        yield Finding(FindingKind.APART, f"at the next start {change.words}")
    yield from (Finding(FindingKind.UNFINISHED, sentence) for sentence in disks_being_copied(documents))


def _lost(judge: Judge, config: Element) -> Iterator[Finding]:
    """What the domain had beside it at its last recorded start, and has not any more, or another one of."""
    for outlook in state_outlook(judge.connection, config) if fact(config, SeenState) is not None else ():
        if outlook.part == "firmware":  # which is reported for every domain
            continue
        if outlook.effect in (Effect.BLOCKS, Effect.CHANGES):
            yield Finding(FindingKind.LOST_STATE, str(outlook))
        elif outlook.effect is Effect.UNKNOWN:
            judge.notes.add("whether the NVRAM and TPM state of all domains is there cannot be seen from here")


def _records(config: Element, live: Element | None) -> Iterator[Finding]:
    if live is not None and fact(live, Adopted) is not None and fact(config, Adopted) is None:
        yield Finding(FindingKind.RECORD, "it is adopted in live alone, which ends when it stops: adopt or release it")
    yield from (Finding(FindingKind.UNFINISHED, sentence) for sentence in unfinished(config))
    garbled = dict.fromkeys((*garbled_facts(config), *(() if live is None else garbled_facts(live))))
    halves = () if live is None or live is config else records_apart(live, config)
    yield from (Finding(FindingKind.RECORD, sentence) for sentence in (*disagreements(config), *halves, *garbled))


def _run_record(domain: Domain, documents: Documents) -> Iterator[Finding]:
    """Where the record of whether it runs again after the host has booted disagrees with how the domain stands."""
    live, config = documents.live, documents.config
    if config is None:
        return
    runs_again = fact(config, RunAgain) is not None
    if live is not None and not runs_again and fact(live, RunAgain) is not None:
        remedy = "a start records it" if documents.rescue is None else "destroy it, or unrescue and start it"
        sentence = f"that it runs again after the host has booted is recorded in live alone: {remedy}"
        yield Finding(FindingKind.RECORD, sentence)
    if documents.rescue is not None and domain.state() == PAUSED:
        sentence = "its rescue is paused, perhaps because it was cut off before it ran: resume it, or unrescue it"
        yield Finding(FindingKind.UNFINISHED, sentence)
    if live is not None and runs_again and (lacking := unfinished_start(documents)):
        yield Finding(FindingKind.RECORD, f"it {lacking}: a start records it")
    if live is None and runs_again and not was_switched_off(domain, config):
        remedy = "start it, unless another host has it by now, or destroy it to record that it stays off"
        yield Finding(FindingKind.NOT_RUNNING, f"it is recorded to run, but is off: {remedy}")
    elif live is None and runs_again:
        end = "was switched off" if domain.was_destroyed() else "has shut down"
        sentence = f"it {end}, and is recorded to run again after the host has booted: a destroy mends that"
        yield Finding(FindingKind.RECORD, sentence)


def _snapshots(listed: Listed, documents: Documents) -> Iterator[Finding]:
    for snapshot in snapshots(listed.domain) if listed.snapshots else ():
        changes = changes_of_revert(documents, read_snapshot(snapshot.xml()))
        if changes:
            yield Finding(
                FindingKind.SNAPSHOT,
                f"reverting to the snapshot {snapshot.name} would change the hardware: {_few(changes)}",
            )


def _few(changes: list[Change]) -> str:
    more = f" (and {len(changes) - _CHANGES} more)" if len(changes) > _CHANGES else ""
    return "; ".join(map(str, changes[:_CHANGES])) + more
