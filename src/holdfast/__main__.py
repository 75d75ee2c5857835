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

# A command lives for a moment and makes few reference cycles; collecting them during the imports takes a fifth of it.
gc.set_threshold(100_000)

if not all(importlib.util.find_spec(library) for library in ("click", "rich")):
    print("error: the command line needs click and rich, and this Python does not have both", file=sys.stderr)
    sys.exit("hint: install holdfast[cli] with pip or pipx, or the packages python3-click and python3-rich")

from holdfast.cli.main import INTERRUPTED, holdfast, report  # noqa: E402
from holdfast.cli.streams import use_standard_streams  # noqa: E402
from holdfast.errors.programs import TOO_FEW_FILES  # noqa: E402

OPEN_FILES = 32
"""How many open files a command needs: libvirt aborts the process where it cannot open one (GLib, in 9.0)."""

ENDED_BY: list[int] = []
"""The signal that asked this process to end; empty until one comes."""


def _end(number: int, _frame: FrameType | None) -> None:
    """End as after Ctrl-C, which undoes what is half done: for a stop by systemd, and for a closed terminal."""
    ENDED_BY.append(number)
    raise KeyboardInterrupt


def _restart_in_utf8() -> None:
    """Start this process anew in UTF-8 mode where the locale has Python read names in another encoding.

    To libvirt, names are UTF-8 whatever the locale says. Output stays in the locale's encoding.
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


def _allow_open_files() -> None:
    """Raise the limit on open files to OPEN_FILES if it is lower; exit where this process may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < OPEN_FILES:
        sys.exit(report(TOO_FEW_FILES(limit=hard, needed=OPEN_FILES)))
    if soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))


def main() -> NoReturn:
    """Run the command line of this process; after SIGTERM or SIGHUP its exit code is 128 and the signal's number."""
    _restart_in_utf8()
    use_standard_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup(1) has it ignored
            signal.signal(number, _end)
    try:
        _allow_open_files()
        holdfast.main(prog_name="holdfast")
    except SystemExit as end:
        # Everything is closed. The interpreter's own shutdown would take as long as listing the domains (10 ms), and
        # could still clash with libvirt's event thread, or with a completion that was given up.
        sys.stdout.flush()
        sys.stderr.flush()
        code = end.code if isinstance(end.code, int) else 0
        os._exit(128 + ENDED_BY[0] if ENDED_BY and code == INTERRUPTED else code)


if __name__ == "__main__":
    main()
