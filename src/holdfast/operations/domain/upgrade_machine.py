"""Another version of the same machine type for one domain: the one change of its hardware that QEMU's age forces.

Only the version changes. Every address is in the config document and stays; what the versions differ in beyond their
name is QEMU's, and in no document.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.document import Element, child
from holdfast.domainxml.host.machine_type import crossing_notes, family, is_newer, machine_outlook, of_family
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.platform import Platform
from holdfast.errors import NotFound, Refused, UsageError
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host_outlook import HostOutlook
from holdfast.operations.proved_edit import Edit, apply_edit, plan_edit
from holdfast.operations.session import OpenDomain, changing

_SHOWN = 8
"""So many of the newest versions are named in a hint."""


@dataclass(frozen=True)
class MachineUpgrade:
    """A change of the machine type, done or (``dry_run``) planned.

    ``changes`` is what the guest sees of it in the document, empty when it is of that version already; ``notes`` are
    what else is worth knowing. ``waits``: the guest runs, and has the old version until its next cold start.
    """

    name: str
    uuid: str
    before: str
    after: str
    changes: tuple[Change, ...]
    notes: tuple[Outlook, ...]
    waits: bool
    dry_run: bool


def upgrade_machine(
    connection: Connection, name: str, machine: str, *, lower: bool = False, dry_run: bool = False
) -> MachineUpgrade:
    """Give the domain ``name`` the machine type ``machine``, a later version of the one it has, in config.

    An alias ("q35") means the version that it stands for today. ``lower`` allows an earlier version too, or one whose
    name does not tell: the way back. A running guest keeps what it has until its next cold start.

    Raises NotFound (4) without such a domain or machine type, UsageError (2) for another family, Refused (3) for an
    earlier version without ``lower`` or where the domain would not start any more; then nothing was changed.
    (virConnectGetCapabilities, virDomainDefineXMLFlags by the proved edit)
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        edit, notes = _plan(connection, domain, machine, lower)
        before, after = Platform.of(edit.before).machine, Platform.of(edit.after).machine
        waits = domain.is_active() and not edit.is_empty
        if not dry_run and not edit.is_empty:
            apply_edit(domain, edit)
    return MachineUpgrade(
        domain.name, domain.uuid, before, after, tuple(visible(edit.changes)), tuple(notes), waits, dry_run
    )


def _plan(connection: Connection, domain: OpenDomain, machine: str, lower: bool) -> tuple[Edit, list[Outlook]]:
    host = HostOutlook(connection)
    chosen = ""

    def touch(document: Element) -> None:
        nonlocal chosen
        chosen = _choose(connection, host, Platform.of(document), machine, lower)
        child(child(document, "os"), "type").set("machine", chosen)

    edit = plan_edit(domain, touch, lambda change: change.where == "os/type@machine")
    platform = Platform.of(edit.after)
    machines = host.machines(platform.arch, platform.virt_type)
    notes = machine_outlook(chosen, machines, machines)
    if edit.is_empty:
        return edit, notes
    lacking = host.newly_blocks(edit.before, edit.after)
    if lacking:
        raise Refused(
            f"with {chosen} the domain {domain.name!r} would not start here any more: {'; '.join(lacking)}",
            "choose another version",
        )
    if domain.has_managed_save():
        sentence = "the managed-save image still has the old version, and the next start continues from it"
        notes.append(Outlook(Effect.NOTE, "managed save", sentence))
    return edit, [*notes, *crossing_notes(Platform.of(edit.before).machine, chosen)]


def _choose(connection: Connection, host: HostOutlook, platform: Platform, wanted: str, lower: bool) -> str:
    """The versioned name of ``wanted``, when the domain may have it."""
    machine, machines = platform.machine, host.machines(platform.arch, platform.virt_type)
    found = machines.get(wanted)
    name = wanted if found is None else found.canonical or found.name
    if family(name) != family(machine):
        raise UsageError(
            f"{name} is another kind of machine than {machine}: its guest would find other hardware altogether",
            _newest(machine, machines),
        )
    if found is None:
        raise NotFound(f"{connection.uri} has no machine type {wanted}", _newest(machine, machines))
    if name != machine and not lower and is_newer(name, machine) is not True:
        relation = "is an earlier version than" if is_newer(machine, name) else "may be an earlier version than"
        raise Refused(f"{name} {relation} {machine}, which the guest has", "--lower allows it: it is the way back")
    return name


def _newest(machine: str, machines: Iterable[str]) -> str:
    versions = of_family(machine, machines)[:_SHOWN]
    return f"possible: {', '.join(versions)}" if versions else f"there are no other versions of {machine}"
