"""What is right after a fault, and what is not.

A point is *clean* where everything is as before the command or as after it, *reported* where it is in between and the
audit names it. It is wrong where the exit code says something that is not so, where something is left that nobody
names, where a domain does not start any more, or where the same command (with what its hints say) does not end as the
undisturbed one.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from tests.faults.scenarios import EXEMPT, Scenario
from tests.faults.steps import Fault, Point, Step
from tests.faults.world import World, differences

if TYPE_CHECKING:
    from tests.faults.worker import Host

NOTHING_CHANGED = (1, 2, 3, 4)
"""The exit codes that say so."""

_HINTED = re.compile(r"'holdfast ([^']+)'")
_OWN_FILE = re.compile(r"(tmp/.*|nvram/.*\.rescue): is there")
"""A temporary file of the command's own that it could not remove: that is named, and all is done for all that."""
_TRIES = 3


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (below 0 a signal's number), what it printed, the steps that it took."""

    words: list[str]
    code: int
    out: str
    err: str
    steps: list[Step]

    @property
    def last_line(self) -> str:
        """What it said in the end."""
        return (self.err.strip().splitlines() or [""])[-1]


@dataclass(frozen=True)
class Left:
    """What is to be said of what a fault has left, whichever it was: what the audit names of it, and what is wrong."""

    reported: str
    is_named: bool
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """The undisturbed run: the worlds around it, its steps, and what the audit names before and after.

    ``left`` is what was found of worlds that faults have left: many leave the same, which is judged once.
    """

    before: World
    after: World
    steps: list[Step]
    code: int
    named: frozenset[str]
    left: dict[object, Left] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """``outcome`` is "clean", "reported", "exempt" or "wrong"; ``why`` says what is, or why it may be."""

    outcome: str
    why: str = ""
    code: int = 0
    said: str = ""

    def as_json(self) -> dict[str, object]:
        """For a line of JSON."""
        return asdict(self)


def trace(host: Host, scenario: Scenario) -> Run:
    """The undisturbed run of a scenario. Raises AssertionError where two of them do not come out alike."""
    worlds = []
    for _ in range(2):
        host.begin_anew(scenario)
        before, named = host.settle(), host.named()
        ended = host.command(scenario)
        assert ended.code == scenario.code, f"{scenario.name}: exit {ended.code}: {ended.err}"
        worlds.append(host.settle())
    odd = differences(*worlds)
    assert not odd, f"{scenario.name}: two undisturbed runs differ: {odd}"
    return Run(before, worlds[0], ended.steps, ended.code, frozenset((*named, *host.named())))


def judge(host: Host, scenario: Scenario, run: Run, point: Point, plant: str = "") -> Verdict:
    """Run the command of a scenario with a fault, and judge what is left."""
    host.begin_anew(scenario)
    ended = host.command(scenario, point, plant)
    world = host.settle()
    found = _false_code(run, ended, world)
    if world != run.before or not scenario.entries:
        found += host.damage_of_history()
    reported = exempt = ""
    daemon_died = point.fault is Fault.DAEMON
    if world != run.after and (world != run.before or daemon_died):
        key = (frozenset(world.items()), host.reasons(), daemon_died, plant)
        if key not in run.left:
            run.left[key] = _judge_left(host, scenario, run, world)
        left = run.left[key]
        found += left.wrong
        reported = left.reported
        if not left.is_named and scenario.name in EXEMPT:
            exempt = EXEMPT[scenario.name]
        elif not left.is_named:
            found.append(f"nothing names {_nearer(run, world)}")
    said = {"code": ended.code, "said": ended.last_line}
    if found:
        return Verdict("wrong", "\n  ".join(found), **said)  # type: ignore[arg-type]
    outcome = "exempt" if exempt else "reported" if reported else "clean"
    return Verdict(outcome, exempt or reported, **said)  # type: ignore[arg-type]


def _judge_left(host: Host, scenario: Scenario, run: Run, world: World) -> Left:
    """Look at ``world``, which is there now, and is not that after the undisturbed run."""
    news, wrong = list[str](), list[str]()
    if world != run.before:
        news = [each for each in host.named() if each not in run.named or (scenario.ends and scenario.ends in each)]
        wrong = [
            f"nothing names the QEMU that libvirt has forgotten, process {pid}"
            for pid in host.end_forgotten()
            if not any(f"process {pid}" in each for each in news)
        ]
        wrong += [
            f"{name} does not start: {why}"
            for name in ("a", "b")
            if f"{name}: state" in world and not scenario.deletes and (why := host.starts(name))
        ]
    wrong += _repeated(host, scenario, run)
    return Left("; ".join(news), bool(news) or world == run.before, tuple(wrong))


def _false_code(run: Run, ended: Ended, world: World) -> list[str]:
    missing = [each for each in differences(run.after, world) if not _OWN_FILE.fullmatch(each)]
    if ended.code == run.code and missing:
        return [f"exit code {ended.code} as if it were done, but: {'; '.join(missing)}"]
    if ended.code != run.code and ended.code in NOTHING_CHANGED and (changed := differences(run.before, world)):
        return [f"exit code {ended.code} as if nothing were changed, but: {'; '.join(changed)}"]
    if "Traceback" in ended.err or "should not have happened" in ended.err:
        return [f"it ended with a defect: {ended.err.strip()}"]
    return []


def _nearer(run: Run, world: World) -> str:
    """What is left, beside that of the two worlds which is nearer."""
    sides = {"before": differences(run.before, world), "after": differences(run.after, world)}
    name = min(sides, key=lambda side: len(sides[side]))
    return f"what is not as {name}: {'; '.join(sides[name])}"


def _repeated(host: Host, scenario: Scenario, run: Run) -> list[str]:
    """Repeat the command, and do what its hints say, until it is done."""
    said: list[str] = []
    after = run.after
    for _ in range(_TRIES):
        ended = host.command(scenario)
        if not differences(after, host.settle()):
            break
        said.append(f"{ended.code} {' '.join(ended.err.split())}")
        for command in _HINTED.findall(ended.err):
            if not re.search(r"\b[A-Z]{4,}\b", command):
                host.run(command.split())
                if command.startswith(("repair ", "reboot --hard ")) and "a: live" in after:
                    after = {**after, "a: state": "running"}
    left = differences(after, host.settle())
    named = [each for each in host.named() if each not in run.named]
    wrong = [f"repeated, it does not end as the undisturbed run: {'; '.join(left)}"] * bool(left)
    wrong += [f"repeated, it leaves what is named: {'; '.join(named)}"] * bool(named)
    return wrong + [f"repeating says: {' | '.join(said)}"] * bool(wrong and said)
