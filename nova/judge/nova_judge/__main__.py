"""The command ``scripts/nova-judge``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from holdfast_lab.script_exit import leave
from nova_judge.compare import EXPECTED, Suite, complaints, read_expected, read_outcomes, summary, unknown
from nova_judge.install import CHECKOUT, EARLIER, LATEST, environment, install

SUITES = ("nova.tests.functional.libvirt", "nova.tests.unit.virt.libvirt.test_driver")
SUBSET = Path(__file__).parents[1] / "subset.txt"
"""What CI runs, one a line. # begins a comment."""

RESULTS = CHECKOUT / "build" / "nova-judge"
WORKERS = 2
LIMIT = 200
"""Seconds without the end of a test: Nova's own limit is 160 for each, and what is not over then never ends."""
RETRIES = 10


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
    what.add_argument(
        "--pin", action="store_true", help="write nova/src/holdfast_nova/surface anew from the Nova that is installed"
    )
    what.add_argument("--count", action="store_true", help="count what is no longer reached of Nova's driver")
    parser.add_argument("--only", choices=("stock", "holdfast"), help="run one driver; reuse the other's last results")
    parser.add_argument(
        "--release", type=int, choices=(LATEST, *EARLIER), default=LATEST, help=f"of Nova; without it {LATEST}"
    )
    given = parser.parse_args()
    python = install(given.release)
    os.environ.update(environment(given.release))
    if given.pin or given.count:
        module = "nova_judge.surface" if given.pin else "nova_judge.reach"
        return subprocess.run([python, "-m", module]).returncode
    if given.tests:
        return judge(python, given.tests, given.only, "some", given.release)
    names = list(SUITES) if given.all else _lines(SUBSET)
    return judge(python, names, given.only, "all" if given.all else "subset", given.release)


def judge(python: Path, names: list[str], only: str | None, folder: str, release: int) -> int:
    """Run these tests with both drivers and compare; 1 when something is not as it should be."""
    expected = read_expected()
    if release != LATEST:
        expected |= read_expected(EXPECTED.with_name(f"expected-{release}.txt"))
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
    shares = [Share(python, driver, number, folder, names) for number in range(WORKERS)]
    try:
        while [share for share in shares if share.goes_on()]:
            time.sleep(1)
    finally:
        for share in shares:
            share.worker.kill()
    print(f"{driver}: {folder.name}, {time.monotonic() - began:.0f} s", flush=True)


class Share:
    """The tests of one worker, and the process that is at them.

    Tests of Nova's that run in native threads beside eventlet hang now and then, with either driver, and do not hear
    their time-out then. Such a test is tried again behind all others.
    """

    def __init__(self, python: Path, driver: str, number: int, folder: Path, names: list[str]) -> None:
        name = f"{driver}-{number}"
        self._outcomes, self._last = folder / f"{name}.txt", folder / f"{name}-last.txt"
        self._log = folder / f"{name}.log"
        self._command = ["setpriv", "--pdeathsig", "TERM"]  # they end also when we are killed
        self._command += [str(python), "-m", "nova_judge.run", driver, f"{number}/{WORKERS}", str(folder), *names]
        self._done, self._hung = -1, 0
        self._start()

    def _start(self) -> None:
        with self._log.open("a") as log:
            self.worker = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._log.parent)
        os.setpriority(os.PRIO_PROCESS, self.worker.pid, 10)
        self._since = time.monotonic()

    def goes_on(self) -> bool:
        """False when all is done. A worker at which nothing ends for a long time begins anew with the next test."""
        status = self.worker.poll()
        if status is not None:
            if status:
                sys.exit(f"a worker ended early: see {self._log}")
            return False
        done = len(self._outcomes.read_text().splitlines()) if self._outcomes.exists() else 0
        if done != self._done:
            self._done, self._since = done, time.monotonic()
        elif time.monotonic() - self._since > LIMIT:
            self._hung += 1
            if self._hung > RETRIES:
                sys.exit(f"tests hang again and again: see {self._log}")
            self.worker.kill()
            self.worker.wait()
            now = self._outcomes.with_suffix(".now")  # the test that was running, as the worker has noted it
            with self._last.open("a") as last:
                print(now.read_text() if now.exists() else "", file=last)
            self._start()
        return True


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


if __name__ == "__main__":
    leave(main)
