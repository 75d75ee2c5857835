"""The command line as data: every command has JSON, no result takes the envelope's names, every hint can be typed."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields

import click
import pytest

from holdfast import operations
from holdfast.cli import as_json
from holdfast.cli.audit.command import KINDS
from holdfast.cli.hints import HINTS, HINTS_OF
from holdfast.cli.main import holdfast
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.results import Result
from tests.rules.architecture import ROOT

WITHOUT_JSON = {"xml", "console"}
"""They print a document, and what the guest writes."""

ENVELOPE = {"format", "version"}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that can be typed, by its words: "disk media insert"."""
    pending: list[tuple[str, click.Command]] = [("", holdfast)]
    while pending:
        words, command = pending.pop()
        if not isinstance(command, click.Group):
            yield words.strip(), command
            continue
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            pending.append((f"{words} {name}", found))


COMMANDS = dict(commands())


def options(command: click.Command) -> set[str]:
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts) if name.startswith("-")}


def test_every_command_has_json() -> None:
    assert {words for words, command in COMMANDS.items() if "--output" not in options(command)} == WITHOUT_JSON


def test_the_documentation_lists_the_commands_that_have_json() -> None:
    text = (ROOT / "docs/command-line.md").read_text()
    listed = text.partition("These commands have `-o json`:")[2].strip().partition("\n\n")[0]
    assert {
        words.strip() for words in listed.replace("\n", " ").strip(" ,").split(",")
    } == COMMANDS.keys() - WITHOUT_JSON


def test_every_kind_of_finding_can_decide_the_exit_code_of_an_audit() -> None:
    assert tuple(FindingKind) == KINDS


def test_no_result_has_a_field_of_the_envelope() -> None:
    for module in pkgutil.walk_packages(operations.__path__, "holdfast.operations."):
        importlib.import_module(module.name)
    pending, taken = [Result], set()
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        taken |= {f"{kind.__name__}.{each.name}" for each in fields(kind) if each.name in ENVELOPE}
    assert taken == set()


@pytest.mark.parametrize("name", sorted(ENVELOPE))
def test_the_envelope_is_not_overwritten(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(holdfast, info_name="holdfast"), pytest.raises(TypeError, match=name):
        as_json.print_envelope(**{name: "qcow2"})
    assert capsys.readouterr().out == ""


def typed() -> list[str]:
    """The commands that hints quote."""
    texts = [text for words in (HINTS, *HINTS_OF.values()) for text in words.values()]
    lines = {each for text in texts for each in re.findall(r"'holdfast ([^']+)'", text)}
    return sorted(line.replace("{kind}", kind) for line in lines for kind in ("disk", "interface", "device"))


@pytest.mark.parametrize("line", dict.fromkeys(typed()))
def test_a_command_in_a_hint_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)
    name = next((each for each in (" ".join(words[:count]) for count in (3, 2, 1)) if each in COMMANDS), None)
    assert name is not None, line
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options(COMMANDS[name])
