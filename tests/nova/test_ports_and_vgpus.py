"""Serial ports and vGPUs, which the host gives to one domain at a time: the stories of ``host_stories.py``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from nova_judge.install import environment, install

STORIES = Path(__file__).with_name("host_stories.py")


def run(stories: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Tell the stories of this class with our driver."""
    captured = {f"OS_{what}_CAPTURE": "1" for what in ("STDOUT", "STDERR", "LOG")}
    return subprocess.run(
        ["nice", str(install()), str(STORIES), "holdfast", stories],
        cwd=folder,
        env={**os.environ, **environment(), **captured},
        capture_output=True,
        text=True,
    )


def test_no_domain_is_started_with_a_port_of_the_host_that_another_has_by_now(tmp_path: Path) -> None:
    told = run("SerialPorts", tmp_path)
    assert told.returncode == 0, told.stderr


def test_rebuild_and_revert_give_a_domain_its_vgpus_again_but_for_those_that_another_has_by_now(tmp_path: Path) -> None:
    told = run("Vgpus", tmp_path)
    assert told.returncode == 0, told.stderr
