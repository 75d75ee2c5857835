"""The command ``holdfast``, also as ``python -m holdfast``: a process that starts and ends fast."""

from __future__ import annotations

import gc
import importlib.util
import os
import resource
import signal
import sys
from types import FrameType
from typing import NoReturn

# A command lives for a moment and makes few cycles: looking for them during the imports takes a fifth of its start.
gc.set_threshold(100_000)

if not all(importlib.util.find_spec(library) for library in ("click", "rich")):
    print("error: the command line needs click and rich, and this Python does not have both", file=sys.stderr)
    sys.exit("hint: install holdfast[cli] with pip or pipx, or the packages python3-click and python3-rich")

from holdfast.cli.main import INTERRUPTED, holdfast, report  # noqa: E402
from holdfast.cli.streams import use_standard_streams  # noqa: E402
from holdfast.errors.programs import TOO_FEW_FILES  # noqa: E402

FILES = 32
"""So many files a command may have open: libvirt aborts the process where it cannot open one (GLib, in 9.0)."""

ENDED_BY: list[int] = []
"""The signal that asks this process to end, once one has come."""


def _end(number: int, _frame: FrameType | None) -> None:
    """Take back what is half made, as Ctrl-C does: a systemd stop or a closed terminal is no reason to leave it."""
    ENDED_BY.append(number)
    raise KeyboardInterrupt


def _begin_in_utf8() -> None:
    """Begin again where Python takes names for anything but UTF-8, which they are to libvirt whatever the locale says.

    What is printed is in the locale's characters all the same.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return
    if sys.stdout is not None:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.execv(sys.executable, [os.fsencode(sys.executable), b"-X", b"utf8", *map(_in_utf8, sys.orig_argv[1:])])


def _in_utf8(argument: str) -> bytes:
    try:
        return argument.encode()
    except UnicodeEncodeError:  # bytes that the locale has no characters for
        return os.fsencode(argument)


def _may_open_files() -> None:
    """Raise the limit of open files where it is too low and may be raised; else exit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES:
        sys.exit(report(TOO_FEW_FILES(limit=hard, needed=FILES)))
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


def main() -> NoReturn:
    """Run the command line of this process; after SIGTERM or SIGHUP its exit code is 128 and the signal's number."""
    _begin_in_utf8()
    use_standard_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup(1) has it ignored
            signal.signal(number, _end)
    try:
        _may_open_files()
        holdfast.main(prog_name="holdfast")
    except SystemExit as end:
        # All is closed. Taking the interpreter apart would last as long as listing the domains (10 ms), and could still
        # meet libvirt's event thread, or a completion that was given up.
        sys.stdout.flush()
        sys.stderr.flush()
        code = end.code if isinstance(end.code, int) else 0
        os._exit(128 + ENDED_BY[0] if ENDED_BY and code == INTERRUPTED else code)


if __name__ == "__main__":
    main()
