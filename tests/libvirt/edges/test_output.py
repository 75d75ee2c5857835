"""Every command with a standard output that is full, closed, ASCII, or a terminal that obeys what is written to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection
from tests.libvirt.edges.every import NOT_CALLED, Call, call, clear, prepare, traces
from tests.libvirt.edges.forked import Ended, Forking, forking
from tests.rules.test_commands import COMMANDS

CALLED = sorted(COMMANDS.keys() - NOT_CALLED)
LEAVES_NO_TRACE = {
    *("disk extend", "export", "reset", "snapshot revert"),
    *("history pull", "history push", "history record", "history repair"),
}
"""In what libvirt says of the domains: what they change is in an image or another file, or in the guest."""
FULL = "No space left on device"
CLOSED = "Bad file descriptor"


@pytest.fixture(scope="module")
def holdfast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    """Runs commands, in ASCII, with an editor that gives a domain a title."""
    folder = tmp_path_factory.mktemp("forking")
    editor = folder / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s:<memory :<title>t</title><memory :" "$1"\n')
    editor.chmod(0o755)
    # As a process of holdfast begins again where the locale has ASCII alone.
    with forking(folder, "-X", "utf8", PYTHONIOENCODING="ascii", EDITOR=str(editor)) as process:
        yield process


@pytest.fixture(scope="module")
def in_utf8(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    """Runs commands in UTF-8, with an editor that changes nothing."""
    with forking(tmp_path_factory.mktemp("in-utf-8"), "-X", "utf8", EDITOR="true") as process:
        yield process


def ended(holdfast: Forking, daemon: Connection, folder: Path, made: Call, stdout: Path | None) -> Ended:
    """Run the command on what it is about; it has changed something where it is to."""
    folder.mkdir()
    clear(daemon)
    prepare(daemon, folder, made)
    before = traces(daemon)
    words = [word.replace("{folder}", str(folder)).replace("{uri}", daemon.uri) for word in made.words]
    found = holdfast.run("-c", daemon.uri, *words, stdout=stdout)
    if made.command not in LEAVES_NO_TRACE:
        assert (traces(daemon) != before) is made.changes, found
    return found


def check_lost(made: Call, found: Ended, reason: str) -> None:
    """The exit code and the sentence of output that is lost."""
    lines = found.said.splitlines()
    if made.changes:
        sentence = "it is done, but standard output cannot be written to"
        assert (found.code, lines[:1], len(lines)) == (5, [f"error: {sentence}: {reason}"], 2)
    else:
        assert (found.code, lines) == (1, [f"error: standard output cannot be written to: {reason}"])


@pytest.mark.parametrize("command", CALLED)
def test_every_command_says_that_its_output_is_lost(
    holdfast: Forking, daemon: Connection, tmp_path: Path, command: str
) -> None:
    made = call(command)
    if command != "watch":  # it has no end
        shown = tmp_path / "shown"
        found = ended(holdfast, daemon, tmp_path / "ascii", made, shown)
        assert (found.code in (0, 3), found.said, shown.read_text() > "") == (True, "", True), found
    check_lost(made, ended(holdfast, daemon, tmp_path / "full", made, Path("/dev/full")), FULL)
    check_lost(made, ended(holdfast, daemon, tmp_path / "closed", made, None), CLOSED)


def unprintable(text: str) -> set[str]:
    return {each for each in text if not each.isprintable()} - {"\n"}


@pytest.mark.parametrize("command", CALLED)
def test_no_command_writes_what_a_terminal_obeys(
    in_utf8: Forking, daemon: Connection, tmp_path: Path, command: str
) -> None:
    """In its table, its JSON, its XML and its errors: for many a command has nothing to do the second time."""
    made, shown, folder = call(command), tmp_path / "shown", tmp_path / "folder"
    folder.mkdir()
    clear(daemon)
    prepare(daemon, folder, made)
    words = [word.replace("{folder}", str(folder)).replace("{uri}", daemon.uri) for word in made.words]
    has_json = any(each.name == "output" for each in COMMANDS[command].params)
    told = ""
    for more in ([], ["-o", "json"]) if has_json else ([], []):
        if command == "watch":
            more = ["--help"]
        found = in_utf8.run("-c", daemon.uri, *words, *more, stdout=shown)
        text = shown.read_text()
        assert unprintable(text) | unprintable(found.said) == set(), (text, found)
        told += text + found.said
        if more[-1:] == ["json"] and text:
            json.loads(text)
    assert told
