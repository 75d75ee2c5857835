"""Another CPU for a domain at its next cold start, deliberately: left to the host again, or with other features."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, child
from holdfast.domainxml.host.capabilities import HOST_MODEL_UNKNOWN
from holdfast.domainxml.host.cpu_model import describe_cpu, open_cpu, set_cpu, set_cpu_feature
from holdfast.domainxml.host.cpu_outlook import cpu_mode, is_of_cpu, model_of
from holdfast.errors.changes import WOULD_NOT_START
from holdfast.errors.settings import NOTHING_SAID
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents, saved_memory_notes
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.proved_edit import Edit, Touch, apply_edit, ask_of_edit, plan_edit
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.waiting import waiting_since


@dataclass(frozen=True, kw_only=True)
class CpuChange(Result):
    """A change of the CPU; ``changes`` is what the guest sees of it. Where the host chooses the CPU: as it does today.

    ``was``, ``becomes``  the CPU in config, in a few words: "EPYC, 20 features on, 10 off", "host-model"
    ``changed``           False where config said so already
    ``at_next_start``     True where a guest runs: until its next cold start it runs as it was
    """

    was: str
    becomes: str
    changed: bool
    at_next_start: bool


def unseal_cpu(connection: Connection, name: str, *, dry_run: bool = False) -> CpuChange:
    """Let the host choose the CPU of the domain ``name`` at each start (host-model), where its document names one.

    Its topology, NUMA cells and address width stay; the features that the document names go with the model. Nothing
    is done where the CPU is not sealed. Raises TRANSIENT, IN_RESCUE, and WOULD_NOT_START where this host has no
    host-model. (virDomainDefineXMLFlags by the proved edit)
    """
    with _changing(connection, name, dry_run) as domain:
        return _change(domain, _let_open, dry_run)


def upgrade_cpu(connection: Connection, name: str, features: Mapping[str, bool], *, dry_run: bool = False) -> CpuChange:
    """Have these ``features`` in the CPU of the domain ``name``, or not: name → whether the guest has it.

    Nothing else of its CPU changes. Raises NOTHING_SAID, TRANSIENT, IN_RESCUE, and WOULD_NOT_START where this host
    lacks one of them or libvirt does not know it. (virDomainDefineXMLFlags by the proved edit)
    """
    if not features:
        raise NOTHING_SAID()
    with _changing(connection, name, dry_run) as domain:
        return _change(domain, partial(_set_features, features=features), dry_run)


def _changing(connection: Connection, name: str, dry_run: bool) -> AbstractContextManager[OpenDomain]:
    return changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG, dry_run=dry_run)


def _let_open(document: Element) -> None:
    cpu = document.find("cpu")
    if cpu is not None and model_of(cpu):
        set_cpu(document, open_cpu(cpu))


def _set_features(document: Element, features: Mapping[str, bool]) -> None:
    for name, is_on in features.items():
        set_cpu_feature(child(document, "cpu"), name, is_on=is_on)


def _change(domain: OpenDomain, touch: Touch, dry_run: bool) -> CpuChange:
    live, host = domain.documents.live, HostOutlook(domain.connection)
    edit = plan_edit(domain, touch, is_of_cpu)
    what = f"the CPU {describe_cpu(edit.after)}"
    if reasons := host.newly_blocks(edit.before, edit.after):
        raise WOULD_NOT_START(what=what, name=domain.name, reasons=reasons)
    result = _result(domain, edit, host, live, dry_run)
    if dry_run:
        return ask_of_edit(domain, edit).noted_in(result)
    if not edit.is_empty:
        apply_edit(domain, edit)
    return result


def _result(domain: OpenDomain, edit: Edit, host: HostOutlook, live: Element | None, dry_run: bool) -> CpuChange:
    documents = Documents(live, edit.before)
    notes = () if edit.is_empty else saved_memory_notes(domain, documents)
    before, after = (_as_started(document, host) for document in (edit.before, edit.after))
    if cpu_mode(after) == "host-model":
        notes = (*notes, HOST_MODEL_UNKNOWN)
    return CpuChange(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=tuple(visible(compare_documents(before, after))),
        waits=waiting_since(documents, Documents(live, edit.after)),
        notes=notes,
        was=describe_cpu(edit.before),
        becomes=describe_cpu(edit.after),
        changed=not edit.is_empty,
        at_next_start=live is not None and not edit.is_empty,
    )


def _as_started(document: Element, host: HostOutlook) -> Element:
    """``document`` with the CPU that a start here gives it today, where libvirt says which that is."""
    given = host.expanded_cpu(document)
    if given is None:
        return document
    started = copy.deepcopy(document)
    set_cpu(started, given)
    return started
