"""What the stories tell: of serial ports, vGPUs and CPUs, which a host gives to domains, of rescue and the history."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nova_judge.install import CHECKOUT, environment, install


def run(stories: str, folder: Path, file: str = "host_stories.py", **settings: str) -> subprocess.CompletedProcess[str]:
    """Tell the stories of this class with our driver, with these environment variables."""
    captured = {f"OS_{what}_CAPTURE": "1" for what in ("STDOUT", "STDERR", "LOG")}
    paths = {"PYTHONPATH": os.pathsep.join([environment()["PYTHONPATH"], str(CHECKOUT)])}
    return subprocess.run(
        ["nice", str(install()), str(Path(__file__).with_name(file)), "holdfast", stories],
        cwd=folder,
        env={**os.environ, **environment(), **paths, **captured, **settings},
        capture_output=True,
        text=True,
    )


def test_no_domain_is_started_with_a_port_of_the_host_that_another_has_by_now(tmp_path: Path) -> None:
    told = run("SerialPorts", tmp_path)
    assert told.returncode == 0, told.stderr


def test_rebuild_and_revert_give_a_domain_its_vgpus_again_but_for_those_that_another_has_by_now(tmp_path: Path) -> None:
    told = run("Vgpus", tmp_path)
    assert told.returncode == 0, told.stderr


def test_instance_whose_cpu_the_host_cannot_give_is_not_switched_off_or_gets_novas_as_the_policy_says(
    tmp_path: Path,
) -> None:
    told = run("Cpus", tmp_path, "start_stories.py")
    assert told.returncode == 0, told.stderr


def test_rescue_leaves_nothing_on_the_host_that_others_can_read(tmp_path: Path) -> None:
    told = run("Rescues", tmp_path, "start_stories.py")
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("threading", ["", "yes"], ids=["eventlet", "threading"])
def test_each_request_is_in_the_history_with_who_asked_and_waits_for_nobody_who_writes_it(
    tmp_path: Path, threading: str
) -> None:
    told = run("History", tmp_path, OS_NOVA_DISABLE_EVENTLET_PATCHING=threading)
    assert told.returncode == 0, told.stderr
