"""Processes of ``holdfast`` by the hundred: one that has imported everything, and forks for each command.

``python -m tests.libvirt.edges.forked`` reads a request a line, and answers each with the exit code. Its children are
what a process of ``holdfast`` is after the start of Python: their standard streams are real files, or closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from tests.rules.test_commands import COMMANDS  # it imports every command

ROOT = Path(__file__).parents[3]


class Ended(NamedTuple):
    """How a command ended, and what it said on standard error."""

    code: int
    said: str


class Forking:
    """The process that forks. ``folder`` is for what its children say."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._errors = folder / "stderr"

    def run(self, *arguments: str, stdout: Path | None) -> Ended:
        """Run ``holdfast`` with such arguments and standard output; None closes it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = arguments, None if stdout is None else str(stdout), str(self._errors)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Ended(code, self._errors.read_text())


@contextlib.contextmanager
def forking(folder: Path, *options: str, **environment: str) -> Iterator[Forking]:
    """A process that forks, with such options of Python's and such an environment; gone at the end."""
    command = [sys.executable, *options, "-m", __name__]
    surroundings = {**os.environ, **environment}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings
    ) as process:
        yield Forking(process, folder)
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> None:
    assert COMMANDS
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in requests:
        child = os.fork()
        if child == 0:
            _be_holdfast(*json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _be_holdfast(arguments: list[str], stdout: str | None, stderr: str) -> NoReturn:
    from holdfast.__main__ import main

    encoding = sys.stdout.encoding
    os.closerange(0, 3)  # the others are libvirt's: its log has one since it was imported
    for path in (os.devnull, stdout or os.devnull, stderr):
        number = os.open(path, os.O_RDWR | os.O_CREAT | (0 if path == "/dev/full" else os.O_TRUNC))
        os.set_inheritable(number, True)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as Python has it
    sys.stderr = open(2, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    if stdout is None:
        os.close(1)
        sys.stdout = None
    else:
        sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.argv[1:] = arguments
    main()


if __name__ == "__main__":
    _serve()
