"""Following a manager: the config document of a domain takes over what a document that the manager generated says.

The manager's document itself is never defined. Its host side is taken over; devices that the manager has added are
added, those that it has removed are removed; disks get the names that it gives them. Where it also hands in the
document that it generated for the domain as it was until now, exactly the difference of the two is applied. Nothing
else that the guest sees changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.boot import booted_by_kind
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.iotune import order_limits
from holdfast.domainxml.manager.apply_difference import Difference, apply_difference
from holdfast.domainxml.manager.follow_devices import DeviceChanges, follow_devices
from holdfast.domainxml.manager.take_host_side import take_host_side
from holdfast.errors.manager import ANOTHER_BOOT_DISK, ANOTHER_DOMAINS_DOCUMENT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.proved_edit import Edit, apply_edit, ask_of_edit, plan_edit
from holdfast.operations.results import Result
from holdfast.operations.session import OpenDomain, changing

IsOwn = Callable[[Element], bool]
"""True for a device of the domain that the manager may remove."""


@dataclass(frozen=True, kw_only=True)
class Followed(Result):
    """What following changed in the config document; all ``changes`` were asked for, and come with the next start.

    ``host``      what changed of the host side, in sentences without secrets
    ``attached``  devices that the manager has added: "disk vdb"
    ``detached``  devices that it has taken away
    """

    host: tuple[str, ...]
    attached: tuple[str, ...]
    detached: tuple[str, ...]


def follow_document(
    connection: Connection, name: str, generated: str, *, is_own: IsOwn, old: str | None = None, dry_run: bool = False
) -> Followed:
    """Let the config document of the domain ``name`` follow the whole document that its manager ``generated``.

    ``is_own`` tells which of the domain's devices the manager may remove: all others stay. ``old`` is what the manager
    generates for the domain as it was until now, with its old flavor or the old properties of its image: the difference
    is what was asked for. A running guest has it after its next start.

    Raises NO_DOMAIN, TRANSIENT, IN_RESCUE, ANOTHER_DOMAINS_DOCUMENT, UNASKED where the guest would see more than that,
    ANOTHER_BOOT_DISK; OtherMachine where the difference is another kind of machine; LIBVIRT_ADDS and
    LibvirtRefused where libvirt does not take it. Nothing was changed then.
    (virDomainDefineXMLFlags by the proved edit)
    """
    template = _parsed(generated)
    before = None if old is None else _parsed(old)
    with changing(connection, name, dry_run=dry_run) as domain:
        for document in (template, before):
            _refuse_another(domain, document)
        following = _Following(template, before, is_own)
        edit = following.left_open(plan_edit(domain, following.apply, following.asked))
        if dry_run:
            return ask_of_edit(domain, edit).noted_in(following.result(domain, edit, dry_run))
        if not edit.is_empty:
            apply_edit(domain, edit)
    return following.result(domain, edit, dry_run)


def _parsed(text: str) -> Element:
    document = parse(text, "domain")
    order_limits(document)
    return document


def _refuse_another(domain: OpenDomain, document: Element | None) -> None:
    uuid = domain.uuid if document is None else (document.findtext("uuid") or "").strip().lower()
    if uuid != domain.uuid:
        raise ANOTHER_DOMAINS_DOCUMENT(name=domain.name, uuid=uuid or "not given")


def _kind(disk: Element) -> tuple[str | None, ...]:
    return disk.get("device"), value_at(disk, "target@bus")


def _refuse_another_boot(booted: Element, found: Element) -> None:
    """Refuse names for the disks with which the guest would boot from ``found``, and not from a disk that stays."""
    if found is not booted and booted.getparent() is not None and booted.get("device") != "cdrom":
        raise ANOTHER_BOOT_DISK(found=source_of(found), booted=source_of(booted))


class _Following:
    """One edit: what is made of a document, and which changes of it were asked for."""

    def __init__(self, template: Element, old: Element | None, is_own: IsOwn) -> None:
        self._template = template
        self._old = old
        self._is_own = is_own
        self._difference: Difference | None = None
        self._members = DeviceChanges()

    def apply(self, domain: Element) -> None:
        booted, disks = booted_by_kind(domain), {disk: _kind(disk) for disk in domain.iterfind("devices/disk")}
        if self._old is not None:
            self._difference = apply_difference(domain, self._old, self._template)
            self._members = self._difference.devices
        self._members = follow_devices(domain, self._template, self._is_own, self._members)
        take_host_side(domain, self._template)
        found = booted_by_kind(domain)
        if booted is not None and found is not None and disks.get(found) in (None, _kind(found)):
            _refuse_another_boot(booted, found)

    def asked(self, change: Change) -> bool:
        by_difference = self._difference is not None and self._difference.explains(change)
        return by_difference or self._members.explains(change)

    def left_open(self, edit: Edit) -> Edit:
        return replace(edit, left_open=frozenset((*self._members.left_open, *self._members.attached)))

    def result(self, domain: OpenDomain, edit: Edit, dry_run: bool) -> Followed:
        members = self._members
        names = (
            f"{old} is called {new.partition(chr(32))[2]} now"
            for old, new in members.renamed.items()
            if new not in members.attached
        )
        return Followed(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            changes=tuple(change for change in visible(edit.changes) if not members.is_rename(change)),
            host=(*host_changes(edit.before, edit.after), *names),
            attached=tuple(members.attached),
            detached=tuple(members.detached),
        )
