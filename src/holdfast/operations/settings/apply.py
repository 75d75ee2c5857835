"""How a setting is changed: predicted, refused or done, and proved.

A :class:`SettingStep` knows how a document says a setting. What it makes of both documents is worked out first, and
shown to the guard. Then the setting is made by libvirt's own calls, live before config, and by the proved edit where
there is none. In the end both documents are read again: they are what was predicted, as far as a guest can see, and say
what was asked for. A crash in between leaves the setting in one document only: 'holdfast show' says so, and repeating
the command finishes it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element
from holdfast.errors import DetachPending, Failed, HoldfastError, PartlyDone, Refused
from holdfast.errors.guard import UNASKED_SETTING
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.documents import Documents, read, saved_memory
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.session import OpenDomain

Value = str | int | bool | None
Call = Callable[[Definition, Element], None]
"""Tells libvirt to have one thing in a document as the given document says it."""

_Action = tuple[str, Definition, Callable[[], None]]
"""What is done, to which document, and how."""

LATER = "set it for the next start with --config"
NEXT_START = "the running guest has it after its next start"


def at_next_start(live: Element) -> str | None:
    """For what no running guest can be given."""
    return NEXT_START


def at_once(live: Element) -> str | None:
    """For what every running guest can be given."""
    return None


@dataclass(frozen=True)
class SettingStep:
    """One setting of one domain.

    ``name``    as the option is called: "max-memory"
    ``value``   what is asked for
    ``read``    what a document says now
    ``write``   makes a document say it; raises Refused where that cannot be
    ``call``    libvirt's own call; None has it edited, in config alone
    ``waits``   why the running guest cannot have it yet, or None; it is given live with the steps before written in
    ``sees``    beginnings of the paths below <domain> at which the guest may see it
    ``secret``  the value is never shown
    ``follows`` live does not say it at once: the guest takes its time
    ``once``    it is no matter of two documents, and counts with config
    """

    name: str
    value: Value
    read: Callable[[Element], Value]
    write: Callable[[Element], None]
    call: Call | None = None
    waits: Callable[[Element], str | None] = at_next_start
    sees: tuple[str, ...] = ()
    secret: bool = False
    follows: bool = False
    once: bool = False

    def asked(self, change: Change) -> bool:
        """True for what the guest may see of this step."""
        return change.where.startswith(self.sees)


@dataclass(frozen=True)
class Setting:
    """One setting. ``value`` is the wish, ``before`` what each document said; passwords are in neither ("": taken off).

    ``changed`` are the documents that have it since, empty where all had it already. ``waits`` is why the running
    guest has it only later.
    """

    name: str
    value: Value
    before: dict[str, Value]
    changed: tuple[Definition, ...]
    waits: str | None = None


@dataclass(frozen=True)
class SettingsChange:
    """What a change of settings did, or with ``dry_run`` would do.

    ``changes`` is what the guest sees of it, now or after its next start. ``notes`` are sentences on what else is
    worth knowing.
    """

    name: str
    uuid: str
    settings: tuple[Setting, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    dry_run: bool


@dataclass
class _Plan:
    """What is to be done: the documents as they are to be, and which of them each step changes."""

    before: Documents
    after: dict[Definition, Element]
    todo: list[tuple[SettingStep, list[Definition]]]
    settings: list[Setting]


def change_settings(
    connection: Connection,
    domain: OpenDomain,
    steps: Sequence[SettingStep],
    definitions: Sequence[Definition],
    before: Documents,
    *,
    notes: Sequence[str] = (),
    dry_run: bool = False,
) -> SettingsChange:
    """Carry out ``steps`` in the documents ``definitions`` of ``domain``; the caller holds the domain's lock.

    Raises Refused where the domain cannot have what is asked for, or would have more than that; Failed, with nothing
    changed, where libvirt or QEMU refuses; PartlyDone where some of it stands.
    """
    plan = _plan(domain, before, steps, definitions)
    changes = _guard(domain, plan, steps)
    if not dry_run:
        _carry_out(connection, domain, plan)
        _prove(domain, plan)
    more = saved_memory(domain, before) if any(setting.changed for setting in plan.settings) else ()
    return SettingsChange(domain.name, domain.uuid, tuple(plan.settings), changes, (*notes, *more), dry_run)


def _plan(
    domain: OpenDomain, before: Documents, steps: Sequence[SettingStep], definitions: Sequence[Definition]
) -> _Plan:
    plan = _Plan(before, {each: copy.deepcopy(before.present[each]) for each in definitions}, [], [])
    for step in steps:
        concerned = [each for each in definitions if not step.once or each is Definition.CONFIG]
        said = {each: step.read(before.present[each]) for each in concerned}
        todo: list[Definition] = []
        waits: str | None = None
        for definition in concerned:
            document = plan.after[definition]
            if step.read(document) == step.value:
                continue
            if definition is Definition.LIVE and (waits := step.waits(document)) is not None:
                continue
            step.write(document)
            todo.append(definition)
        if before.config is None and (waits is not None or step.once):
            raise Refused(
                f"the domain {domain.name!r} is transient: {step.name} cannot be set",
                "it has no config document; the running guest cannot have it, and there is no next start",
            )
        changed = [each for each in concerned if said[each] != step.value]
        if waits is not None:
            changed.remove(Definition.LIVE)
        shown = {str(each): None if step.secret else value for each, value in said.items()}
        value = None if step.secret and step.value else step.value
        plan.settings.append(Setting(step.name, value, shown, tuple(changed), waits))
        if todo:
            plan.todo.append((step, todo))
    return plan


def _guard(domain: OpenDomain, plan: _Plan, steps: Sequence[SettingStep]) -> tuple[Change, ...]:
    found: dict[str, Change] = {}
    for definition, after in plan.after.items():
        changes = visible(compare_documents(plan.before.present[definition], after))
        refuse_unasked(
            domain.name,
            changes,
            lambda change: any(step.asked(change) for step in steps),
            condition=UNASKED_SETTING,
        )
        found |= {str(change): change for change in changes}
    return tuple(found.values())


def _carry_out(connection: Connection, domain: OpenDomain, plan: _Plan) -> None:
    """Live first: where it refuses, nothing has changed. Config follows, first what has to be edited."""
    done: list[str] = []
    pending: DetachPending | None = None
    for names, definition, act in [
        *_calls(plan, Definition.LIVE),
        *_edit(connection, domain, plan),
        *_calls(plan, Definition.CONFIG),
    ]:
        try:
            act()
        except DetachPending as error:
            pending = error
        except HoldfastError as error:
            hint = error.hint or (LATER if definition is Definition.LIVE else None)
            if done:
                raise PartlyDone(f"set: {', '.join(done)}; but not {names}: {error.message}", hint) from error
            if definition is Definition.LIVE:
                raise Failed(f"the running domain does not take {names}: {error.message}", hint) from error
            raise
        done.append(f"{names} in {definition}")
    if pending is not None:
        raise PartlyDone(
            f"the guest has not released what it was asked for: {pending.message}",
            "config has it, so it comes with the next start at the latest; repeat the command to ask again",
        ) from pending


def _edit(connection: Connection, domain: OpenDomain, plan: _Plan) -> Iterator[_Action]:
    """The proved edit of all that libvirt has no call for."""
    steps = [step for step, _ in plan.todo if step.call is None]

    def touch(document: Element) -> None:
        for step in steps:
            step.write(document)

    def act() -> None:
        edit = plan_edit(domain, touch, lambda change: any(step.asked(change) for step in steps))
        apply_edit(domain, edit)

    if steps:
        yield ", ".join(step.name for step in steps), Definition.CONFIG, act


def _calls(plan: _Plan, definition: Definition) -> Iterator[_Action]:
    """libvirt's calls for one document, each once, in the order of the steps."""
    calls: dict[Call, list[str]] = {}
    for step, todo in plan.todo:
        if step.call is not None and definition in todo:
            calls.setdefault(step.call, []).append(step.name)
    for call, names in calls.items():
        yield ", ".join(names), definition, partial(call, definition, plan.after[definition])


def _prove(domain: OpenDomain, plan: _Plan) -> None:
    """Read the documents again: they say what was asked for, and the guest sees nothing that was not predicted."""
    after = read(domain, secure=any(step.secret for step, _ in plan.todo)).present
    wrong = []
    for definition in after.keys() & plan.after.keys():
        changes = visible(compare_documents(plan.after[definition], after[definition]))
        wrong += [f"{definition} changed elsewhere too: {change}" for change in changes]
        for step, todo in plan.todo:
            follows = step.follows and definition is Definition.LIVE
            if definition in todo and not follows and step.read(after[definition]) != step.value:
                wrong.append(f"{definition} has another {step.name} than was asked for")
    if wrong:
        raise PartlyDone(
            f"the settings of {domain.name!r} were changed, but {'; '.join(wrong)}",
            "somebody else may have changed it meanwhile: see 'holdfast show'",
        )
