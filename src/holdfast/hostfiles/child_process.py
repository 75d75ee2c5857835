"""A child process that has a folder to itself, for a libvirt of its own or for secrets: both are gone afterwards.

The child makes the folder and removes it, also when the process that has asked it is killed: as soon as nobody reads
its answer any more. What is left where the child is killed, too, is named by the audit, and removed by the next one.

Run as ``python -m holdfast.hostfiles.child_process MODULE FOLDER`` it is the child, which runs MODULE.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.errors.files import NO_TEMPORARY_FILE
from holdfast.hostfiles.own_folder import CHILD, left_folders, lock_with_others, unused_path

LIMIT = 30.0
"""Seconds for an answer. It takes less than one; and minutes where KVM is there and does not work (9.0)."""


_NO_FOLDER = 3
"""The exit status of a child that cannot make its folder."""

_CONFIGURATION = """\
security_driver = "none"
hugetlbfs_mount = []
"""
"""Nothing of the host is prepared for guests that will never start."""


class Spoken(NamedTuple):
    """What the child has printed, or as ``failure`` why it gave no answer."""

    output: str
    failure: str = ""


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """The place of a folder that a child makes for itself, and removes; so whoever is killed here leaves none.

    What others have left is removed before.
    """
    for left in left_folders(CHILD):
        _remove(left)
    folder = unused_path(CHILD)
    try:
        yield folder
    finally:
        _remove(folder)


def speak(module: str, folder: Path, words: str, limit: float = LIMIT, descriptors: Collection[int] = ()) -> Spoken:
    """Run the Python ``module`` with ``folder`` as its argument and ``words`` as its input, for ``limit`` seconds.

    It has the open ``descriptors``, too. Where it does not end by itself, what it has started (the QEMU at which its
    libvirt was looking) is ended too. Raises NO_TEMPORARY_FILE where the folder cannot be made.
    """
    command = [sys.executable, "-P", "-m", "holdfast.hostfiles.child_process", module, str(folder)]
    own = {name: str(folder) for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    environment = {**os.environ, **own, "LIBVIRT_LOG_OUTPUTS": "4:file:/dev/null"}
    try:
        done = subprocess.run(
            command,
            input=words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us, who then end it
            pass_fds=descriptors,
        )
    except subprocess.TimeoutExpired:
        _end_processes(folder)
        return Spoken("", f"there was no answer within {limit:g} seconds")
    except OSError as error:
        return Spoken("", f"{sys.executable} does not start: {error.strerror}")
    except BaseException:
        _end_processes(folder)
        raise
    if done.returncode < 0:
        _end_processes(folder)
        return Spoken("", f"its process was ended by signal {-done.returncode}")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        if done.returncode == _NO_FOLDER:
            raise NO_TEMPORARY_FILE(reason=last)
        return Spoken("", f"its process failed: {last}")
    return Spoken(done.stdout)


def _run(module: str, folder: Path) -> None:
    """Be the child: run ``module``; where whoever asked goes away, end at once, and leave nothing."""
    try:
        _make(folder)
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        sys.exit(_NO_FOLDER)
    threading.Thread(target=_tidy_up_alone, args=[folder], daemon=True).start()
    sys.argv = [module, str(folder)]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path) -> None:
    """Make the folder, with what a libvirt looks for there; it is locked for as long as this process lives."""
    folder.mkdir(mode=0o700)
    while lock_with_others(folder) is None:  # somebody is looking whether it is a left one
        folder.lstat()
    os.chdir(folder)
    (folder / "etc").mkdir()
    (folder / "etc" / "qemu.conf").write_text(_CONFIGURATION)
    if os.geteuid() == 0:
        # As root libvirt looks at QEMU as another user, who must get to his socket. What it keeps is 0600.
        folder.chmod(0o711)


def _tidy_up_alone(folder: Path) -> None:
    """Wait until nobody reads standard output any more, which poll(2) tells as an error of its pipe."""
    output = select.poll()
    output.register(sys.stdout, 0)
    output.poll()
    _remove(folder)
    os._exit(1)


def _remove(folder: Path) -> None:
    """Remove the folder, and end what is at work in it; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        if folder.exists():
            _end_processes(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _end_processes(folder: Path) -> None:
    """Kill every process of ours whose command names ``folder``: QEMU outlives the libvirt that started it."""
    name, foreign = os.fsencode(folder), {os.getpid()}
    while found := [process for process in _processes() if process not in foreign and name in _command(process)]:
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:  # somebody else's, who only names it
                foreign.add(process)


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").glob("[0-9]*")]


def _command(process: int) -> bytes:
    """Its command line; nothing of one that has ended (proc(5))."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    _run(sys.argv[1], Path(sys.argv[2]))
