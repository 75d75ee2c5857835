"""Time two ways to do the same thing, alternating, so that what disturbs the machine disturbs both."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ENOUGH = 25
FEWEST = 5
SHORTEST, LONGEST = 1.0, 12.0
"""Repetitions and seconds: ENOUGH and at least SHORTEST, or until LONGEST are over, but never less than FEWEST."""


def _nothing() -> None:
    """Nothing to do between repetitions."""


@dataclass(frozen=True)
class Case:
    """One thing done in two ways. ``before`` and ``after`` run around each repetition and are not timed.

    ``aim`` is the ratio that ours should not exceed, None where none was set.
    """

    name: str
    bare: Callable[[], object]
    ours: Callable[[], object]
    aim: float | None = None
    before: Callable[[], object] = _nothing
    after: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Figure:
    """What a case gave: medians in milliseconds, with ``domains`` defined in that libvirt."""

    name: str
    domains: int
    repetitions: int
    bare_ms: float
    ours_ms: float
    aim: float | None

    @property
    def ratio(self) -> float:
        """Ours to bare."""
        return self.ours_ms / self.bare_ms

    @property
    def met(self) -> bool | None:
        """Whether the aim was reached; None without one."""
        return None if self.aim is None else self.ratio <= self.aim


def measure(case: Case, domains: int) -> Figure:
    """Repeat the case, ours first and bare first in turn; the first round is not counted."""
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    started = time.monotonic()
    for repetition in itertools.count():
        case.before()
        for side in ("bare", "ours") if repetition % 2 else ("ours", "bare"):
            act: Callable[[], object] = getattr(case, side)
            begun = time.perf_counter()
            act()
            if repetition:
                times[side].append((time.perf_counter() - begun) * 1000)
        case.after()
        passed = time.monotonic() - started
        if (repetition >= ENOUGH and passed > SHORTEST) or (repetition >= FEWEST and passed > LONGEST):
            break
    bare, ours = (statistics.median(times[side]) for side in ("bare", "ours"))
    return Figure(case.name, domains, len(times["ours"]), bare, ours, case.aim)
