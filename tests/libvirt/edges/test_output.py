"""Every command with a standard output that is full, closed, or ASCII: the exit code tells what was done."""

from __future__ import annotations

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
