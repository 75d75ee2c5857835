"""What killed commands leave beside the domains: the audit names it, and whatever comes next removes it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.hostfiles.images.chain import remove_image_file
from holdfast.hostfiles.own_folder import CHILD, EDIT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml, image
from tests.libvirt.killed import ROOT
from tests.libvirt.state.states import uefi_xml

PASSWORD = "hunter2x"
VNC = f"<graphics type='vnc' passwd='{PASSWORD}'/>"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, for this test alone, beside pytest's. Its path is short, for sockets."""
    assert tmp_path.is_dir()
    with tempfile.TemporaryDirectory(prefix="a-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


def left(connection: Connection, folder: Path) -> dict[str, str]:
    """Name → the command that removes it, of what the audit calls nobody's in ``folder``."""
    orphans = operations.audit_host(connection).orphans
    return {Path(each.path).name: each.remove for each in orphans if Path(each.path).parent == folder}


def killed(daemon_uri: str, words: list[str], **variables: str) -> None:
    """Run a command that its own editor, or a program that it starts, kills."""
    command = [sys.executable, "-m", "holdfast", "-c", daemon_uri, *words]
    none = subprocess.DEVNULL  # no pipe that what it leaves keeps open
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, stdin=none, stdout=none, stderr=none)
    assert ended.returncode == -signal.SIGKILL


def editor(folder: Path, *lines: str) -> str:
    script = folder / "editor"
    script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    script.chmod(0o755)
    return shlex.quote(str(script))


RETITLE = "sed -i 's,<title>.*</title>,,; s,</name>,</name><title>mine</title>,' \"$1\""


@pytest.fixture
def vnc(daemon: Connection) -> Iterator[None]:
    daemon.define(domain_xml(extra=VNC))
    yield


