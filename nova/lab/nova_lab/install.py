"""The virtual environments of the lab: OpenStack from PyPI at pinned versions, and the wheels of this checkout.

They are kept under ``~/.cache/holdfast/nova-lab`` and made anew when a pin changes.
"""

from __future__ import annotations

import concurrent.futures
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from nova_lab.world import CHECKOUT, LabError

LATEST = 34
RELEASES = {34: "34.0.0", 33: "33.0.2"}
"""Release of Nova that the driver is for → its version here."""

_PROJECTS = (CHECKOUT, CHECKOUT / "nova")
"""The distributions that a compute node has."""

PYTHON = "/usr/bin/python3"
"""The distribution's: its bindings of libvirt, rados and rbd fit its libraries."""

_BINDINGS = {"controllers": ("rados*", "rbd*"), "compute": ("libvirt*", "rados*", "rbd*"), "tempest": ()}
"""Name of an environment → what of the distribution's Python packages is linked into it."""

_MECHANISM = {
    "METADATA": "Metadata-Version: 2.1\nName: nova-lab\nVersion: 0\n",
    "entry_points.txt": "[neutron.ml2.mechanism_drivers]\nnova_lab = nova_lab_mechanism:LabMechanismDriver\n",
    "RECORD": "",
}


@dataclass(frozen=True)
class Venvs:
    """The two environments: ``compute`` is Nova's (all of its services run in it), ``controllers`` the others'."""

    controllers: Path
    compute: Path
    release: int


def cache() -> Path:
    """The folder of what is kept from one lab to the next."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast" / "nova-lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fingerprint(*parts: bytes) -> str:
    """A short name for these contents."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def requirements(name: str, release: int = LATEST) -> bytes:
    """The pinned packages of this environment; an earlier ``release`` of Nova has those of the latest one around it."""
    pins = files("nova_lab").joinpath(f"{name}.txt").read_text()
    return pins.replace(f"nova=={RELEASES[LATEST]}\n", f"nova=={RELEASES[release]}\n").encode()


def install(release: int = LATEST) -> Venvs:
    """Both environments, made when there are none that fit, with this checkout's wheels in Nova's. Takes a minute."""
    with (cache() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            controllers, compute = pool.map(_environment, ("controllers", "compute"), (LATEST, release))
        venvs = Venvs(controllers, compute, release)
        install_checkout(venvs)
    return venvs


def install_tempest() -> Path:
    """Tempest's own environment, made when there is none that fits."""
    with (cache() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _environment("tempest", LATEST)


def install_checkout(venvs: Venvs) -> bool:
    """Install this checkout's ``holdfast`` and ``holdfast-nova`` for Nova; False when they are."""
    stamp = venvs.compute / "checkout"
    sources = list(_sources())
    now = fingerprint(*(str(path).encode() + path.read_bytes() for path in sources))
    if stamp.exists() and stamp.read_text() == now:
        return False
    _pip(venvs.compute, "--no-deps", "--no-build-isolation", "--force-reinstall", "--compile", *map(str, _PROJECTS))
    stamp.write_text(now)
    return True


def _sources() -> Iterator[Path]:
    """The files of which the checkout's wheels are made."""
    for project in _PROJECTS:
        found = [*project.iterdir(), *project.joinpath("src").rglob("*")]
        yield from sorted(path for path in found if path.is_file() and path.suffix != ".pyc")


def _environment(name: str, release: int) -> Path:
    """One environment, by the fingerprint of its pins; those of other pins stay, for other checkouts."""
    ours = b"".join(files("nova_lab").joinpath(file).read_bytes() for file in ("install.py", "mechanism.py"))
    pins = requirements(name, release)
    folder = cache() / f"{name}-{fingerprint(pins, ours)}"
    if (folder / "complete").exists():
        return folder
    subprocess.run([PYTHON, "-m", "venv", "--clear", folder], check=True)
    (folder / "requirements.txt").write_bytes(pins)
    _pip(folder, "--no-deps", "--requirement", str(folder / "requirements.txt"))
    (packages,) = folder.glob("lib/python3*/site-packages")
    for pattern in _BINDINGS[name]:
        for path in Path("/usr/lib/python3/dist-packages").glob(pattern):
            (packages / path.name).symlink_to(path)
    if name == "compute":  # runs as a user who cannot write here
        own = [packages / part for part in ("nova/compute", "nova/virt", "os_brick", "os_vif", "vif_plug_ovs")]
        subprocess.run([folder / "bin/python", "-m", "compileall", "-q", *own], check=True)
    if name == "controllers":
        shutil.copyfile(Path(__file__).with_name("mechanism.py"), packages / "nova_lab_mechanism.py")
        described = packages / "nova_lab-0.dist-info"
        described.mkdir()
        for file, text in _MECHANISM.items():
            (described / file).write_text(text)
    (folder / "complete").touch()
    return folder


def _pip(venv: Path, *arguments: str) -> None:
    """Run pip install. Nothing is compiled: a service compiles what it imports, a third of what pip would."""
    pip = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "install", "--no-compile", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"pip failed: {(done.stderr or done.stdout).strip()[-2000:]}")
