"""What tools can judge: format, lint, types, spelling, how scripts end, and what the built package holds."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel of a copy of this tree."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ["src", "pyproject.toml", "LICENSE", "README.md"]:
        subprocess.run(["cp", "-a", str(ROOT / name), str(copy)], check=True)
    target = tmp_path_factory.mktemp("dist")
    build = "import hatchling.build as b, sys; d = sys.argv[1]; b.build_sdist(d); b.build_wheel(d)"
    subprocess.run([sys.executable, "-c", build, str(target)], cwd=copy, check=True, capture_output=True)
    return target


def shipped(archive: Path) -> set[str]:
    """The file names in a wheel or an sdist, without the folder that an sdist puts around them."""
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


def test_wheel_and_sdist_hold_all_of_the_package(built: Path) -> None:
    package = {
        str(path.relative_to(ROOT / "src"))
        for path in ROOT.glob("src/holdfast/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"holdfast/py.typed", "holdfast/cli/main.py", "holdfast/operations/__init__.pyi"} <= package
    wheel = shipped(next(built.glob("*.whl")))
    sdist = shipped(next(built.glob("*.tar.gz")))
    assert package <= wheel
    assert {f"src/{name}" for name in package} <= sdist
    assert any(name.endswith("LICENSE") for name in wheel)
    assert "LICENSE" in sdist


@pytest.mark.parametrize("command", ["bench", "nova_judge", "nova_lab"])
def test_a_script_whose_reader_has_gone_is_quiet(command: str) -> None:
    folders = os.pathsep.join(str(ROOT / "nova" / name) for name in ("judge", "lab"))
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", command, "--help"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": folders},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, "")
