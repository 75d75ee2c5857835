"""A real sshd of a test's own, for one connection at a time and without a network: ssh starts it as its proxy."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from holdfast_lab.packages import SYSTEM_PATH

_SSHD = """\
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
"""
_SSH = """\
Host *
    User {user}
    IdentityFile {folder}/user
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    BatchMode yes
    ProxyCommand {sshd}
"""


def ssh_settings(folder: Path, host: str, user: str, run_in: Sequence[str]) -> Path:
    """The settings with which ssh reaches ``host`` as ``user``, where the command ``run_in`` runs what follows it.

    Keys and settings are in ``folder``; who runs the sshd has to be able to read its key ``host``.
    """
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "known").write_text(f"{host} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(_SSHD.format(folder=folder))
    sshd = shutil.which("sshd", path=SYSTEM_PATH)
    assert sshd is not None
    command = shlex.join([*run_in, sshd, "-i", "-e", "-f", str(folder / "sshd_config")])
    settings = folder / "ssh_config"
    settings.write_text(_SSH.format(folder=folder, user=user, sshd=command))
    return settings
