"""A plugin of pytest: instead of running all tests once, test mutants that are asked for, one after another.

Fixtures of the session, such as a libvirt, stay. A test that has killed a mutant of a function is the first for its
next one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from itertools import groupby

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test

SURVIVED, KILLED = 0, 1
"""mutmut's exit codes of a mutant's tests."""

PIPES = "MUTANT_SESSION_PIPES"
"""The environment variable that names the ends of the pipes in which a session is asked, and answers."""


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Answer "ready", then each question, until there are no more.

    ``["MUTANT", ["TEST", …]]`` is answered with the exit code of these tests, ``null`` with whether the tests that
    failed since the last such question pass without a mutant: "proved", else "broken".
    """
    asked, answered = (int(end) for end in os.environ.pop(PIPES).split())
    tests = {item.nodeid: item for item in session.items}
    loop = _Loop(session)
    with os.fdopen(asked) as questions, os.fdopen(answered, "w") as answers:
        print("ready", file=answers, flush=True)
        for line in questions:
            question = json.loads(line)
            if question is None:
                answer = "proved" if loop.all_is_well() else "broken"
            else:
                answer = str(loop.test(question[0], [tests[name] for name in question[1]]))
            print(answer, file=answers, flush=True)
    return True


class _Loop:
    """What a session knows of its tests: how long each took, and which killed the mutants of a function."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._took: dict[pytest.Item, float] = {}
        self._killers: dict[str, list[pytest.Item]] = {}
        self._unproved: dict[pytest.Item, None] = {}

    def test(self, mutant: str, tests: list[pytest.Item]) -> int:
        """The exit code of one mutant's tests."""
        killers = self._killers.setdefault(mutant.rpartition("__mutmut_")[0], [])
        for test in self._ordered(tests, [*killers]):
            if self._fails(test, mutant):
                killers[:] = [test, *(each for each in killers if each is not test)]
                self._unproved[test] = None
                return KILLED
        return SURVIVED

    def all_is_well(self) -> bool:
        """Whether the tests that killed since this was asked last pass without a mutant."""
        tests = [*self._unproved]
        self._unproved.clear()
        return not any(self._fails(test, "") for test in tests)

    def _ordered(self, tests: list[pytest.Item], killers: list[pytest.Item]) -> Iterator[pytest.Item]:
        """The tests that have killed come first, then those of the quickest file, and in it the quickest."""
        yield from killers
        others = sorted((test for test in tests if test not in killers), key=lambda test: str(test.path))
        files = [list(of_file) for _, of_file in groupby(others, key=lambda test: test.path)]
        for of_file in sorted(files, key=lambda each: sum(map(self._seconds, each)) / len(each)):
            yield from sorted(of_file, key=self._seconds)

    def _seconds(self, test: pytest.Item) -> float:
        return self._took.get(test, 0)

    def _fails(self, test: pytest.Item, mutant: str) -> bool:
        # A node above the test as what comes next keeps all fixtures but its own (pytest 9.0).
        self._session._setupstate.teardown_exact(test)
        set_mutant_under_test(mutant)
        began = time.monotonic()
        reports = runtestprotocol(test, log=False, nextitem=test.parent)  # type: ignore[arg-type]
        self._took[test] = time.monotonic() - began
        set_mutant_under_test("")
        return any(report.failed for report in reports)
