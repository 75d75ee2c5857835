"""The QEMU guest agent for the probe guest: the distribution's own binary, and udev, which tells it serial numbers.

Both packages are downloaded and unpacked, never installed. They lie behind the file system of the probe guest's disk,
where no boot reads them; the guest unpacks them when it is told to (``probe_guest/agent``).
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from holdfast_lab.errors import NO_AGENT_FILE, NO_AGENT_LIBRARIES

PACKAGES = ("qemu-guest-agent", "udev", "libsystemd-shared", "libkmod2")
"""What is downloaded; the libraries that these need besides are those of QEMU and of every system."""

_PROGRAMS = {"qemu-ga": "bin", "udevadm": "bin", **dict.fromkeys(("ata_id", "scsi_id", "cdrom_id"), "lib/udev")}
_RULES = ("60-block.rules", "60-cdrom_id.rules", "60-persistent-storage.rules")
"""The rules by which a disk gets the ID_SERIAL that the agent reports; none that would rename an interface."""

_OS_RELEASE = b'ID=probe\nNAME="probe guest"\nPRETTY_NAME="Holdfast\'s probe guest"\n'


def agent_archive(run: Callable[..., str], work: Path) -> bytes:
    """A compressed tar archive of the agent with all that it needs, to be unpacked over the guest's root folder.

    ``run`` runs a tool in the folder ``work`` and returns its output. Raises NO_AGENT_FILE,
    NO_AGENT_LIBRARIES, and what ``run`` raises.
    """
    run("apt-get", "-o", "APT::Sandbox::User=root", "download", *PACKAGES, cwd=work)
    system = work / "agent"
    for package in work.glob("*.deb"):
        run("dpkg-deb", "-x", str(package), str(system))
        package.unlink()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for target, file in _files(run, system):
            entry = tarfile.TarInfo(target)
            entry.mode, entry.size = 0o755, file.stat().st_size
            with file.open("rb") as data:
                tar.addfile(entry, data)
        release = tarfile.TarInfo("etc/os-release")
        release.size = len(_OS_RELEASE)
        tar.addfile(release, io.BytesIO(_OS_RELEASE))
    return gzip.compress(content.getvalue(), 6)


def _files(run: Callable[..., str], system: Path) -> Iterator[tuple[str, Path]]:
    """Where each file goes in the guest, and where it is here."""
    programs = {name: _found(system, name) for name in _PROGRAMS}
    for name, file in programs.items():
        yield f"{_PROGRAMS[name]}/{name}", file
    for rule in _RULES:
        yield f"lib/udev/rules.d/{rule}", _found(system, rule)
    own = sorted({str(file.parent) for file in system.rglob("lib*.so*")})
    said = run("env", f"LD_LIBRARY_PATH={':'.join(own)}", "ldd", *(str(file) for file in programs.values()))
    if absent := sorted(set(re.findall(r"(\S+) => not found", said))):
        raise NO_AGENT_LIBRARIES(libraries=absent)
    libraries = {Path(path) for path in re.findall(r"=> (/\S+)", said)}
    for library in sorted(libraries, key=lambda path: path.name):
        yield f"lib/{library.name}", library
    loaders = set(re.findall(r"^\s+(/\S*ld-linux\S*)", said, re.M))
    yield from ((loader.lstrip("/"), Path(loader)) for loader in sorted(loaders))


def _found(system: Path, name: str) -> Path:
    """The file of this name, wherever the distribution has it. Raises NO_AGENT_FILE."""
    for file in sorted(system.rglob(name)):
        if file.is_file() and not file.is_symlink():
            return file
    raise NO_AGENT_FILE(file=name)
