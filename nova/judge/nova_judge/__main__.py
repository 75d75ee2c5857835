"""The command ``scripts/nova-judge``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from holdfast_lab.script_exit import leave
from nova_judge.compare import Suite, complaints, read_expected, read_outcomes, summary, unknown
from nova_judge.install import CHECKOUT, environment, install

SUITES = ("nova.tests.functional.libvirt", "nova.tests.unit.virt.libvirt.test_driver")
SUBSET = Path(__file__).parents[1] / "subset.txt"
"""What CI runs, one a line. # begins a comment."""

RESULTS = CHECKOUT / "build" / "nova-judge"
WORKERS = 2


def main() -> int:
    """Parse the command line and do what it says. 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(
        prog="scripts/nova-judge",
        description="Nova's own tests of its libvirt driver, with that driver and with Holdfast's in its place.",
        epilog=f"Results are written to {RESULTS.relative_to(CHECKOUT)}.",
    )
    parser.add_argument(
        "tests", nargs="*", metavar="TEST", help="only these: modules, classes or tests; * matches anything"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="all of both suites; without it the subset that CI runs")
    what.add_argument("--pin", action="store_true", help="write nova/surface.toml anew from the Nova that is installed")
    what.add_argument("--count", action="store_true", help="count what is no longer reached of Nova's driver")
    parser.add_argument("--only", choices=("stock", "holdfast"), help="run one driver; reuse the other's last results")
    given = parser.parse_args()
    python = install()
    if given.pin or given.count:
        module = "nova_judge.surface" if given.pin else "nova_judge.reach"
        return subprocess.run([python, "-m", module], env=environment()).returncode
    if given.tests:
        return judge(python, given.tests, given.only, "some")
    names = list(SUITES) if given.all else _lines(SUBSET)
    return judge(python, names, given.only, "all" if given.all else "subset")


def judge(python: Path, names: list[str], only: str | None, folder: str) -> int:
    """Run these tests with both drivers and compare; 1 when something is not as it should be."""
    expected = read_expected()
    suites, problems = [], []
    for suite in SUITES:
        chosen = [name for name in names if name.startswith(suite)]
        if not chosen:
            continue
        outcomes = {}
        for driver in ("stock", "holdfast"):
            target = RESULTS / folder / suite.split(".")[2]
            if only in (None, driver):
                _run(python, driver, target, chosen)
            outcomes[driver] = read_outcomes(target.glob(f"{driver}-[0-9].txt"))
        suites.append(Suite(suite, **outcomes))
        problems += complaints(suites[-1], expected)
    if folder == "all":
        problems += unknown(expected, suites)
    text = summary(suites, expected)
    (RESULTS / folder / "summary.md").write_text(text)
    print(text)
    for problem in problems:
        print(problem)
    return 1 if problems or not suites else 0


def _run(python: Path, driver: str, folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{driver}-*"):
        old.unlink()
    began = time.monotonic()
    workers = []
    for number in range(WORKERS):
        with (folder / f"{driver}-{number}.log").open("w") as log:
            command = ["setpriv", "--pdeathsig", "TERM"]  # they end also when we are killed
            command += [str(python), "-m", "nova_judge.run", driver, f"{number}/{WORKERS}", str(folder), *names]
            workers.append(subprocess.Popen(command, env=environment(), stdout=log, stderr=log, cwd=folder))
            os.setpriority(os.PRIO_PROCESS, workers[-1].pid, 10)
    try:
        ended = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    if any(ended):
        sys.exit(f"a worker ended early: see {folder}/{driver}-*.log")
    print(f"{driver}: {folder.name}, {time.monotonic() - began:.0f} s", flush=True)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


if __name__ == "__main__":
    leave(main)
