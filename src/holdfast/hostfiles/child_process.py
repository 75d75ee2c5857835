"""A child process that has a folder to itself, for a libvirt of its own or for secrets: both are gone afterwards.

A process that is killed cannot tidy up: then the child does, as soon as nobody reads its answer any more. What is
left where both are killed is named by the audit, and removed by the next one that comes by.

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
from holdfast.hostfiles.own_folder import CHILD, left_folders, lock_with_others, make_locked

LIMIT = 30.0
"""Seconds for an answer. It takes less than one; and minutes where KVM is there and does not work (9.0)."""


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
    """A new folder, for this user alone; removed at the end with all that is in it. Raises NO_TEMPORARY_FILE."""
    with contextlib.ExitStack() as stack:
        with _making():
            for left in left_folders(CHILD):
                _end_processes(left)
                shutil.rmtree(left, ignore_errors=True)
            folder, lock = make_locked(CHILD)
            stack.callback(os.close, lock)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextlib.contextmanager
def libvirt_folder() -> Iterator[Path]:
    """A :func:`private_folder` for a libvirt of its own."""
    with private_folder() as folder:
        with _making():
            if os.geteuid() == 0:
                # As root libvirt looks at QEMU as another user, who must get to his socket. What it keeps is 0600.
                folder.chmod(0o711)
            (folder / "etc").mkdir()
            (folder / "etc" / "qemu.conf").write_text(_CONFIGURATION)
        yield folder


@contextlib.contextmanager
def _making() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NO_TEMPORARY_FILE(reason=error.strerror) from error


def speak(module: str, folder: Path, words: str, limit: float = LIMIT, descriptors: Collection[int] = ()) -> Spoken:
    """Run the Python ``module`` with ``folder`` as its argument and ``words`` as its input, for ``limit`` seconds.

    It has the open ``descriptors``, too. Where it does not end by itself, what it has started (the QEMU at which its
    libvirt was looking) is ended too.
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
            cwd=folder,
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
        return Spoken("", f"its process failed: {last}")
    return Spoken(done.stdout)


def _run(module: str, folder: str) -> None:
    """Be the child: run ``module``; where whoever asked goes away, end at once, and leave nothing."""
    if lock_with_others(Path(folder)) is None:
        sys.exit("its folder is gone")
    threading.Thread(target=_tidy_up_alone, args=[Path(folder)], daemon=True).start()
    sys.argv = [module, folder]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _tidy_up_alone(folder: Path) -> None:
    """Wait until nobody reads standard output any more, which poll(2) tells as an error of its pipe."""
    output = select.poll()
    output.register(sys.stdout, 0)
    output.poll()
    _end_processes(folder)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


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
    _run(*sys.argv[1:])
