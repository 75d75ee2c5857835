"""The progress of a copy on a terminal: a bar on standard error; nothing at all elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from holdfast.cli.streams import drawn_on
from holdfast.text import printable


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function that draws how many bytes of how many are copied, None where standard error is no terminal.

    Before it is called first nothing is drawn.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(True), TimeRemainingColumn()
    bars = Progress(*columns, console=Console(file=drawn_on(sys.stderr)), transient=True)
    task = bars.add_task(printable(what), total=None)

    def draw(done: int, total: int) -> None:
        bars.start()
        bars.update(task, completed=done, total=total)

    try:
        yield draw
    finally:
        bars.stop()
