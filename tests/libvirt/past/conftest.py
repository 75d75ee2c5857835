"""A history for the embedded libvirt, and a place for copies of state."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection
from holdfast.operations import change_record
from tests.libvirt.past.kept import Kept


@pytest.fixture(autouse=True)
def history(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the history, set up and empty; gone after the test, with what was said of it."""
    monkeypatch.setattr(change_record, "_said", set())
    assert connection.history_folder is not None
    folder = Path(connection.history_folder)
    folder.mkdir(parents=True)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture
def kept(connection: Connection, tmp_path: Path) -> Iterator[Kept]:
    """A folder that is set as the place of copies, without a recipient."""
    assert connection.history_settings_file is not None
    kept = Kept(Path(connection.history_settings_file), tmp_path / "kept")
    kept.folder.mkdir(mode=0o700)
    kept.set(state=kept.folder)
    yield kept
    kept.settings.unlink()


@pytest.fixture
def key(tmp_path: Path, kept: Kept) -> Path:
    """A private key of age's; its public key is set."""
    file = tmp_path / "key.txt"
    said = subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True, text=True).stderr
    kept.set(state=kept.folder, recipient=said.split()[-1])
    return file


@pytest.fixture
def keyring(tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keyring of gpg's with a private key, which is this user's; its public key is in a file that is set."""
    home = Path(f"/tmp/gpg-{os.getpid()}")
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    quick = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "a@b.c", "rsa2048", "encr"]
    subprocess.run(quick, check=True, capture_output=True)
    public = tmp_path / "public.asc"
    with public.open("wb") as file:
        subprocess.run(["gpg", "--export", "--armor"], check=True, stdout=file)
    kept.set(state=kept.folder, recipient=public)
    yield home
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=True)
    shutil.rmtree(home, ignore_errors=True)


SSH = """#!/bin/sh
echo "$@" >> {log}
while [ "$1" != -- ]; do shift; done
[ "$2" = backup.example ] || {{ echo "ssh: connect to host $2: No route to host" >&2; exit 255; }}
{limit} sh -c "$3"
"""
"""What ssh does once it is there: a shell of the other machine is given the words behind the host."""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a program in the place of ssh, to which this machine is the other one, too; returns its log."""
    folder, log = tmp_path / "bin", tmp_path / "ssh.log"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def put(limit: str) -> Path:
        (folder / "ssh").write_text(SSH.format(log=log, limit=limit))
        (folder / "ssh").chmod(0o700)
        return log

    return put
