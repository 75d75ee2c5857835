"""An enclosure ends with whoever started it, and takes everything inside along."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast_lab.patience import PATIENCE


@pytest.fixture
def enclosure() -> Iterator[subprocess.Popen[str]]:
    """An enclosure that prints its temporary folder, with two processes that end with it only."""
    command = [sys.executable, "-m", "holdfast_lab.enclosure", "sh", "-c", "echo $TMPDIR; sleep inf & sleep inf"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def folder_of(enclosure: subprocess.Popen[str]) -> Path:
    assert enclosure.stdout is not None
    return Path(enclosure.stdout.readline().strip())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_enclosure_leaves_no_process(enclosure: subprocess.Popen[str], how: signal.Signals) -> None:
    folder_of(enclosure)
    enclosure.send_signal(how)
    output, _ = enclosure.communicate(timeout=PATIENCE)  # returns when the last process that could write has ended
    assert output == ""


def test_terminated_enclosure_leaves_no_files(enclosure: subprocess.Popen[str]) -> None:
    folder = folder_of(enclosure)
    assert folder.is_dir()
    enclosure.terminate()
    enclosure.wait(PATIENCE)
    assert not folder.exists()


def test_exit_status_is_that_of_the_command() -> None:
    assert subprocess.run([sys.executable, "-m", "holdfast_lab.enclosure", "sh", "-c", "exit 7"]).returncode == 7
