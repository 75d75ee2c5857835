"""mutmut's command line, for tests that start a libvirt of their own.

mutmut forks for each mutant. A process with a libvirt inside cannot be forked, and starting one takes longer than most
tests. Here each worker is a pytest that goes on from mutant to mutant, with the libvirt it has started
(mutant_session). After a few mutants the tests that failed are run again without one. If a test fails then, too, the
session is no longer as it was, and each of these mutants is tested again in a new one.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import IO, NamedTuple

import mutmut.__main__ as command_line
from mutant_session import KILLED, PIPES
from mutmut.configuration import config
from mutmut.runners.harness import PytestRunner
from mutmut.workers.isolation import ForkServerRunner, MutantResult

SUSPICIOUS, TIMEOUT = 35, 36
"""mutmut's exit codes for tests that end in an unknown way, and for those that do not end."""

BATCH = 8
"""So many mutants are tested before the tests that killed them are run again."""

PROOF_SECONDS = 600
"""What that may take."""


class Mutant(NamedTuple):
    """A mutant, the tests that call its function, and how long they may take."""

    name: str
    tests: list[str]
    seconds: float


class Session:
    """A pytest in a process of its own, which tests one mutant after another; started when it is needed."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._pytest: subprocess.Popen[bytes] | None = None
        self._questions: IO[str]
        self._answers: IO[str]

    def test(self, mutants: list[Mutant]) -> dict[str, int]:
        """The exit code of each mutant's tests."""
        codes = {mutant.name: self._test(mutant) for mutant in mutants}
        killed = [mutant for mutant in mutants if codes[mutant.name] == KILLED]
        has_ended = bool({TIMEOUT, SUSPICIOUS} & set(codes.values()))
        if not killed or (not has_ended and self._ask(None, PROOF_SECONDS) == "proved"):
            return codes
        self.end()
        if len(mutants) == 1:
            return {mutants[0].name: SUSPICIOUS}
        return codes | {name: code for mutant in killed for name, code in self.test([mutant]).items()}

    def _test(self, mutant: Mutant) -> int:
        answer = self._ask([mutant.name, mutant.tests], mutant.seconds)
        if not answer:
            self.end()
        return TIMEOUT if answer is None else int(answer or SUSPICIOUS)

    def _ask(self, question: object, seconds: float) -> str | None:
        """What the pytest answers; None if not within ``seconds``, "" if it has ended."""
        if self._pytest is None:
            self._start()
        print(json.dumps(question), file=self._questions, flush=True)
        if not select.select([self._answers], [], [], seconds)[0]:
            return None
        return self._answers.readline().strip()

    def _start(self) -> None:
        asked, ask = os.pipe()
        answer, answered = os.pipe()
        quickly = ["--assert=plain", "--tb=native", "--rootdir=."]  # nobody reads why a test failed
        self._pytest = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "mutant_session", *quickly, *self._arguments],
            cwd="mutants",
            env=os.environ | {PIPES: f"{asked} {answered}", "MUTANT_UNDER_TEST": ""},
            pass_fds=(asked, answered),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(asked)
        os.close(answered)
        self._questions, self._answers = os.fdopen(ask, "w"), os.fdopen(answer)
        self._answers.readline()  # its tests are collected

    def end(self) -> None:
        """End the pytest, if need be in the middle of a test."""
        if self._pytest is None:
            return
        self._questions.close()
        for ending in (signal.SIGINT, signal.SIGKILL):
            os.killpg(self._pytest.pid, ending)
            try:
                self._pytest.wait(30)
                break
            except subprocess.TimeoutExpired:
                continue
        self._answers.close()
        self._pytest = None


class Sessions(ForkServerRunner):  # type: ignore[misc]
    """Tests mutants in sessions; what comes before it is done as by mutmut."""

    def run_clean_tests(self, tests: Iterable[str]) -> int:
        """Tests that fail without a mutant are noticed when they fail with one."""
        return 0

    def run_forced_fail(self) -> int:
        """Which tests reach the mutants was seen when they were counted."""
        return 1

    def startup(self) -> None:
        """Start the workers."""
        settings = config()
        arguments = [*settings.pytest_add_cli_args_test_selection, *settings.pytest_add_cli_args]
        self._sessions = [Session(arguments) for _ in range(self.max_workers)]
        self._mutants = queue.Queue[Mutant]()
        self._results = queue.Queue[MutantResult]()
        self._submitted = 0
        for session in self._sessions:
            threading.Thread(target=self._work, args=(session,), daemon=True).start()

    def _work(self, session: Session) -> None:
        while True:
            batch = [self._mutants.get()]
            while len(batch) < BATCH and not self._mutants.empty():
                batch.append(self._mutants.get())
            for name, code in session.test(batch).items():
                self._results.put(MutantResult(name, code, 0))

    def submit(self, mutant_name: str, tests: list[str], cpu_time_limit: int, estimated_time: float) -> None:
        """Give a mutant to the workers."""
        self._submitted += 1
        self._mutants.put(Mutant(mutant_name, tests, cpu_time_limit / 2))

    def has_capacity(self) -> bool:
        """Whether a worker might have nothing to do."""
        return bool(self._submitted < 2 * BATCH * self.max_workers)

    def wait_for_result(self, timeout: float | None = None) -> MutantResult:
        """The next result of any worker."""
        result = self._results.get(timeout=timeout)
        self._submitted -= 1
        return result

    def pending_count(self) -> int:
        """How many mutants have no result yet."""
        return self._submitted

    def signal_work_complete(self) -> None:
        """Sessions wait for more until they are ended."""

    def stop_all_workers(self) -> None:
        """They are ended by what comes next."""

    def shutdown(self) -> None:
        """End all sessions."""
        for session in self._sessions:
            session.end()


def sessions(max_workers: int = 1) -> Sessions:
    """What mutmut calls to have its mutants tested."""
    return Sessions(max_workers, PytestRunner, {})


if __name__ == "__main__":
    command_line.get_mutant_runner = sessions
    command_line.cli()
