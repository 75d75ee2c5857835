"""Plain columns for lists: aligned, without colour or frame, the same on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.text import printable


def columns(head: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    """The rows under their heads as one text, each in one line; columns in which no row has anything are left out."""
    cells = [list(head), *([printable(cell or "") for cell in row] for row in rows)]
    shown = [index for index in range(len(head)) if any(row[index] for row in cells[1:])]
    widths = {index: max(len(row[index]) for row in cells) for index in shown}
    lines = ("  ".join(f"{row[index]:{widths[index]}}" for index in shown).rstrip() for row in cells)
    return "\n".join(lines)
