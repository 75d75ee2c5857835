"""``holdfast demo --keep``: the guests run on, and a user plays with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from holdfast_lab.scenario import Scenario

HELP = """
The guests run on, in a libvirt of their own. In this shell 'holdfast' and 'virsh' speak to it:

  holdfast list
  holdfast show holdfast               its hardware as a tree, and what waits for the next start
  holdfast diff holdfast regenerated   where the two documents differ for a guest
  holdfast console holdfast            then: 'x inventory', 'x shell', or 'x' and any command

From other terminals, as root, after
export LIBVIRT_DEFAULT_URI='{uri}'
"""


def keep_running(played: Scenario) -> None:
    """Hold the guests: until a shell that knows their libvirt ends, or without a terminal until Ctrl-C."""
    for managed in (played.holdfast, played.regenerated):
        managed.close()  # one reader per console
    print(HELP.format(uri=played.host.uri), file=sys.stderr)
    if not sys.stdin.isatty():
        print("Ctrl-C ends them.", file=sys.stderr, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        return
    print("Leaving this shell ends them.", file=sys.stderr, flush=True)
    environment = {**os.environ, "LIBVIRT_DEFAULT_URI": played.host.uri}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment.get('PATH', '')}"
    # Ctrl-C is for the shell and what runs in it.
    signal.signal(signal.SIGINT, lambda *_: None)
    subprocess.run([os.environ.get("SHELL", "/bin/sh")], env=environment)
