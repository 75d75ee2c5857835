"""No command prints, and no result or error has, anything secret of a domain."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from holdfast import operations
from holdfast.cli.main import holdfast
from holdfast.libvirtapi.connection import Connection
from holdfast.text import HIDDEN
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, image
from tests.libvirt.images import qcow2, qcow2_disk
from tests.libvirt.test_docs import commands
from tests.secretive import MARK, secretive_xml, web_disk

WALK = """
create --from-xml {folder}/a.xml
list
show a
xml a
device list a
disk list a
interface list a
diff a {folder}/other.xml -> 3
diff {folder}/other.xml a@config -> 3
plan reboot a
plan host {uri} --domain a
plan machine a pc-q35-7.2 -> 3
audit {uri} --html {folder}/page.html -> 3
set a --title t --graphics-password {folder}/password
edit a --accept
adopt a
release a
seal a
unseal a --cpu
seal a
upgrade machine a pc-q35-7.2
upgrade cpu a --feature -vmx
upgrade firmware a -> 3
upgrade certificates a -> 3
clone a b
delete b
rename a c
rename c a
device attach a {folder}/web.xml
device detach a {folder}/web.xml
disk attach a path={folder}/more.img,format=raw,target=vdb
disk detach a vdb
disk set a vdw --cache none
disk extend a vda 2MiB
disk move a vda {folder}/moved.qcow2
disk swap a vda path={folder}/swapped.qcow2,format=qcow2 --accept
disk media insert a sda path={folder}/cd.img,format=raw
disk media eject a sda
interface attach a user,mac=52:54:00:00:00:07
interface set a 52:54:00:00:00:07 --link down
interface list a
interface detach a 52:54:00:00:00:07
snapshot create a s
snapshot list a
snapshot revert a s
history record
log a --patch
log --all
show "a@{{0 days ago}}"
xml "a@{{0 days ago}}"
diff "a@{{3000-01-01}}" a
rollback a "{{3000-01-01}}"
history restore a -> 3
history forget b
history push {folder}/remote.git
history pull {folder}/remote.git
history check
history repair
history verify {folder}/remote.git
history copy-state
history states a
history restore-state a -> 3
export a {folder}/a.tar
import {folder}/a.xml -> 3
plan hosts {uri} -> 3
migrate a {uri} -> 2
evacuate --from {folder}/remote.git a {uri}
snapshot delete a s
repair a --no-start
resume-host
rescue a --image {folder}/rescue.img --format raw
xml a --live
unrescue a
start a --paused
show a
xml a --live
diff a@live {folder}/other.xml -> 3
plan reboot a
audit {uri} -> 3
verify a --timeout 1 -> 1
edit a --accept
set a --title u
resume a
suspend a
device attach a {folder}/web.xml
device detach a {folder}/web.xml --timeout 0 -> 5
rescue a --image {folder}/rescue.img --format raw --force
unrescue a
suspend a
reset a
save a
show a
restore a --paused
save a
discard-save a
start a --paused
reboot a --hard
shutdown a --timeout 0 -> 5
destroy a
start a --paused
delete a --force
"""
"""Every command, one after the other on one domain, with the exit code where it is not 0."""

ELSEWHERE = {
    "console": "prints what the guest says",
    "demo": "has hosts and domains of its own, without secrets",
    "watch": "runs until it is stopped, and so has a test of its own",
}
"""Commands that are not walked."""


def steps(text: str) -> Iterator[tuple[list[str], int]]:
    """The words of each command, and its exit code."""
    for line in text.split("\n"):
        command, _, code = line.partition(" -> ")
        if command:
            yield shlex.split(command), int(code or 0)


def command_of(words: list[str]) -> tuple[str, click.Command]:
    """The command that these words call."""
    return max((found for found in commands(holdfast) if words[: len(found[0].split())] == found[0].split()), key=str)


def test_every_command_is_walked() -> None:
    walked = {command_of(words)[0] for words, _ in steps(WALK)}
    assert walked | ELSEWHERE.keys() == {name for name, _ in commands(holdfast)}
    assert not walked & ELSEWHERE.keys()


@pytest.fixture
def folder(tmp_path: Path, web_port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the commands name: documents with secrets, images, a password, an editor."""
    own = qcow2_disk(qcow2(tmp_path, "own")) + "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    text = secretive_xml(devices=own, web_port=web_port)
    (tmp_path / "a.xml").write_text(text)
    (tmp_path / "other.xml").write_text(text.replace(f"={MARK}", f"=new{MARK}").replace(f'"{MARK}"', f'"new{MARK}"'))
    (tmp_path / "web.xml").write_text(web_disk("vdx", "second.raw", web_port))
    (tmp_path / "password").write_text(f"{MARK}\n")
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "remote.git")], check=True)
    qcow2(tmp_path, "swapped")
    for name in ("more", "cd", "rescue"):
        image(tmp_path, name)
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nsed -i s/={MARK}/=edited{MARK}/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(editor))
    return tmp_path


