"""What the documentation says is so: the examples of docs/python.md run from top to bottom as one program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from holdfast.cli.main import holdfast
from holdfast.libvirtapi.connection import Connection

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "python.md"


def test_the_examples_of_the_python_page_run(connection: Connection, uri: str, tmp_path: Path) -> None:
    text = PAGE.read_text()
    names: dict[str, object] = {"uri": uri, "folder": str(tmp_path)}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), str(PAGE), "exec"), names)
    assert connection.domains() == []
    assert [path.name for path in tmp_path.iterdir()] == ["data.qcow2"]


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its name as it is typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        elif command is not None:
            yield f"{path}{name}", command


def test_the_commands_with_json_are_those_that_the_page_names() -> None:
    section = (DOCS / "command-line.md").read_text().partition("\n## JSON\n")[2]
    listed = " ".join(line.strip() for line in section.partition("\n\n    ")[2].partition("\n\n")[0].splitlines())
    with_json = [name for name, command in commands(holdfast) if any(each.name == "output" for each in command.params)]
    assert sorted(listed.split(", ")) == sorted(with_json)


def test_help_says_where_a_new_image_goes() -> None:
    for path in (["create"], ["disk", "attach"]):
        text = " ".join(CliRunner().invoke(holdfast, [*path, "--help"]).output.split())
        assert "the pool 'default'" in text and "Paths are absolute" in text
