"""The text of ``holdfast edit`` is never lost: editors that crash or run on, a command or a libvirt that ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast_lab.daemon import Host, private_host
from tests.libvirt.commands import run
from tests.libvirt.domain.conftest import Drafts
from tests.libvirt.domains import domain_xml

pytestmark = pytest.mark.usefixtures("drafts")
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"


@pytest.mark.parametrize(
    "deed",
    [
        'echo mine >"$(dirname "$1")/.a.xml.swp"; exit 1',
        'echo mine >"$(dirname "$1")/.a.xml.swp"; kill -9 $$',
        'mv "$1" "$1~"; echo mine >"$1~"',
    ],
)
def test_copy_of_an_editor_that_crashed_is_kept(
    connection: Connection, uri: str, editor: Path, drafts: Drafts, deed: str
) -> None:
    connection.define(domain_xml())
    editor.write_text(f"#!/bin/sh\n{deed}\n")
    result = run(uri, "edit", "a")
    assert result.exit_code in (1, 4), result.output
    folder = re.search(r"your text is kept, .*: (.*)", result.stderr)
    assert folder is not None
    assert "mine\n" in [file.read_text() for file in Path(folder[1]).iterdir()]


@pytest.mark.parametrize(
    "deed",
    [
        'rm "$1"; mkfifo "$1"',
        'rm "$1"; mkdir "$1"',
        'rm "$1"; mknod "$1" c 1 3',
        'mv "$1" "$(dirname "$1")/b"; ln -s b "$1"',
        'rm "$1"; ln -s /nowhere "$1"',
        'rm "$1"; mkfifo "$1"; exit 1',
    ],
)
def test_what_an_editor_leaves_in_place_of_the_text_is_neither_waited_for_nor_removed(
    connection: Connection, uri: str, editor: Path, drafts: Drafts, deed: str
) -> None:
    connection.define(domain_xml())
    editor.write_text(f"#!/bin/sh\n{deed}\n")
    result = run(uri, "edit", "a")
    kept = next(each for each in drafts() if each.name == "a.xml")
    assert result.exit_code == 1, result.output
    said = "ended with 1" if "exit" in deed else f"that is not a file: {kept}"
    assert said in result.stderr
    assert f"your text is kept, with any secrets in it: {kept.parent}" in result.stderr
    assert kept.is_symlink() or not kept.is_file()


@pytest.fixture(scope="module")
def mortal() -> Iterator[Host]:
    """A libvirt that the test may end."""
    with private_host("mortal") as host:
        yield host


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_text_stays_under_an_editor_that_runs_on(
    mortal: Host, editor: Path, drafts: Drafts, tmp_path: Path, number: signal.Signals
) -> None:
    """An editor that has no copy of its own beside the text saves it after holdfast has ended."""
    with open_connection(mortal.uri) as connection:
        connection.define(domain_xml(number.name))
    go_on, saved = tmp_path / "go-on", tmp_path / "saved"
    os.mkfifo(go_on)
    os.mkfifo(saved)
    editor.write_text(f'#!/bin/sh\nkill -{int(number)} $PPID\nread x <{go_on}\necho mine >"$1"\necho $? >{saved}\n')
    command = [str(Path(sys.executable).with_name("holdfast")), "-c", mortal.uri, "edit", number.name]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert ended.returncode == 128 + number
    go_on.write_text("go\n")
    assert saved.read_text() == "0\n"
    (kept,) = drafts()
    assert kept.read_text() == "mine\n"


def test_text_is_kept_when_libvirt_goes_away_while_it_is_edited(mortal: Host, editor: Path, drafts: Drafts) -> None:
    with open_connection(mortal.uri) as connection:
        connection.define(domain_xml(extra=RNG))
    gone = f"kill -9 {mortal.process.pid}; while virsh -c '{mortal.uri}' hostname; do :; done >/dev/null 2>&1"
    editor.write_text(f'#!/bin/sh\nsed -i s:/dev/urandom:/dev/random: "$1"\n{gone}\n')
    command = [str(Path(sys.executable).with_name("holdfast")), "-c", mortal.uri, "edit", "a"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 6, ended.stderr
    (kept,) = drafts()
    assert "/dev/random" in kept.read_text()
    assert str(kept) in ended.stderr
