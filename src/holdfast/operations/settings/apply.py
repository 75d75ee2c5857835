"""How a setting is changed: predicted, refused or done, and proved.

A :class:`SettingStep` knows how a document says a setting. What it makes of both documents is worked out first, and
shown to the guard. Then the setting is made by libvirt's own calls, live before config, and by the proved edit where
there is none. In the end both documents are read again: they are what was predicted, as far as a guest can see, and say
what was asked for. A crash in between leaves the setting in one document only: it waits there, and repeating the
operation finishes it. What libvirt says may be in its memory alone, so a setting that has come there before it was on
disk is written again by each repetition.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, same
from holdfast.errors import DetachPending, HoldfastError, NoConnection
from holdfast.errors import settings as errors
from holdfast.errors.domains import TRANSIENT
from holdfast.errors.guard import UNASKED_SETTING
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import Answer, Step, ask_of_steps
from holdfast.operations.documents import Documents, read, saved_memory_notes
from holdfast.operations.guard import refuse_unasked, refuse_unstartable
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.results import Result
from holdfast.operations.session import OpenDomain
from holdfast.operations.waiting import waiting_since

Value = str | int | bool | None
Call = Callable[[Definition, Element], None]
"""Tells libvirt to have one thing in a document as the given document says it."""

NEXT_START = "the running guest gets it at its next start"


def at_next_start(live: Element) -> str | None:
    """For what no running guest can be given."""
    return NEXT_START


def at_once(live: Element) -> str | None:
    """For what every running guest can be given."""
    return None


@dataclass(frozen=True)
class SettingStep:
    """One setting of one domain.

    ``name``    what it is called: "max-memory"
    ``value``   what is asked for
    ``read``    what a document says now
    ``write``   makes a document say it; raises where that cannot be
    ``call``    libvirt's own call; None has it edited, in config alone
    ``later``   why the running guest has it only after its next start; None where it can have it now. It is given live
                with the steps before written in
    ``sees``    beginnings of the paths below <domain> at which the guest may see it
    ``secret``  the value is never shown
    ``follows`` live does not say it at once: the guest takes its time
    ``once``    it is no matter of two documents, and counts with config
    ``early``   libvirt has it in its memory before it is on disk, and keeps it there when it cannot write (9.0): so
                config is written again also where it says it already
    """

    name: str
    value: Value
    read: Callable[[Element], Value]
    write: Callable[[Element], None]
    call: Call | None = None
    later: Callable[[Element], str | None] = at_next_start
    sees: tuple[str, ...] = ()
    secret: bool = False
    follows: bool = False
    once: bool = False
    early: bool = False

    def is_seen_as(self, change: Change) -> bool:
        """True for what the guest may see of this step."""
        return change.where.startswith(self.sees)


@dataclass(frozen=True)
class Setting:
    """One setting, as it is after the operation. Passwords are in no field of it.

    ``name``     what it is called: "max-memory"
    ``value``    what was asked for; "" for a password that was taken off
    ``before``   what each document said before
    ``changed``  the documents that have it since; empty where all had it already
    ``later``    why the running guest has it only after its next start; None where it has it, or none runs
    """

    name: str
    value: Value
    before: Mapping[Definition, Value]
    changed: tuple[Definition, ...]
    later: str | None = None


@dataclass(frozen=True, kw_only=True)
class SettingsChange(Result):
    """A change of settings.

    ``settings``  each of them, in the order in which they are made
    """

    settings: tuple[Setting, ...]


def change_settings(
    domain: OpenDomain,
    steps: Sequence[SettingStep],
    definitions: Sequence[Definition],
    before: Documents,
    *,
    notes: Sequence[str] = (),
    dry_run: bool = False,
) -> SettingsChange:
    """Carry out ``steps`` in the documents ``definitions`` of ``domain``; the caller holds the domain's lock.

    Raises TRANSIENT for what only config can have, what a step cannot be, UNASKED_SETTING, WOULD_NOT_START, and
    SETTING_NOT_TAKEN where libvirt or QEMU refuses; then nothing was changed. Raises SET_IN_PART, SET_IN_MEMORY,
    NOT_LET_GO and SET_OTHERWISE where some of it stands.
    """
    plan = _Plan(before, definitions)
    for step in steps:
        plan.add(domain, step)
    changes = _guard(domain, plan)
    config = plan.after.get(Definition.CONFIG)
    if config is not None and before.config is not None:
        refuse_unstartable(domain, before.config, config, ", ".join(step.name for step in steps))
    answer = Answer()
    if dry_run:
        answer = _ask(domain, plan)
    else:
        _carry_out(domain, plan)
        _prove(domain, plan)
    change = SettingsChange(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=changes,
        waits=waiting_since(before, plan.documents),
        notes=(*notes, *(saved_memory_notes(domain, before) if plan.changes_something else ())),
        settings=tuple(plan.settings),
    )
    return answer.noted_in(change)


class _Plan:
    """What is to be done.

    ``before``    the documents as they are
    ``after``     those that are to change, as they are to be
    ``steps``     each step, with the documents that it changes
    ``settings``  what the result says about each step
    """

    def __init__(self, before: Documents, definitions: Sequence[Definition]) -> None:
        self.before = before
        self.after = {each: copy.deepcopy(before.present[each]) for each in definitions}
        self.steps: list[tuple[SettingStep, list[Definition]]] = []
        self.settings: list[Setting] = []

    @property
    def documents(self) -> Documents:
        """Both documents as they are to be."""
        after = {**self.before.present, **self.after}
        return Documents(after.get(Definition.LIVE), after.get(Definition.CONFIG))

    @property
    def changes_something(self) -> bool:
        """False where the documents say everything already."""
        return any(setting.changed for setting in self.settings)

    def add(self, domain: OpenDomain, step: SettingStep) -> None:
        """Write ``step`` into the documents that can have it, behind the steps before it."""
        concerned = [each for each in self.after if not step.once or each is Definition.CONFIG]
        written, later = self._write(step, concerned)
        if self.before.config is None and (later is not None or step.once):
            raise TRANSIENT(name=domain.name)
        self.steps.append((step, written))
        self.settings.append(self._setting(step, concerned, later))

    def _write(self, step: SettingStep, concerned: Sequence[Definition]) -> tuple[list[Definition], str | None]:
        """Write ``step``; returns into which documents, and why not into live."""
        written, later = [], None
        for definition in concerned:
            document = self.after[definition]
            if step.read(document) == step.value:
                continue
            if definition is Definition.LIVE and (later := step.later(document)) is not None:
                continue
            step.write(document)
            written.append(definition)
        return written, later

    def _setting(self, step: SettingStep, concerned: Sequence[Definition], later: str | None) -> Setting:
        said = {each: step.read(self.before.present[each]) for each in concerned}
        left = Definition.LIVE if later is not None else None
        return Setting(
            name=step.name,
            value=None if step.secret and step.value else step.value,
            before={each: None if step.secret else value for each, value in said.items()},
            changed=tuple(each for each, value in said.items() if value != step.value and each is not left),
            later=later,
        )


def _guard(domain: OpenDomain, plan: _Plan) -> tuple[Change, ...]:
    """What the guest sees of the plan, now or later, each once. Raises UNASKED_SETTING for what no step asks for."""
    found: dict[str, Change] = {}
    for definition, after in plan.after.items():
        changes = visible(compare_documents(plan.before.present[definition], after))
        refuse_unasked(domain.name, changes, partial(_is_seen_as_any, plan), condition=UNASKED_SETTING)
        found |= {str(change): change for change in changes}
    return tuple(found.values())


def _ask(domain: OpenDomain, plan: _Plan) -> Answer:
    """What libvirt would make of config. Raises LibvirtRefused, and UNASKED_SETTING for what no step asks for.

    Live cannot be asked without the guest.
    """
    before, after = plan.before.config, plan.after.get(Definition.CONFIG)
    if before is None or after is None or same(before, after):
        return Answer()
    is_edited = any(step.call is None for step, _ in plan.steps)
    answer = ask_of_steps(domain.connection, Step("have", before), Step("define" if is_edited else "have", after))
    if answer.documents:
        changes = compare_documents(*answer.documents)
        refuse_unasked(domain.name, changes, partial(_is_seen_as_any, plan), condition=UNASKED_SETTING)
    return answer


def _is_seen_as_any(plan: _Plan, change: Change) -> bool:
    return any(step.is_seen_as(change) for step, _ in plan.steps)


class _Action(NamedTuple):
    """What is done: the steps that it makes, the document in which, and how."""

    steps: list[SettingStep]
    definition: Definition
    act: Callable[[], None]

    @property
    def settings(self) -> list[str]:
        """The names of what it sets."""
        return [step.name for step in self.steps]


def _carry_out(domain: OpenDomain, plan: _Plan) -> None:
    """Live first: where it refuses, nothing has changed. Config follows, first what has to be edited."""
    done: list[str] = []
    pending: DetachPending | None = None
    for document in plan.after.values():
        domain.conceal(document)
    for action in (*_calls(plan, Definition.LIVE), *_edits(domain, plan), *_calls(plan, Definition.CONFIG)):
        try:
            action.act()
        except DetachPending as error:
            pending = error
        except HoldfastError as error:
            cause = _with_what_is_in_memory(domain, action, error)
            if done:
                raise errors.SET_IN_PART(done=done, settings=action.settings, cause=cause) from error
            if action.definition is Definition.LIVE:
                raise errors.SETTING_NOT_TAKEN(settings=action.settings, cause=cause) from error
            if cause is error:
                raise
            raise cause from error
        done.append(f"{', '.join(action.settings)} in {action.definition}")
    if pending is not None:
        raise errors.NOT_LET_GO(cause=pending) from pending


def _with_what_is_in_memory(domain: OpenDomain, action: _Action, error: HoldfastError) -> HoldfastError:
    """SET_IN_MEMORY where libvirt has in memory what it could not write; else the ``error`` itself."""
    early = [step for step in action.steps if step.early]
    if not early or action.definition is Definition.LIVE or isinstance(error, NoConnection):
        return error
    config = domain.look_again().config
    there = [step.name for step in early if config is not None and step.read(config) == step.value]
    return errors.SET_IN_MEMORY(name=domain.name, settings=there, cause=error) if there else error


def _edits(domain: OpenDomain, plan: _Plan) -> Iterator[_Action]:
    """The proved edit of all that libvirt has no call for, where there is something of that."""
    steps = [step for step, written in plan.steps if step.call is None and written]

    def touch(document: Element) -> None:
        for step in steps:
            step.write(document)

    def act() -> None:
        apply_edit(domain, plan_edit(domain, touch, partial(_is_seen_as_any, plan)))

    if steps:
        yield _Action(steps, Definition.CONFIG, act)


def _calls(plan: _Plan, definition: Definition) -> Iterator[_Action]:
    """libvirt's calls for one document, each once, in the order of the steps."""
    calls: dict[Call, list[SettingStep]] = {}
    for step, written in plan.steps:
        is_again = step.early and definition is Definition.CONFIG and definition in plan.after
        if step.call is not None and (definition in written or is_again):
            calls.setdefault(step.call, []).append(step)
    for call, steps in calls.items():
        yield _Action(steps, definition, partial(call, definition, plan.after[definition]))


def _prove(domain: OpenDomain, plan: _Plan) -> None:
    """Read the documents again: they say what was asked for, and the guest sees nothing that was not predicted."""
    secret = any(step.secret for step, _ in plan.steps)
    after = (read(domain, secure=True) if secret else domain.look_again()).present
    wrong = []
    for definition in after.keys() & plan.after.keys():
        changes = visible(compare_documents(plan.after[definition], after[definition]))
        wrong += [f"{definition} changed elsewhere too: {change}" for change in changes]
        for step, written in plan.steps:
            follows = step.follows and definition is Definition.LIVE
            if definition in written and not follows and step.read(after[definition]) != step.value:
                wrong.append(f"{definition} has another {step.name} than was asked for")
    if wrong:
        raise errors.SET_OTHERWISE(name=domain.name, differences=wrong)
