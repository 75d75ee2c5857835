"""The command ``holdfast``, also as ``python -m holdfast``: a process that starts and ends fast."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

# A command lives for a moment and makes few cycles: looking for them during the imports takes a fifth of its start.
gc.set_threshold(100_000)

if not all(importlib.util.find_spec(library) for library in ("click", "rich")):
    print("error: the command line needs click and rich, and this Python does not have both", file=sys.stderr)
    sys.exit("hint: install holdfast[cli] with pip or pipx, or the packages python3-click and python3-rich")

from holdfast.cli.main import INTERRUPTED, holdfast  # noqa: E402

ENDED_BY: list[int] = []
"""The signal that asks this process to end, once one has come."""


def _end(number: int, _frame: FrameType | None) -> None:
    """Take back what is half made, as Ctrl-C does: a systemd stop or a closed terminal is no reason to leave it."""
    ENDED_BY.append(number)
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Run the command line of this process; after SIGTERM or SIGHUP its exit code is 128 and the signal's number."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup(1) has it ignored
            signal.signal(number, _end)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the locale has no characters for is no reason to end, as it is none on standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        holdfast.main(prog_name="holdfast")
    except SystemExit as end:
        # All is closed. Taking the interpreter apart would last as long as listing the domains (10 ms), and could still
        # meet libvirt's event thread, or a completion that was given up.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.flush()
        code = end.code if isinstance(end.code, int) else 0
        os._exit(128 + ENDED_BY[0] if ENDED_BY and code == INTERRUPTED else code)


if __name__ == "__main__":
    main()
