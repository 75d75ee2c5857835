"""What a plan foretold of a cold start, beside what the guest saw of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.look.plan_host import plan_host
from holdfast.operations.probe.compare import probe_changes
from tests.hosts.chain.sight import Sight

_FUNCTIONS = re.compile(r"the PCI functions? (.*?): (.*)")


@dataclass(frozen=True)
class Change:
    """One thing that a guest sees otherwise, or is said to: its part, what it is, and how it differs."""

    part: str
    what: str
    words: str

    def __str__(self) -> str:
        return f"{self.what}: {self.words}"


@dataclass(frozen=True)
class Foretold:
    """``by_plan``: the parts of which ``plan host`` said that they change; ``by_probe``: all that the probe said."""

    by_plan: frozenset[str]
    by_probe: tuple[Change, ...]


NOTHING = Foretold(frozenset(), ())


def foretell(here: Connection, there: Connection, name: str) -> Foretold:
    """What ``plan host --probe`` says of the next cold start of ``name`` on another host."""
    plain, probing = (next(plan_host(here, there, [name], probe=probe)).outlooks for probe in (False, True))
    plan = [outlook.part for outlook in plain if outlook.effect is Effect.CHANGES]
    return Foretold(frozenset(plan), tuple(_each(probing[len(plain) :])))


def seen_changes(before: Sight, after: Sight) -> tuple[Change, ...]:
    """What the guest's own tables and registers have otherwise."""
    return tuple(_each(probe_changes(before.tables, after.tables)))


def _each(outlooks: Iterable[Outlook]) -> Iterator[Change]:
    """One by one, where a sentence is about several functions."""
    for outlook in outlooks:
        if outlook.effect is Effect.CHANGES:
            if match := _FUNCTIONS.fullmatch(outlook.sentence):
                for function in match[1].split(", "):
                    yield Change(outlook.part, f"the PCI function {function}", match[2])
            else:
                what, _, words = outlook.sentence.partition(": ")
                yield Change(outlook.part, what, words)


@dataclass(frozen=True)
class Comparison:
    """``seen``: foretold, and seen so; ``not_foretold``: seen alone; ``not_seen``: foretold, and the guest could tell.

    ``not_visible``: foretold, and this guest has no means to see it. ``not_in_plan``: seen, and not in the plan without
    a probe.
    """

    seen: tuple[Change, ...]
    not_foretold: tuple[Change, ...]
    not_seen: tuple[Change, ...]
    not_visible: tuple[Change, ...]
    not_in_plan: tuple[Change, ...]


def compare(foretold: Foretold, observed: Sequence[Change], before: Sight) -> Comparison:
    """Both, change by change; ``before`` has what this guest can see at all."""
    rest = [change for change in foretold.by_probe if change not in observed]
    visible = [change for change in rest if _can_see(before, change)]
    return Comparison(
        seen=tuple(change for change in observed if change in foretold.by_probe),
        not_foretold=tuple(change for change in observed if change not in foretold.by_probe),
        not_seen=tuple(visible),
        not_visible=tuple(change for change in rest if change not in visible),
        not_in_plan=tuple(change for change in observed if change.part not in foretold.by_plan),
    )


def _can_see(sight: Sight, change: Change) -> bool:
    if change.part == "virtio":
        return any(each.endswith(f" {change.what.split()[-1]}") for each in sight.tables.virtio)
    return change.part in ("acpi", "smbios", "pci")
