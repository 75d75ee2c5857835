"""The command ``holdfast``, also as ``python -m holdfast``: a process that starts and ends fast."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import NoReturn

# A command lives for a moment and makes few cycles: looking for them during the imports takes a fifth of its start.
gc.set_threshold(100_000)

from holdfast.cli.main import holdfast  # noqa: E402


def main() -> NoReturn:
    """Run the command line of this process."""
    try:
        holdfast.main(prog_name="holdfast")
    except SystemExit as end:
        # All is closed. Taking the interpreter apart would last as long as listing the domains (10 ms), and could still
        # meet libvirt's event thread, or a completion that was given up.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.flush()
        os._exit(end.code if isinstance(end.code, int) else 0)


if __name__ == "__main__":
    main()