@pytest.fixture
def history(connection: Connection, tmp_path: Path) -> Iterator[Path]:
    """The folder of the libvirt's history, which is kept meanwhile, with copies of state."""
    assert connection.history_folder is not None and connection.history_settings_file is not None
    folder, settings = Path(connection.history_folder), Path(connection.history_settings_file)
    folder.mkdir(parents=True)
    (tmp_path / "state").mkdir(mode=0o700)
    settings.write_text(f'state = "{tmp_path}/state"')
    yield folder
    shutil.rmtree(folder)
    settings.unlink()


@pytest.mark.parametrize("output", ["table", "json"])
def test_no_command_prints_or_logs_a_secret(
    connection: Connection, uri: str, folder: Path, history: Path, output: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "holdfast.libvirt")
    for words, code in steps(WALK):
        arguments = [word.format(folder=folder, uri=uri) for word in words]
        options = {each.name for each in command_of(words)[1].params}
        more = ["--output", output] if "output" in options else []
        for dry in [["--dry-run"], []] if "dry_run" in options else [[]]:
            result = run(uri, *arguments, *more, *dry)
            assert MARK not in result.output, (arguments, result.output)
            assert result.exit_code == code or dry, (arguments, result.output)
            assert "report this" not in result.output
    assert "holdfast.libvirt" in caplog.text
    assert MARK not in caplog.text
    assert MARK not in (folder / "page.html").read_text()
    objects = [zlib.decompress(path.read_bytes()) for path in history.glob("objects/??/*")]
    assert len(objects) > 50
    assert [each for each in objects if MARK.encode() in each] == []
    assert "not recorded in the history" not in caplog.text


def test_every_command_records_what_it_changed(
    connection: Connection, uri: str, folder: Path, history: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for words, _ in steps(WALK):
        run(uri, *(word.format(folder=folder, uri=uri) for word in words))
        left = operations.record_host(connection)
        assert (left.recorded, left.gone, left.skipped) == ((), (), ()), words
    assert "not recorded in the history" not in caplog.text


def test_the_one_door_shows_them_all(connection: Connection, uri: str, folder: Path) -> None:
    domain = connection.define((folder / "a.xml").read_text())
    assert run(uri, "xml", "a", "--security-info").stdout == domain.xml(CONFIG, secure=True)
    assert run(uri, "-r", "xml", "a", "--security-info").exit_code == 1
    assert MARK not in run(uri, "-r", "xml", "a").stdout


def test_a_watch_tells_that_a_secret_changed_and_not_the_secret(connection: Connection, uri: str, folder: Path) -> None:
    domain = connection.define((folder / "a.xml").read_text())
    notices = operations.watch([uri], interval=0.1)
    try:
        next(notices)
        connection.define(domain.xml(CONFIG, secure=True).replace(f"data={MARK}", f"data=new{MARK}"))
        told = next(each for each in notices if each.change is not None)
    finally:
        notices.close()
    assert HIDDEN in told.sentence
    assert MARK not in repr(told)


@pytest.mark.parametrize("deed", ["start", "create"])
def test_qemus_words_are_told_without_the_secrets_in_them(
    connection: Connection, uri: str, folder: Path, deed: str
) -> None:
    """QEMU quotes an argument that it does not take (7.2)."""
    text = (folder / "a.xml").read_text().replace("secret,id=hf0,data=", "secret,id=0,data=")
    (folder / "bad.xml").write_text(text)
    if deed == "create":
        result = run(uri, "create", "--from-xml", str(folder / "bad.xml"), "--start")
    else:
        connection.define(text)
        result = run(uri, "start", "a")
    assert result.exit_code != 0
    assert HIDDEN in result.output
    assert MARK not in result.output
