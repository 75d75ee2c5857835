"""``python -m tests.libvirt.killed N ARGUMENTS…``: a ``holdfast`` command that is killed at its N-th step.

A step is a moment just before or after something changed: a call of libvirt's, a file made or removed, a program run
(for which there is one more, while it runs). The process ends by SIGKILL: nothing of Python's runs any more. With fewer
steps the command ends as always.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.cli.main import holdfast
from holdfast.history.claims import Claims
from holdfast.hostfiles import cloud_init, new_file
from holdfast.hostfiles.images import chain, new_image
from holdfast.hostfiles.new_file import MadeFile
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.storage import Pool
from holdfast.libvirtapi.volume import Volume
from holdfast_lab.patience import PATIENCE

ROOT = Path(__file__).parents[2]
CHANGES = (
    (Connection, "define"),
    (Domain, "set_metadata"),
    (Domain, "attach"),
    (Domain, "detach"),
    (Domain, "update"),
    (Domain, "undefine"),
    (Domain, "start"),
    (Domain, "destroy"),
    (Domain, "managed_save"),
    (Connection, "start_from"),
    (Pool, "create"),
    (Volume, "delete"),
    (Volume, "write"),
    (new_file, "open_new"),
    (MadeFile, "remove"),
    (chain, "remove_image_file"),
    (cloud_init, "write_seed"),
    (block, "start_block_copy"),
    (block, "pivot"),
    (block, "cancel"),
    (Claims, "move"),
)


def run_killed(step: int, uri: str, *arguments: str) -> int:
    """Run ``holdfast`` in a process that is killed at its N-th step; returns its exit code, -9 when it was killed."""
    command = [sys.executable, "-m", "tests.libvirt.killed", str(step), "-c", uri, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE).returncode


def _main(step: int, arguments: list[str]) -> None:
    steps = itertools.count(1)

    def reached() -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in CHANGES:
        setattr(owner, name, _with_steps(getattr(owner, name), reached))

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        del options["capture_output"]
        words, limit = options.pop("input", None), options.pop("timeout", None)
        if words is not None:
            options["stdin"] = subprocess.PIPE
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
            reached()
            out, err = process.communicate(words, limit)
        reached()
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    new_image.subprocess.run = run  # type: ignore[attr-defined]
    holdfast.main(arguments)


def _with_steps(change: Callable[..., Any], reached: Callable[[], None]) -> Callable[..., Any]:
    def stepped(*args: Any, **kwargs: Any) -> Any:
        reached()
        result = change(*args, **kwargs)
        reached()
        return result

    return stepped


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
