"""Run a share of the tests in this process: ``python -m nova_judge.run DRIVER SHARE FOLDER TEST...``.

The Python is the one of the judge's environment. DRIVER is ``stock`` or ``holdfast``; SHARE is "0/2": the first of two
processes. TEST is the name of a package, module, class or test, and * stands for any text. FOLDER gets
``DRIVER-N.txt``, one line a test as it ends (outcome, id, seconds), and ``DRIVER-N-why.txt``, the traceback of each
that failed and the reason of each that was skipped. What has an outcome there already is not run again, and the tests
that ``DRIVER-N-last.txt`` names are run last.
"""

from __future__ import annotations

import fnmatch
import functools
import importlib
import importlib.util
import os
import pkgutil
import sys
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

_ENVIRONMENT = {
    "OS_STDOUT_CAPTURE": "1",
    "OS_STDERR_CAPTURE": "1",
    "OS_LOG_CAPTURE": "1",
    "OS_TEST_TIMEOUT": "160",
}
"""What Nova's own tox.ini sets."""


class Recorder(unittest.TestResult):
    """Writes each outcome as it comes."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__()
        self._outcomes = (folder / f"{name}.txt").open("a", buffering=1)
        self._now = folder / f"{name}.now"
        self._why = (folder / f"{name}-why.txt").open("a", buffering=1)
        self._began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._now.write_text(test.id())
        self._began = time.monotonic()

    def _write(self, test: unittest.TestCase, outcome: str, why: str | None = None) -> None:
        print(outcome, test.id(), f"{time.monotonic() - self._began:.1f}", file=self._outcomes)
        if why is not None:
            print(f"=== {outcome} {test.id()}\n{why}", file=self._why)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self._write(test, "passed")

    def addFailure(self, test: unittest.TestCase, err: OptExcInfo) -> None:
        self._write(test, "failed", self._text(err, test))

    def addError(self, test: unittest.TestCase, err: OptExcInfo) -> None:
        self._write(test, "failed", self._text(err, test))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._write(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: OptExcInfo) -> None:
        self._write(test, "xfailed")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self._write(test, "xpassed")

    def _text(self, err: OptExcInfo, test: unittest.TestCase) -> str:
        return str(self._exc_info_to_string(err, test))  # type: ignore[attr-defined]


def load(name: str) -> list[unittest.TestCase]:
    """The tests of a package with all its modules, of a module or of a class, or one test; * stands for any text."""
    module = name.partition("*")[0].rpartition(".")[0] if "*" in name else name
    while not _is_module(module):
        module = module.rpartition(".")[0]
    return [test for test in _tests_of(module) if fnmatch.fnmatchcase(test.id(), name) or f"{name}." in test.id()]


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@functools.cache
def _tests_of(name: str) -> list[unittest.TestCase]:
    path = getattr(importlib.import_module(name), "__path__", None)
    modules = [found.name for found in pkgutil.walk_packages(path, f"{name}.")] if path else [name]
    tests = [name for name in modules if name.rpartition(".")[2].startswith("test_")]
    return [test for name in tests for test in _flat(unittest.TestLoader().loadTestsFromName(name))]


def _flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _flat(each)
        else:
            yield each


def main(driver: str, share: str, folder: str, *names: str) -> None:
    """Run them."""
    os.environ.update(_ENVIRONMENT)
    (kind,) = {".".join(name.split(".")[:3]) for name in names}  # nova.tests.unit or nova.tests.functional
    importlib.import_module(kind)  # patches the standard library for eventlet: before all else
    from nova_judge import fake_libvirt, swap

    fake_libvirt.install()
    if driver == "holdfast":
        swap.swap()
    number, of = map(int, share.split("/"))
    found = {name: load(name) for name in names}
    if unknown := [name for name, tests in found.items() if not tests]:
        sys.exit(f"Nova has no such test: {', '.join(unknown)}")
    tests = sorted({test.id(): test for tests in found.values() for test in tests}.items())
    fake_libvirt.complete_unit_tests()
    into, name = Path(folder), f"{driver}-{number}"
    recorder = Recorder(into, name)
    done = {line.split()[1] for line in (into / f"{name}.txt").read_text().splitlines()}
    last = into / f"{name}-last.txt"
    postponed = last.read_text().split() if last.exists() else []
    for _, test in sorted(tests[number::of], key=lambda each: each[0] in postponed):
        if test.id() not in done:
            test.run(recorder)


if __name__ == "__main__":
    main(*sys.argv[1:])
