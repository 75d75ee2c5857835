"""Runs in Tempest's virtual environment: ``tempest_run.py FOLDER SHARE NAME...`` runs the tests of these modules.

SHARE is "0/2": the first of two processes, with every second class. FOLDER gets ``N.txt``, one line a test as it ends
(outcome, name, seconds), and ``N-why.txt``, the traceback of each that failed and the reason of each that was skipped.
"""

from __future__ import annotations

import re
import sys
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.pop(0)  # this file's folder, where modules have names of their own

if TYPE_CHECKING:
    from _typeshed import OptExcInfo


class Recorder(unittest.TestResult):
    """Writes each outcome as it comes. What happens to a class as a whole is the outcome of each of its tests."""

    def __init__(self, folder: Path, share: str, tests: list[str]) -> None:
        super().__init__()
        self._outcomes = (folder / f"{share}.txt").open("w", buffering=1)
        self._why = (folder / f"{share}-why.txt").open("w", buffering=1)
        self._tests = tests
        self._began = time.monotonic()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._began = time.monotonic()

    def _write(self, test: unittest.TestCase, outcome: str, why: str = "") -> None:
        whole = re.fullmatch(r"(?:setUp|tearDown)Class \((.*)\)", test.id())
        names = [name for name in self._tests if name.startswith(f"{whole[1]}.")] if whole else [_name(test)]
        for name in names:
            print(outcome, name, f"{time.monotonic() - self._began:.1f}", file=self._outcomes)
        if why:
            print(f"=== {outcome} {test.id()}\n{why}", file=self._why)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self._write(test, "passed")

    def addFailure(self, test: unittest.TestCase, err: OptExcInfo) -> None:
        self._write(test, "failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    def addError(self, test: unittest.TestCase, err: OptExcInfo) -> None:
        self.addFailure(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._write(test, "skipped", reason)


def _name(test: unittest.TestCase) -> str:
    """The test's name without its attributes, which are in brackets behind it."""
    return test.id().partition("[")[0]


def _flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _flat(each)
        else:
            yield each


def main(folder: str, share: str, *names: str) -> None:
    """Run them."""
    tests = list(_flat(unittest.defaultTestLoader.loadTestsFromNames(names)))
    number, of = map(int, share.split("/"))
    classes = sorted({type(test).__qualname__ + type(test).__module__ for test in tests})
    ours = set(classes[number::of])
    chosen = [test for test in tests if type(test).__qualname__ + type(test).__module__ in ours]
    unittest.TestSuite(chosen).run(Recorder(Path(folder), str(number), [_name(test) for test in chosen]))


if __name__ == "__main__":
    main(*sys.argv[1:])
