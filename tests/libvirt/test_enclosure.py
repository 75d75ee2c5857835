"""An enclosure ends with whoever started it, and takes everything inside along."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def started() -> tuple[subprocess.Popen[str], Path]:
    """An enclosure with a long-running process in the background, and its temporary folder."""
    command = [sys.executable, "-m", "holdfast_lab.enclosure", "sh", "-c", "echo $TMPDIR; sleep 600 & sleep 600"]
    enclosure = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert enclosure.stdout is not None
    return enclosure, Path(enclosure.stdout.readline().strip())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_enclosure_leaves_no_process(how: signal.Signals) -> None:
    enclosure, _ = started()
    enclosure.send_signal(how)
    output, _ = enclosure.communicate(timeout=20)  # returns when the last process that could write has ended
    assert output == ""


def test_terminated_enclosure_leaves_no_files() -> None:
    enclosure, folder = started()
    assert folder.is_dir()
    enclosure.terminate()
    enclosure.wait(20)
    assert not folder.exists()


def test_exit_status_is_that_of_the_command() -> None:
    assert subprocess.run([sys.executable, "-m", "holdfast_lab.enclosure", "sh", "-c", "exit 7"]).returncode == 7
