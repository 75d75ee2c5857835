"""A private host as libvirt reaches one over ssh: behind a real sshd in its namespaces, without a network."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from holdfast_lab.daemon import Host
from holdfast_lab.packages import SYSTEM_PATH

_SSHD = """\
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
"""
_SSH = """\
Host {name}
    IdentityFile {folder}/user
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    BatchMode yes
    ProxyCommand {sshd}
"""


def ssh_uri(host: Host, folder: Path) -> str:
    """The URI of ``host`` over ssh, as root; keys and settings are in ``folder``."""
    (host.folder / "run" / "sshd").mkdir(exist_ok=True)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "known").write_text(f"{host.name} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(_SSHD.format(folder=folder))
    sshd = shutil.which("sshd", path=SYSTEM_PATH)
    assert sshd is not None
    inside = ("nsenter", f"--target={host.inside}", "--mount", "--net", "--uts", "--ipc", "--pid")
    command = shlex.join([*inside, sshd, "-i", "-e", "-f", str(folder / "sshd_config")])
    (folder / "ssh_config").write_text(_SSH.format(name=host.name, folder=folder, sshd=command))
    ssh = folder / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec ssh -F {folder}/ssh_config "$@"\n')
    ssh.chmod(0o755)
    return f"qemu+ssh://root@{host.name}/system?command={ssh}"
