"""The progress of a migration on a terminal: a bar on standard error; nothing at all elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from holdfast.cli.streams import drawn_on
from holdfast.text import printable, size_in_words

if TYPE_CHECKING:
    from holdfast.operations.hosts.moving import MoveStatus


@contextlib.contextmanager
def move_progress(what: str) -> Iterator[Callable[[MoveStatus], None] | None]:
    """A function that draws what remains, the rate and the downtime; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[told]}")
    bars = Progress(*columns, console=Console(file=drawn_on(sys.stderr)), transient=True)
    task = bars.add_task(printable(what), total=None, told="")

    def draw(status: MoveStatus) -> None:
        told = f"{size_in_words(status.remaining)} left"
        if status.rate is not None:
            told += f", {size_in_words(status.rate)}/s"
        if status.downtime is not None:
            told += f", would stand still for {status.downtime} ms"
        bars.start()
        bars.update(task, completed=status.total - status.remaining, total=status.total, told=told)

    try:
        yield draw
    finally:
        bars.stop()
