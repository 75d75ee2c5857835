"""A Python that has Nova and our driver."""

from __future__ import annotations

import subprocess

from nova_judge.install import LATEST, environment, install


def in_nova(*words: str, release: int = LATEST, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the judge's Python, which has Nova of this release, with more environment ``variables``."""
    command = [str(install(release)), *words]
    return subprocess.run(command, env=environment(release) | variables, capture_output=True, text=True)
