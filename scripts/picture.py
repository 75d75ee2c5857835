"""Draw what a command printed, colours and all, as SVG: how docs/scenario.svg is made.

FORCE_COLOR=1 TTY_INTERACTIVE=0 COLUMNS=100 scripts/demo | .venv/bin/python scripts/picture.py > docs/scenario.svg
"""

from __future__ import annotations

import io
import re
import sys

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

CONTROL = re.compile(r"\x1b\[\?25[lh]")
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Fonts from a server; whoever looks has a monospaced one."""

WIDTH = 100


def main() -> None:
    """From standard input to standard output."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    lines = CONTROL.sub("", sys.stdin.read()).splitlines()
    for line in lines[next((at for at, line in enumerate(lines) if "\x1b[1m" in line), 0) :]:
        text = Text.from_ansi(line)
        text.rstrip()
        console.print(text, no_wrap=True)
    svg = console.export_svg(title="holdfast demo", theme=MONOKAI, unique_id="scenario")
    print(FONT.sub("", svg), end="")


if __name__ == "__main__":
    main()
