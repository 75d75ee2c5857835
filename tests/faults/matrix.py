"""``python -m tests.faults.matrix [SCENARIO…]``: the matrix of every command and every fault, and its table.

SCENARIO is a part of a scenario's name. Needs an enclosure: ``scripts/faults`` runs it there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast_lab.daemon import ENDED, private_host
from tests.faults.judge import Verdict
from tests.faults.scenarios import SCENARIOS
from tests.faults.steps import Fault, Kind, Point, Step, points

ROOT = Path(__file__).parents[2]
ONCE = {
    "/run/holdfast": ("rename a b",),
    "/history.git": (
        *("rename a b", "history forget a", "history record", "history repair"),
        *("history push remote", "history push remote again", "history pull remote"),
    ),
    "/holdfast-child-": ("create --from-xml b.xml",),
}
"""What many commands do in the same way, their lock, their entry in the history, their question to libvirt: part of a
path → the scenarios in which the steps of that are points.
"""
TERMINATED = ("create b", "edit a", "disk move a vda")
"""Beginnings of the scenarios that SIGTERM comes in, too: it raises in the main module what SIGINT does."""
Choose = Callable[[list[Step], Fault], list[Point]]


@dataclass(frozen=True)
class Result:
    """One point of a scenario, and what is to be said of it."""

    scenario: str
    point: Point
    what: str
    verdict: Verdict

    def __str__(self) -> str:
        verdict = self.verdict
        lines = [f"{verdict.outcome}: {self.scenario}: {self.point} ({self.what}): exit {verdict.code} {verdict.said}"]
        return "\n  ".join([*lines, verdict.why] if verdict.why else lines)


class Worker:
    """A worker inside a private host of its own (:mod:`.worker`)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def steps(self, scenario: str) -> list[Step]:
        """The steps of its undisturbed run."""
        answer = self._ask({"scenario": scenario})
        return [Step(number, Kind(kind), what) for number, kind, what in answer]  # type: ignore[attr-defined]

    def judge(self, scenario: str, point: Point, plant: str = "") -> Verdict:
        """What is right or wrong after a fault at ``point``."""
        where = {"fault": point.fault.name, "step": point.step, "during": point.during, "plant": plant}
        return Verdict(**self._ask({"scenario": scenario, **where}))  # type: ignore[arg-type]

    def _ask(self, request: dict[str, object]) -> object:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker has ended at {request}")
        return json.loads(line)


@contextlib.contextmanager
def entered(module: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A process of a Python module inside a private host that is gone afterwards.

    Its last two arguments are the host's folder and the pipe that kills its libvirtd.
    """
    with private_host() as host:
        (host.folder / "home").mkdir()
        host.revive()
        assert host.process.stdin is not None
        inner = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()[0]
        daemon = host.process.stdin.fileno()
        enter = ["nsenter", "--target", inner, "--mount", "--uts", "--ipc", "--net", "--pid", f"--wdns={ROOT}"]
        command = [*enter, sys.executable, "-m", module, *words, str(host.folder), str(daemon)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=None if words else subprocess.PIPE, text=True, pass_fds=[daemon]
        ) as process:
            assert process.stdin is not None
            try:
                yield process
            finally:
                process.stdin.close()
                if count := host.log().count(ENDED):
                    print(f"libvirtd has ended by itself {count} times: that is a defect of its own", flush=True)


@contextlib.contextmanager
def worker() -> Iterator[Worker]:
    """A worker of the matrix."""
    with entered("tests.faults.worker") as process:
        yield Worker(process)


def run_matrix(
    scenarios: Iterable[str], faults: Iterable[Fault], workers: int, choose: Choose = points
) -> Iterator[Result | Exception]:
    """The results of all points as they come; an exception is a worker's end."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for each in scenarios:
        waiting.put(each)
    results: queue.SimpleQueue[Result | Exception | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            with worker() as one:
                while True:
                    scenario = waiting.get_nowait()
                    for result in _all_points(one, scenario, faults, choose):
                        results.put(result)
        except queue.Empty:
            pass
        except Exception as error:  # noqa: BLE001 - told by whoever collects the results
            results.put(error)
        finally:
            results.put(None)

    for _ in range(workers):
        threading.Thread(target=work).start()
    running = workers
    while running:
        result = results.get()
        if result is None:
            running -= 1
        else:
            yield result


def _all_points(one: Worker, scenario: str, faults: Iterable[Fault], choose: Choose) -> Iterator[Result]:
    steps = one.steps(scenario)
    for fault in faults:
        if fault is Fault.TERMINATE and not scenario.startswith(TERMINATED):
            continue
        for point in choose(steps, fault):
            what = steps[point.step - 1].what
            if all(part not in what or scenario in only for part, only in ONCE.items()):
                yield Result(scenario, point, what, one.judge(scenario, point))


def table(results: Iterable[Result]) -> str:
    """Points by fault and scenario: how many, how many clean, reported and wrong."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        for row in (result.point.fault.value, result.scenario, "all"):
            counts[row][result.verdict.outcome] += 1
    order = [*sorted({fault.value for fault in Fault} & counts.keys()), *(name for name in SCENARIOS if name in counts)]
    lines = ["| | points | clean | reported | exempt | wrong |", "|---|---|---|---|---|---|"]
    for row in (*order, *(["all"] if counts else [])):
        count = counts[row]
        figures = [count.total(), *(count[outcome] for outcome in ("clean", "reported", "exempt", "wrong"))]
        lines.append(f"| {row} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def print_steps(scenarios: Iterable[str]) -> int:
    """The steps of each scenario's undisturbed run; 1 where one has none."""
    failed = 0
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(worker())
        for scenario in scenarios:
            try:
                steps = one.steps(scenario)
            except RuntimeError as error:
                failed += 1
                print(f"{scenario}: {error}", flush=True)
                one = stack.enter_context(worker())
                continue
            own = [step.what for step in steps if not any(part in step.what for part in ONCE)]
            print(f"{scenario}\n  {'; '.join(own)}", flush=True)
    return 1 if failed else 0


def main() -> int:
    """Run the matrix, print what is wrong as it comes and the table in the end; 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="parts of their names; default: all")
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in Fault], help="only this one")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="at a time (%(default)s)")
    parser.add_argument("--all", action="store_true", help="print also what is clean or reported")
    parser.add_argument("--progress", action="store_true", help="say on standard error how far it is")
    parser.add_argument("--steps", action="store_true", help="only print the steps of each scenario")
    given = parser.parse_args()
    chosen = [name for name in SCENARIOS if not given.scenarios or any(part in name for part in given.scenarios)]
    if given.steps:
        return print_steps(chosen)
    faults = [Fault[name] for name in given.fault or []] or list(Fault)
    results, broken, began = [], 0, time.monotonic()
    for result in run_matrix(chosen, faults, min(given.workers, len(chosen))):
        if isinstance(result, Exception):
            broken += 1
            print(f"a worker ended: {result}", flush=True)
            continue
        results.append(result)
        if sys.stderr.isatty() or given.progress:
            print(f"{time.monotonic() - began:6.0f} s, {len(results)}: {result.scenario}", file=sys.stderr, flush=True)
        if given.all or result.verdict.outcome == "wrong":
            print(result, flush=True)
    print(table(results))
    return 1 if broken or any(result.verdict.outcome == "wrong" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
