"""The ways of two guests through hosts of three generations, step by step."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from holdfast.errors import Refused
from holdfast.errors.hosts import CANNOT_BE_THERE
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast_lab.cable import joined_hosts
from holdfast_lab.comparison import Comparison as FactComparison
from holdfast_lab.comparison import compare_inventories
from holdfast_lab.daemon import Host, private_host
from tests.hosts.chain.foretold import NOTHING, Change, Comparison, Foretold, compare, foretell, seen_changes
from tests.hosts.chain.guests import LABELS, Kept, Regenerated
from tests.hosts.chain.sight import Sight

_TOLD_BY_TABLES = ("ACPI ", "SMBIOS", "firmware", "CPU")
"""How the facts of an inventory begin that :func:`seen_changes` tells of, and better."""


class Kind(StrEnum):
    """What is done with a guest."""

    LIVE = "live"
    REFUSED = "live, refused"
    COLD = "cold start"
    COLD_MOVE = "cold move"
    UPGRADE = "upgrade in place"


@dataclass(frozen=True)
class Step:
    """What is done, and on which host the guest is then (of an upgrade: as which host)."""

    kind: Kind
    to: str


JOURNEYS = {
    "along the chain": ("9.0", (Step(Kind.LIVE, "11.3"), Step(Kind.LIVE, "12.8"), Step(Kind.COLD, "12.8"))),
    "and back": (
        "9.0",
        (
            *(Step(Kind.LIVE, to) for to in ("12.8", "9.0", "12.8", "11.3", "9.0", "11.3")),
            *(Step(Kind.COLD, "11.3"), Step(Kind.REFUSED, "12.8")),
        ),
    ),
    "switched off": ("9.0", (Step(Kind.COLD_MOVE, "11.3"), Step(Kind.COLD_MOVE, "12.8"))),
    "in place": (
        "upgraded",
        (Step(Kind.UPGRADE, "11.3"), Step(Kind.COLD, "11.3"), Step(Kind.UPGRADE, "12.8"), Step(Kind.COLD, "12.8")),
    ),
}
"""By name: the host on which the guests boot, and what is done with them."""


@dataclass(frozen=True)
class Outcome:
    """What a step did to both guests.

    ``facts``    how many of them the guest under Holdfast was asked for
    ``moved``    what of these it has elsewhere, or no more, in sentences
    ``changed``  what its tables and registers have otherwise
    ``control``  the same two of the guest whose manager regenerates
    """

    name: str
    facts: int
    moved: tuple[str, ...]
    changed: tuple[Change, ...]
    compared: Comparison
    control: tuple[tuple[str, ...], tuple[Change, ...]]
    note: str = ""

    @property
    def is_right(self) -> bool:
        """Nothing has moved under Holdfast, what changed was foretold, and what was foretold changed."""
        return not (self.moved or self.compared.not_foretold or self.compared.not_seen)


@dataclass(frozen=True)
class Ground:
    """The hosts of all journeys, by the version of libvirt that they have, and one that is upgraded."""

    hosts: dict[str, Host]
    systems: dict[str, Path]
    folder: Path

    def travel(self, start: str, steps: tuple[Step, ...]) -> Iterator[Outcome]:
        """Both guests boot on the host ``start`` and take the steps, one after the other."""
        return Journey(self.hosts, self.systems, self.folder).travel(start, steps)


@contextlib.contextmanager
def grounds(systems: dict[str, Path]) -> Iterator[Ground]:
    """Private hosts with these systems, oldest first, and one more with the oldest, to be upgraded."""
    (oldest, *_) = systems.values()
    with (
        joined_hosts(systems) as hosts,
        private_host("upgraded", oldest) as upgraded,
        tempfile.TemporaryDirectory() as folder,
    ):
        yield Ground({**hosts, "upgraded": upgraded}, systems, Path(folder))


class Journey:
    """Both guests on their way. ``hosts`` by name; an upgrade is that of the host "upgraded"."""

    def __init__(self, hosts: dict[str, Host], systems: dict[str, Path], folder: Path) -> None:
        self._hosts = hosts
        self._systems = systems
        self._guests = Kept(folder), Regenerated(folder)
        self._connections: dict[str, Connection] = {}
        self._at = self._as = ""  # the host that they are on, and as which of ``systems`` it runs
        self._seen: list[Sight] = []

    def travel(self, start: str, steps: tuple[Step, ...]) -> Iterator[Outcome]:
        """Boot both on the host ``start``, then take every step, and tell of it."""
        self._at = start
        self._as = start if start in self._systems else next(iter(self._systems))
        try:
            with ThreadPoolExecutor(2) as pool:
                self._pool = pool
                self._each(lambda guest: guest.create(self._on(start)))
                self._seen = [guest.see() for guest in self._guests]
                foretold = self._foretell(steps)
                for number, step in enumerate(steps):
                    cold = step.kind in (Kind.COLD, Kind.COLD_MOVE)
                    yield self._take(step, foretold if cold else NOTHING)
                    if cold:
                        foretold = self._foretell(steps[number + 1 :])
                for guest in self._guests:
                    guest.end(self._on(self._at))
        finally:
            for connection in self._connections.values():
                connection.close()

    def _foretell(self, steps: tuple[Step, ...]) -> Foretold:
        """What is to be said now of the next cold start."""
        for step in steps:
            if step.kind in (Kind.COLD, Kind.COLD_MOVE):
                return NOTHING if step.to == self._as else foretell(self._on(self._at), self._on(step.to), Kept.name)
        return NOTHING

    def _take(self, step: Step, foretold: Foretold) -> Outcome:
        name = f"{step.kind} {self._as} → {step.to}" if step.to != self._as else f"{step.kind} on {step.to}"
        note = self._do(step)
        before, self._seen = self._seen, [*self._pool.map(lambda guest: guest.see(), self._guests)]
        (facts, moved, changed), (_, elsewhere, otherwise) = (
            _differences(*pair) for pair in zip(before, self._seen, strict=True)
        )
        return Outcome(
            name=name,
            facts=facts,
            moved=moved,
            changed=changed,
            compared=compare(foretold, changed, before[0]),
            control=(elsewhere, otherwise),
            note=note,
        )

    def _do(self, step: Step) -> str:
        here = self._on(self._at)
        if step.kind is Kind.UPGRADE:
            self._connections.pop(self._at).close()
            self._hosts[self._at].upgrade(self._systems[step.to])
            self._as, upgraded = step.to, self._on(self._at)
            self._each(lambda guest: guest.follow(upgraded))
            return ""
        if step.kind is Kind.REFUSED:
            return self._refused(here, self._on(step.to))
        if step.kind is Kind.COLD:
            self._each(lambda guest: guest.cold_start(here))
            return ""
        there = self._on(step.to)
        self._each(lambda guest: (guest.move if step.kind is Kind.LIVE else guest.cold_move)(here, there))
        self._at = self._as = step.to
        return ""

    def _refused(self, here: Connection, there: Connection) -> str:
        try:
            self._guests[0].move(here, there)
        except Refused as error:
            if error.code != CANNOT_BE_THERE.code:
                raise
            return error.message
        raise AssertionError("nothing refused it")

    def _each(self, do: Callable[[Kept], object]) -> None:
        """Do it with both at once. Raises what either of them raised."""
        for done in [self._pool.submit(do, guest) for guest in self._guests]:
            done.result()

    def _on(self, name: str) -> Connection:
        if name not in self._connections:
            self._connections[name] = open_connection(self._hosts[name].uri).__enter__()
        return self._connections[name]


def _differences(before: Sight, after: Sight) -> tuple[int, tuple[str, ...], tuple[Change, ...]]:
    facts = compare_inventories(before.inventory, after.inventory, LABELS)
    moved = [fact for fact in facts if fact.changed and not fact.name.startswith(_TOLD_BY_TABLES)]
    return len(facts), tuple(map(_told, moved)), seen_changes(before, after)


def _told(fact: FactComparison) -> str:
    was, becomes = (each.shown if each else "nothing" for each in (fact.before, fact.after))
    return f"{fact.name}: {becomes}, was {was}"
