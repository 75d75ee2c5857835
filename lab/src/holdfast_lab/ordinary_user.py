"""Somebody on a private host who is not root: with the group libvirt as its only right, or with no right at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from holdfast_lab.daemon import Host
from holdfast_lab.enclosure import ORDINARY, ORDINARY_HOME


class OrdinaryUser:
    """The user on ``host``, ``in_group`` libvirt or not. What it runs sees the host as one who has logged in there.

    Raises RuntimeError where it cannot read this program.
    """

    def __init__(self, host: Host, *, in_group: bool = True) -> None:
        self._inside = host.inside
        self._groups = "--groups=libvirt" if in_group else "--clear-groups"
        self.home = Path(ORDINARY_HOME)
        """Its home, in the host's own world."""
        self._home = host.folder / "run" / self.home.name
        for folder in (self._home, self._home / "runtime"):
            folder.mkdir(mode=0o700, exist_ok=True)
            shutil.chown(folder, ORDINARY, ORDINARY)
        if self.run("test", "-r", __file__).returncode != 0:
            raise RuntimeError(f"only root can read {__file__}, which a user on a private host runs, too")

    def put(self, name: str, content: bytes) -> str:
        """A file in its home, which belongs to it with the folders on the way; return its path on the host."""
        path = self._home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
        for each in (path, *path.parents[: len(Path(name).parents) - 1]):
            shutil.chown(each, ORDINARY, ORDINARY)
        return str(self.home / name)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run ``command``, wait for its end, and return what it said."""
        enter = ["nsenter", f"--target={self._inside}", "--mount", "--net", "--uts", "--ipc", "--pid", "--wdns=/"]
        become = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", self._groups]
        bounds = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        environment = {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_RUNTIME_DIR": str(self.home / "runtime"),
        }
        return subprocess.run(
            [*enter, *become, *bounds, "--", *command], env=environment, text=True, capture_output=True, check=False
        )

    def holdfast(self, *args: str, uri: str = "qemu:///system") -> subprocess.CompletedProcess[str]:
        """Run ``holdfast -c uri args``."""
        return self.run(sys.executable, "-m", "holdfast", "-c", uri, *args)

    def virsh(self, *args: str, uri: str = "qemu:///system") -> subprocess.CompletedProcess[str]:
        """Run ``virsh -c uri args``."""
        return self.run("virsh", "-c", uri, *args)
