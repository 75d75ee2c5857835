"""The proved edit: one setting of a config document that libvirt has no call for.

Parse, touch that one thing, prove that the rest is equal, define, read back, prove again. libvirt itself proves
nothing: it accepts a define with other hardware silently, even while the domain runs (9.0). What it would make of an
edit is asked first where nothing else is to be done (:func:`ask_of_edit`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse, same, serialize
from holdfast.errors.guard import CHANGED_MEANWHILE, LIBVIRT_ADDS
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import Answer, ask_libvirt
from holdfast.operations.guard import Asked, nothing_asked, refuse_unasked
from holdfast.operations.session import Need, OpenDomain

Touch = Callable[[Element], None]
"""Changes a parsed domain document in place."""


@dataclass(frozen=True)
class Edit:
    """An edit of one config document, worked out and not yet done: what it makes of it, and what the guest sees.

    ``left_open`` are devices, as changes name them, whose place and defaults libvirt is to choose anew, with as many
    buses as it takes. ``expected`` is what libvirt is to make of ``after``, where it was asked; else ``after`` itself.
    """

    before: Element
    after: Element
    changes: tuple[Change, ...]
    left_open: frozenset[str] = frozenset()
    expected: Element | None = None

    @property
    def is_empty(self) -> bool:
        """True when the document says all of it already."""
        return same(self.before, self.after)


def plan_edit(domain: OpenDomain, touch: Touch, asked: Asked = nothing_asked) -> Edit:
    """Work out what ``touch`` makes of the config document of ``domain``; nothing is changed.

    Raises UNASKED, listing them, when the guest would see changes that were not ``asked`` for, and TRANSIENT and
    IN_RESCUE. Passwords are in the documents of the result: it is not for keeping.
    """
    domain.refuse_unless(Need.OWN_HARDWARE | Need.CONFIG)
    before = parse(domain.xml(Definition.CONFIG, secure=True))
    after = copy.deepcopy(before)
    touch(after)
    changes = tuple(compare_documents(before, after))
    refuse_unasked(domain.name, changes, asked)
    return Edit(before, after, changes)


def ask_of_edit(domain: OpenDomain, edit: Edit) -> Answer:
    """What libvirt would make of ``edit``, for a dry run. Raises LibvirtRefused and LIBVIRT_ADDS, as the edit would."""
    answer = Answer() if edit.is_empty else ask_libvirt(domain.connection, edit.after)
    if answer.document is not None and (surplus := _surplus(edit, answer.document)):
        raise LIBVIRT_ADDS(changes=surplus)
    return answer


def apply_edit(domain: OpenDomain, edit: Edit) -> None:
    """Define the edited document, and prove that libvirt made nothing else of it (virDomainDefineXMLFlags).

    The caller holds the domain's lock. Raises CHANGED_MEANWHILE when somebody changed the document since the edit was
    planned; between that look and the define there are a few milliseconds in which nobody can be seen. Raises Failed
    when libvirt refuses the document, and LIBVIRT_ADDS when it fills in something that the guest would see: then the
    old document is back.
    """
    if not same(parse(domain.xml(Definition.CONFIG, secure=True)), edit.before):
        raise CHANGED_MEANWHILE(name=domain.name)
    domain.conceal(edit.after)
    try:
        domain.connection.define(serialize(edit.after))
    finally:
        domain.changed(Definition.CONFIG)
    defined = parse(domain.xml(Definition.CONFIG, secure=True))
    if surplus := _surplus(edit, defined):
        domain.connection.define(serialize(edit.before))
        domain.changed(Definition.CONFIG)
        raise LIBVIRT_ADDS(changes=surplus)


def _surplus(edit: Edit, made: Element) -> list[Change]:
    """What the guest would see of ``made``, libvirt's document of ``edit``, that the edit does not say."""
    expected = edit.after if edit.expected is None else edit.expected
    return [change for change in visible(compare_documents(expected, made)) if not _completes(change, edit)]


def _completes(change: Change, edit: Edit) -> bool:
    """True when libvirt filled in what the edit leaves to it: place and defaults of a device, and where asked its bus.

    The first of the root ports in one slot tells that there are more.
    """
    if edit.left_open and change.where in ("devices/controller", "devices/controller/address@multifunction"):
        return change.kind in (ChangeKind.ADDED, ChangeKind.CHANGED)
    return change.what in {each.what for each in edit.changes if each.kind is ChangeKind.ADDED} | edit.left_open
