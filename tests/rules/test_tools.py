"""What tools can judge: format, lint, types, spelling, and how scripts end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.rules.architecture import ROOT


@pytest.mark.parametrize(
    "command",
    ["ruff format --check .", "ruff check --output-format concise .", "mypy", "codespell_lib"],
)
def test_tool_is_content(command: str) -> None:
    run = subprocess.run([sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_shell_scripts_parse() -> None:
    for script in [*ROOT.glob("scripts/*"), ROOT / ".ci" / "run"]:
        if script.is_file() and script.read_text().startswith("#!/bin/bash"):
            subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("command", ["bench", "nova_judge", "nova_lab"])
def test_a_script_whose_reader_has_gone_is_quiet(command: str) -> None:
    folders = os.pathsep.join(str(ROOT / "nova" / name) for name in ("judge", "lab"))
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", command, "--help"],
        cwd=ROOT,
        # Where Python does not buffer, argparse (3.12) hides that the write failed.
        env={**os.environ, "PYTHONPATH": folders, "PYTHONUNBUFFERED": ""},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, "")
