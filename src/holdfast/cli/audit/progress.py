"""The audit's progress on a terminal: a bar for each host, on standard error; nothing at all elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from holdfast.cli.streams import drawn_on
from holdfast.operations.audit.hosts import Progress
from holdfast.text import printable


@contextlib.contextmanager
def progress_bars() -> Iterator[Progress | None]:
    """A function that draws how far the audit is; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(file=drawn_on(sys.stderr)), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(uri: str, done: int, total: int) -> None:
            if uri not in tasks:
                tasks[uri] = bars.add_task(printable(uri), total=total)
            if done % 16 == 0 or done == total:
                bars.update(tasks[uri], completed=done)

        yield draw
