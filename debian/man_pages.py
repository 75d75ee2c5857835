"""``python3 debian/man_pages.py FOLDER``: a manual page for holdfast and for each of its commands."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from click_man.core import generate_man_page

import holdfast
from holdfast.cli.main import holdfast as command_line


def write(folder: Path, name: str, command: click.Command, parent: click.Context | None = None) -> None:
    """Write the page of a command and those of the commands below it."""
    context = click.Context(command, info_name=name, parent=parent)
    command.short_help = command.get_short_help_str(limit=200).rstrip(".")  # else it ends in the middle (click-man 0.4)
    page = generate_man_page(context, holdfast.__version__)
    page = re.sub(r"^'", r"\\&'", page, flags=re.MULTILINE)  # a quote that begins a line would be a request of troff's
    page = re.sub(r"\|(?=\S*\]$)", " | ", page, flags=re.MULTILINE)  # a long list of choices has to break somewhere
    Path(folder, f"{context.command_path.replace(' ', '-')}.1").write_text(page, encoding="utf-8")
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None and not below.hidden:
                write(folder, each, below, context)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write(target, "holdfast", command_line)