@pytest.mark.usefixtures("vnc")
def test_text_of_a_killed_edit_is_named_until_the_domain_has_it(
    daemon: Connection, daemon_uri: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(daemon_uri, ["edit", "a"], EDITOR=editor(tmp_path, RETITLE, "kill -9 $PPID"), VISUAL="")
    (folder,) = temporary.glob(f"{EDIT}*")
    assert (folder.stat().st_mode & 0o777, PASSWORD in (folder / "a.xml").read_text()) == (0o700, True)
    assert left(daemon, temporary) == {folder.name: f"rm -r {folder}"}
    said = run(daemon_uri, "audit")
    assert str(folder) in said.output and PASSWORD not in said.output
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    assert f"an earlier edit has left its text, with any secrets in it: {folder}" in run(daemon_uri, "edit", "a").stderr
    assert folder.exists()
    monkeypatch.setenv("EDITOR", editor(tmp_path, RETITLE))
    assert str(folder) in run(daemon_uri, "edit", "a").stderr
    assert "<title>mine</title>" in daemon.find_domain("a").xml(CONFIG)
    assert (list(temporary.iterdir()), left(daemon, temporary)) == ([], {})


@pytest.mark.usefixtures("vnc")
def test_text_of_a_killed_edit_in_which_nothing_was_edited_goes_with_the_next(
    daemon: Connection, daemon_uri: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(daemon_uri, ["edit", "a"], EDITOR=editor(tmp_path, "kill -9 $PPID"), VISUAL="")
    assert len(left(daemon, temporary)) == 1
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    assert run(daemon_uri, "edit", "a").stderr == ""
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("vnc")
def test_text_that_cannot_be_removed_is_named(
    daemon_uri: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something is mounted in its folder."""
    mount = 'mkdir "$(dirname "$1")/m" && mount -t tmpfs none "$(dirname "$1")/m"'
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, RETITLE, mount))
    edited = run(daemon_uri, "edit", "a")
    (folder,) = temporary.glob(f"{EDIT}*")
    subprocess.run(["umount", folder / "m"], check=True)
    assert (edited.exit_code, "a is edited" in edited.stdout, str(folder) in edited.stderr) == (5, True, True)
    monkeypatch.setenv("EDITOR", "true")
    assert (run(daemon_uri, "edit", "a").exit_code, folder.exists()) == (0, True)


@pytest.mark.usefixtures("vnc")
def test_text_under_an_editor_that_still_runs_is_not_left(
    daemon: Connection, daemon_uri: str, tmp_path: Path, temporary: Path
) -> None:
    go_on, saved = tmp_path / "go-on", tmp_path / "saved"
    os.mkfifo(go_on)
    os.mkfifo(saved)
    lines = ("kill -9 $PPID", f"read x <{go_on}", RETITLE, f"exec 9>&- 8>&- 7>&- 6>&- 5>&- 4>&- 3>&-; echo >{saved}")
    killed(daemon_uri, ["edit", "a"], EDITOR=editor(tmp_path, *lines), VISUAL="")
    assert left(daemon, temporary) == {}
    go_on.write_text("go\n")
    saved.read_text()
    assert len(left(daemon, temporary)) == 1


def test_user_data_of_a_killed_create_is_gone_with_its_child(
    daemon: Connection, daemon_uri: str, tmp_path: Path, temporary: Path
) -> None:
    """xorriso is at work, and the command that waits for it is killed."""
    program = tmp_path / "bin" / "xorriso"
    program.parent.mkdir()
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    child = "$PPID"
    parent = f"$(sed -n 's/^PPid:[[:space:]]*//p' /proc/{child}/status)"
    program.write_text(f"#!/bin/sh\necho {{}} >{alive} &\nkill -9 {parent}\nexec sleep 1000\n")
    program.chmod(0o755)
    (tmp_path / "user-data").write_text(f"#cloud-config\npassword: {PASSWORD}\n")
    words = ["create", "b", "--memory", "64MiB", "--graphics", "none", "--cloud-init", str(tmp_path / "user-data")]
    words += ["--disk", f"path={tmp_path}/b.qcow2,size=1MiB"]
    killed(daemon_uri, words, PATH=f"{program.parent}:{os.environ['PATH']}")
    wait_until(lambda: not list(temporary.iterdir()), "something is left")
    done(daemon_uri, "delete", "b", "--storage")


def test_folder_that_a_killed_child_has_left_is_named_and_goes_with_the_next(
    daemon: Connection, daemon_uri: str, temporary: Path
) -> None:
    folder = temporary / f"{CHILD}abcdefgh"
    folder.mkdir(mode=0o700)
    assert left(daemon, temporary) == {folder.name: f"rm -r {folder}"}
    daemon.define(domain_xml())
    done(daemon_uri, "set", "a", "--max-vcpus", "2", "--dry-run")
    assert (list(temporary.iterdir()), left(daemon, temporary)) == ([], {})


@pytest.mark.parametrize("after", ["rescue", "unrescue", "destroy", "delete --force"])
def test_name_of_a_rescues_nvram_that_a_kill_has_left_goes_with_the_next_command(
    connection: Connection, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    nvram = tmp_path / "vars.fd"
    connection.define(uefi_xml("a", nvram))
    operations.adopt_domain(connection, "a")
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.operations.power.rescue_nvram._unlink", lambda _: None)
        operations.rescue(connection, "a", DiskSpec(path=str(image(tmp_path, "medium")), format="raw"))
    copy = tmp_path / "vars.fd.rescue"
    assert copy.exists() and left(connection, tmp_path) == {copy.name: f"rm {copy}"}
    words = after.split()
    medium = ["--image", f"{tmp_path}/medium.img", "--format", "raw"] if after == "rescue" else []
    assert run(uri, words[0], "a", *words[1:], *medium).exit_code == (3 if after == "rescue" else 0)
    assert (copy.exists(), left(connection, tmp_path)) == (False, {})


def test_name_of_a_rescues_nvram_that_cannot_be_removed_is_told_and_goes_with_the_end_of_the_rescue(
    connection: Connection, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.define(uefi_xml("a", tmp_path / "vars.fd"))
    operations.start(connection, "a", paused=True)
    copy = tmp_path / "vars.fd.rescue"

    def busy(path: str) -> None:
        subprocess.run(["mount", "--bind", path, path], check=True)
        remove_image_file(path)

    words = ["rescue", "a", "--force", "--image", str(image(tmp_path, "medium")), "--format", "raw"]
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.operations.power.rescue_nvram.remove_image_file", busy)
        rescued = run(uri, *words)
    subprocess.run(["umount", copy], check=True)
    assert (rescued.exit_code, str(copy) in rescued.stderr, copy.exists()) == (5, True, True), rescued.output
    done(uri, "unrescue", "a")
    assert not copy.exists()
