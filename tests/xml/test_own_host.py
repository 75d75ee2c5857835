"""The command line that asks on a libvirt's own host, as the shells here and there understand it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from holdfast.cli.own_host import asked_there

LOG = ("log", "it's ä")


@pytest.mark.parametrize(
    ("uri", "ssh", "there"),
    [
        ("qemu+ssh://far/system", ["far"], "qemu:///system"),
        ("qemu+ssh://anna@far:2222/session", ["-p", "2222", "anna@far"], "qemu:///session"),
        ("qemu+libssh2://an%20na@[fe80::1]/system?no_verify=1", ["an na@fe80::1"], "qemu:///system"),
        ("qemu+ssh://far/system?keyfile=/my%20key", ["-i", "/my key", "far"], "qemu:///system"),
        ("qemu+ssh://far/system?socket=/run/other", ["far"], "qemu:///system?socket=/run/other"),
    ],
)
def test_ssh_runs_there_what_was_asked_for(tmp_path: Path, uri: str, ssh: list[str], there: str) -> None:
    programs = {"ssh": 'printf "%s\\n" "${@:1:$#-1}"; eval "${@: -1}"', "holdfast": 'printf "%s\\n" "$@"'}
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    for words in (("-c", uri, *LOG), (f"--connect={uri}", *LOG), LOG):
        pasted = f"PATH={tmp_path}:$PATH; {asked_there(uri, words)}"
        said = subprocess.run(["bash", "-c", pasted], check=True, capture_output=True).stdout.decode()
        assert said.replace("--connect=", "-c\n").splitlines() == [*ssh, "-c", there, *LOG]


@pytest.mark.parametrize(
    ("uri", "said"),
    [("qemu+tls://far/system", "on far: holdfast -c qemu:///system log a"), ("test:///default", "")],
)
def test_where_ssh_does_not_go_or_need_not_is_no_command_of_it(uri: str, said: str) -> None:
    assert asked_there(uri, ("log", "a")) == said
