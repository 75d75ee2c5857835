"""The judge's virtual environment: Nova from PyPI at pinned versions, with what its tests need.

It is kept under ``~/.cache/holdfast/nova-judge`` and made anew when a pin changes. The pins are what pip chose for
``nova==34.0.0`` and ``SQLAlchemy<2.1`` (Nova's own table definitions fail with 2.1) in November 2026, with the
packages of Nova's test-requirements.txt that these tests import. Of an earlier release there is Nova alone, in a folder
that Python looks into first, so that it runs with the packages of the latest one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
"""The repository that this file is in."""

LATEST = 34
EARLIER = {33: "33.0.2"}
"""The other releases that the driver is for, with a version of each."""

_PYTHON = "/usr/bin/python3"
"""The distribution's: its binding fits its libvirt."""

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def cache() -> Path:
    """The folder of what is kept from one run to the next."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast" / "nova-judge"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def install(release: int = LATEST) -> Path:
    """The Python of the environment, which is made when there is none that fits. Takes half a minute.

    With an earlier ``release`` that Nova is there afterwards, too.
    """
    pins = hashlib.sha256(_REQUIREMENTS.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    folder = cache() / pins
    python = folder / "bin" / "python"
    with (cache() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            print("Installing Nova and what its tests need", flush=True)
            subprocess.run([_PYTHON, "-m", "venv", "--clear", str(folder)], check=True)
            _pip(python, "--no-deps", "--no-compile", "--requirement", str(_REQUIREMENTS))
            (packages,) = folder.glob("lib/python3*/site-packages")
            for path in Path("/usr/lib/python3/dist-packages").glob("libvirt*"):
                (packages / path.name).symlink_to(path)
            # Nova's tests look for it beside the package, and the wheel brings it elsewhere.
            shutil.copytree(folder / "etc" / "nova", packages / "etc" / "nova")
            (folder / "complete").touch()
        if release in EARLIER and not (earlier := _folder_of(release)).exists():
            with tempfile.TemporaryDirectory(dir=cache()) as made:
                _pip(python, "--no-deps", "--no-compile", "--target", made, f"nova=={EARLIER[release]}")
                shutil.copytree(made, earlier)
    return python


def _folder_of(release: int) -> Path:
    return cache() / f"nova-{EARLIER[release]}"


def environment(release: int = LATEST) -> dict[str, str]:
    """The environment variables with which that Python finds this checkout's packages, and Nova of this ``release``."""
    paths = [CHECKOUT / part for part in ("src", "lab/src", "nova/src", "nova/judge")]
    if release in EARLIER:
        paths.insert(0, _folder_of(release))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONWARNINGS": "ignore"}


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"pip failed: {(done.stderr or done.stdout).strip()[-2000:]}")
