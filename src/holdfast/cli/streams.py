"""The standard streams of this process. What cannot be written ends no change in the middle; the exit code tells it."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO, cast

import click

from holdfast.cli.common import ChangingCommand, Session
from holdfast.text import printable_lines

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputLostError(Exception):
    """Standard output takes nothing any more, and the command has nothing else to do."""


class _Stream(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        """Write ``data`` to the file; waits for one that somebody else has made non-blocking."""
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


class StandardOutput(_Stream):
    """Standard output, after whose first failure nothing is written any more.

    A command that has changed something goes on without it: it may have more to do, and trouble to tell. One that only
    looks ends with OutputLostError.
    """

    failure: OSError | None = None
    after_change = False
    """True where the failure came after the command had done what it was to do."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write ``data`` to the file, or drop it."""
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure, self.after_change = error, _has_changed()
                if not self.after_change:
                    raise OutputLostError from error
        return memoryview(data).nbytes


class StandardError(_Stream):
    """Standard error: what cannot be said there is not said, and changes nothing else."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write ``data`` to the file, or drop it."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


class PrintedText(io.TextIOWrapper):
    """What is printed: the names, titles and errors of others among it, of which no terminal obeys anything."""

    def write(self, text: str, /) -> int:
        """Write ``text``, escaped but for its line ends."""
        super().write(printable_lines(text))
        return len(text)


class _Drawn:
    """A stream past its :class:`PrintedText`."""

    def __init__(self, stream: PrintedText) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def drawn_on(stream: TextIO) -> TextIO:
    """``stream`` for what moves the cursor and has colours: whoever draws there escapes the words of others."""
    return cast("TextIO", _Drawn(stream)) if isinstance(stream, PrintedText) else stream


def _has_changed() -> bool:
    """True where a command speaks that changes something: it speaks once all is done."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    if context.params.get("dry_run") is not False and not isinstance(context.command, ChangingCommand):
        return False
    session = context.find_object(Session)
    return session is not None and session.has_connected


def use_standard_streams() -> None:
    """Make ``sys.stdin``, ``sys.stdout`` and ``sys.stderr`` of this process such as the commands expect them.

    A stream that was closed at the start fails when it is used. Python has None there, and the next file to be opened,
    perhaps a socket of libvirt's, would take its number.
    """
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # it takes the lowest number that is free: this one
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = _text(StandardOutput(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(StandardError(2, "w", closefd=False), sys.stderr)


def _text(file: _Stream, before: TextIO | None) -> TextIO:
    encoding = None if before is None else before.encoding
    # A name that the locale has no characters for is no reason to end.
    return PrintedText(io.BufferedWriter(file), encoding, errors="backslashreplace", line_buffering=True)


def standard_output() -> StandardOutput | None:
    """What writes to standard output; None in a process that has no :func:`use_standard_streams`."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, StandardOutput) else None
