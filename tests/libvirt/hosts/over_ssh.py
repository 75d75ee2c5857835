"""A private host as libvirt reaches one over ssh: behind a real sshd in its namespaces."""

from __future__ import annotations

from pathlib import Path

from holdfast_lab.daemon import Host
from tests.libvirt.sshd import ssh_settings


def ssh_uri(host: Host, folder: Path) -> str:
    """The URI of ``host`` over ssh, as root; keys and settings are in ``folder``."""
    (host.folder / "run" / "sshd").mkdir(exist_ok=True)
    inside = ("nsenter", f"--target={host.inside}", "--mount", "--net", "--uts", "--ipc", "--pid")
    settings = ssh_settings(folder, host.name, "root", inside)
    ssh = folder / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec ssh -F {settings} "$@"\n')
    ssh.chmod(0o755)
    return f"qemu+ssh://root@{host.name}/system?command={ssh}"
