"""apt with lists and a cache of its own: packages of another release or architecture, from the machine's own mirror.

Nothing is installed, and the machine's apt and dpkg do not know of it.
"""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

from holdfast_lab import errors


class PrivateApt:
    """The packages of the release ``codename`` for ``arch`` (None: the machine's own), as if none were installed."""

    def __init__(self, folder: Path, codename: str, arch: str | None = None) -> None:
        """Read the lists into ``folder``. Raises NO_MIRROR and PACKAGES_NOT_DOWNLOADED."""
        self._archives = folder / "archives"
        self._archives.mkdir()
        keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        signed = f"[signed-by={keys}] " if keys.exists() else ""
        sources = "".join(f"deb {signed}{uri} {codename} main\n" for uri in _mirrors(arch or codename))
        (folder / "sources.list").write_text(sources)
        (folder / "status").touch()
        settings = {
            "Dir::Etc::sourcelist": f"{folder}/sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State": folder,
            "Dir::State::status": f"{folder}/status",
            "Dir::Cache": folder,
            "Acquire::Languages": "none",
            "Acquire::Retries": 3,
            "APT::Sandbox::User": "root",
        }
        if arch:
            settings |= {"APT::Architecture": arch, "APT::Architectures": arch}
        self._options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        self.run("apt-get", "--error-on=any", "update")

    def run(self, tool: str, *arguments: str) -> str:
        """Run apt-get or apt-cache on these lists; return what it prints. Raises PACKAGES_NOT_DOWNLOADED."""
        return _run(tool, *self._options, *arguments, folder=self._archives)

    def download(self, *packages: str) -> Path:
        """The folder with the archives of ``packages``, without what these depend on."""
        self.run("apt-get", "download", *packages)
        return self._archives


def _mirrors(wanted: str) -> list[str]:
    """Where the machine's own release comes from."""
    own = platform.freedesktop_os_release()["VERSION_CODENAME"]
    listed = _run("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
    mirrors = sorted({uri for name, _, uri in (line.partition(" ") for line in listed.splitlines()) if name == own})
    if not mirrors:
        raise errors.NO_MIRROR(codename=own, release=wanted)
    return mirrors


def _run(*command: str, folder: Path | None = None) -> str:
    result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        said = re.findall(r"^[EW]: .*", result.stderr, re.M) or result.stderr.strip().splitlines()
        raise errors.PACKAGES_NOT_DOWNLOADED(reason=" ".join(said[:2]) or command[0])
    return result.stdout
