"""Giving a domain another version of its machine type, since QEMU drops each version six years after it came.

Only the version changes. Every address is in the config document and stays. A version also stands for details that only
QEMU knows, and no document states.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.document import Element, child
from holdfast.domainxml.host.machine_type import crossing_notes, family, is_newer, machine_outlook, newest
from holdfast.domainxml.host.outlook import Outlook
from holdfast.domainxml.platform import Platform
from holdfast.errors import changes as errors
from holdfast.errors.hosts import NO_MACHINE_TYPE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents, saved_memory_notes
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.proved_edit import Edit, apply_edit, ask_of_edit, plan_edit
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.waiting import waiting_since


@dataclass(frozen=True, kw_only=True)
class MachineUpgrade(Result):
    """A change of the machine type. ``changes`` is empty where the domain is of that version already.

    ``before``, ``after``  the versioned machine types
    ``outlooks``           what else is known about the new version, and about the step between the two
    """

    before: str
    after: str
    outlooks: tuple[Outlook, ...] = ()


def upgrade_machine(
    connection: Connection, name: str, machine: str, *, lower: bool = False, dry_run: bool = False
) -> MachineUpgrade:
    """Give the domain ``name`` the machine type ``machine``, a later version of the one it has, in config.

    An alias ("q35") means the version that it stands for today. ``lower`` also allows a version that is earlier, or
    whose name does not say whether it is: to go back. A running guest keeps what it has until its next cold start.

    Raises TRANSIENT, IN_RESCUE, OTHER_KIND_OF_MACHINE, NO_MACHINE_TYPE, EARLIER_MACHINE and PERHAPS_EARLIER_MACHINE
    without ``lower``, and WOULD_NOT_START; then nothing was changed.
    (virConnectGetCapabilities, virDomainDefineXMLFlags by the proved edit)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG, dry_run=dry_run) as domain:
        host = HostOutlook(connection)
        edit = _plan(domain, host, machine, lower)
        result = _result(domain, host, edit, dry_run)
        if dry_run:
            return ask_of_edit(domain, edit).noted_in(result)
        if not edit.is_empty:
            apply_edit(domain, edit)
    return result


def _plan(domain: OpenDomain, host: HostOutlook, machine: str, lower: bool) -> Edit:
    def touch(document: Element) -> None:
        chosen = _choose(host, Platform.of(document), machine, lower)
        child(child(document, "os"), "type").set("machine", chosen)

    edit = plan_edit(domain, touch, lambda change: change.where == "os/type@machine")
    if reasons := host.newly_blocks(edit.before, edit.after):
        chosen = Platform.of(edit.after).machine
        raise errors.WOULD_NOT_START(what=chosen, name=domain.name, reasons=reasons)
    return edit


def _choose(host: HostOutlook, platform: Platform, asked: str, lower: bool) -> str:
    """The versioned name of the machine type ``asked``, if the domain may have it."""
    now, machines = platform.machine, host.machines(platform.arch, platform.virt_type)
    found = machines.get(asked)
    name = asked if found is None else found.canonical or found.name
    if found is None:
        raise NO_MACHINE_TYPE(machine=asked, possible=newest(now, machines) or "none other")
    if family(name) != family(now):
        raise errors.OTHER_KIND_OF_MACHINE(machine=name, now=now, kind=family(now))
    if name != now and not lower and is_newer(name, now) is not True:
        condition = errors.EARLIER_MACHINE if is_newer(now, name) else errors.PERHAPS_EARLIER_MACHINE
        raise condition(machine=name, now=now)
    return name


def _result(domain: OpenDomain, host: HostOutlook, edit: Edit, dry_run: bool) -> MachineUpgrade:
    documents = domain.documents
    platform = Platform.of(edit.after)
    before, after = Platform.of(edit.before).machine, platform.machine
    machines = host.machines(platform.arch, platform.virt_type)
    crossing = () if edit.is_empty else crossing_notes(before, after)
    return MachineUpgrade(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=tuple(visible(edit.changes)),
        waits=waiting_since(Documents(documents.live, edit.before), Documents(documents.live, edit.after)),
        notes=() if edit.is_empty else saved_memory_notes(domain, documents),
        before=before,
        after=after,
        outlooks=(*machine_outlook(after, machines, machines), *crossing),
    )
