"""Making images: new, copied, or as an overlay, with qemu-img; never over something that exists."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from holdfast.errors import files, images

_PERCENT = re.compile(r"\(([0-9.]+)/100%\)")

Progress = Callable[[float], object]
"""Called with how much is copied, in percent."""

LARGEST = {"qcow2": 1 << 51, "qed": 1 << 46, "vdi": 0x1FFFFF8000000, "vhdx": 1 << 46, "vpc": 2040 << 30}
"""Bytes that the largest image of a format can have, with the cluster sizes that qemu-img chooses (7.2)."""

_NAME_BYTES = 255
"""What the name of a file can have on Linux (limits.h, NAME_MAX)."""


def check_size(format: str, size: int) -> None:
    """Raise IMAGE_TOO_LARGE when an image of ``format`` cannot be ``size`` bytes large."""
    largest = LARGEST.get(format)
    if largest is not None and size > largest:
        raise images.IMAGE_TOO_LARGE(size=size, format=format, largest=largest)


def check_file_name(name: str) -> None:
    """Raise NAME_TOO_LONG when no file can have this name."""
    size = len(os.fsencode(name))
    if size > _NAME_BYTES:
        raise files.NAME_TOO_LONG(start=name[:20], size=size, most=_NAME_BYTES)


def reserve(path: str) -> None:
    """Create the empty file ``path``, so that nobody else can have it (open(2) with O_EXCL).

    Raises EXISTS, NO_FOLDER, CANNOT_CREATE, CANNOT_CREATE_THERE.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        raise files.EXISTS(path=path) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        folder = Path(path).parent
        if folder.is_dir():  # /proc and its like answer so
            raise files.CANNOT_CREATE_THERE(path=path, folder=folder) from error
        raise files.NO_FOLDER(path=folder) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise files.CANNOT_CREATE(path=path, reason=reason) from error


def refuse_existing(path: str) -> None:
    """Raise what :func:`reserve` would, as far as looking can tell, and NAME_TOO_LONG; nothing is created."""
    check_file_name(Path(path).name)
    if os.path.lexists(path):
        raise files.EXISTS(path=path)
    if not Path(path).parent.is_dir():
        raise files.NO_FOLDER(path=Path(path).parent)


def file_exists(path: str) -> bool | None:
    """True when there is anything at ``path``, None where this user may not look (another user's folder)."""
    try:
        Path(path).stat()
    except PermissionError:
        return None
    except (OSError, ValueError):
        return False
    return True


def remove(path: str) -> None:
    """Remove a file that :func:`reserve` created; no error when it is gone."""
    Path(path).unlink(missing_ok=True)


def create_image(path: str, format: str, size: int) -> None:
    """Write a new image of ``size`` bytes into the reserved file ``path``. Raises what :func:`qemu_img` does."""
    qemu_img("create", "-q", "-f", format, path, str(size))


def copy_image(source: str, source_format: str, path: str, format: str) -> None:
    """Copy the image ``source`` into the reserved file ``path``, whole, without a backing file.

    Raises what :func:`qemu_img` does.
    """
    qemu_img("convert", "-f", source_format, "-O", format, source, path)


def copy_file(source: str, path: str) -> bool:
    """Copy the file ``source`` to ``path``, which must not exist; False, and nothing is made, where there is none.

    Raises UNREADABLE_BY_THIS_USER, and what :func:`reserve` raises.
    """
    try:
        data = Path(source).read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise files.UNREADABLE_BY_THIS_USER(path=source, reason=error.strerror) from error
    reserve(path)
    Path(path).write_bytes(data)
    return True


def copy_onto(source: str, source_format: str, place: str, format: str, progress: Progress | None = None) -> None:
    """Write all that the image ``source`` holds onto the existing image at ``place``; both are paths or URLs of QEMU's.

    It is on the disk, not only in memory, when this returns. ``progress`` is called with what is copied. Raises what
    :func:`qemu_img` does, also where a running QEMU has one of them open for writing.
    """
    formats = ("-f", source_format, "-O", format)
    qemu_img("convert", "-n", "-t", "writeback", *formats, source, place, progress=progress)


def create_overlay(base: str, base_format: str, path: str) -> None:
    """Make the reserved file ``path`` a qcow2 overlay over ``base``, whose format is written into it.

    Raises what :func:`qemu_img` does.
    """
    qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, path)


def virtual_size(place: str, format: str) -> int:
    """The bytes that a guest has of the image at ``place``, a path or a URL of QEMU's.

    Raises NO_QEMU_IMG, UNREADABLE_IMAGE.
    """
    done = _finished("info", "--output=json", "-f", format, place)
    if done.returncode != 0:
        raise images.UNREADABLE_IMAGE(path=place, reason=_last_line(done))
    return int(json.loads(done.stdout)["virtual-size"])


def grow_image(path: str, format: str, size: int) -> None:
    """Make the image ``path`` (or URL) ``size`` bytes large.

    Raises NOT_SMALLER, and what :func:`virtual_size` and :func:`qemu_img` do.
    """
    now = virtual_size(path, format)
    if size < now:
        raise images.NOT_SMALLER(now=now, size=size)
    if size > now:
        qemu_img("resize", "-q", "-f", format, path, str(size))


def qemu_img(*arguments: str, progress: Progress | None = None) -> None:
    """Run qemu-img. Raises NO_QEMU_IMG, and QEMU_IMG_FAILED with the last line that it printed."""
    done = _finished(*arguments, progress=progress)
    if done.returncode != 0:
        raise images.QEMU_IMG_FAILED(verb=arguments[0], reason=_last_line(done))


def _finished(*arguments: str, progress: Progress | None = None) -> subprocess.CompletedProcess[str]:
    command = ("qemu-img", *arguments)
    try:
        return _run(*command) if progress is None else _run_with_progress(progress, *command, "-p")
    except FileNotFoundError as error:
        raise images.NO_QEMU_IMG() from error


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
    return lines[-1].removeprefix("qemu-img: ")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")


def _run_with_progress(progress: Progress, *command: str) -> subprocess.CompletedProcess[str]:
    """Run it, and read each "(12.34/100%)" that it prints over the one before."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            for line in process.stdout:  # a carriage return ends a line, too
                if found := _PERCENT.search(line):
                    progress(float(found[1]))
            return subprocess.CompletedProcess(command, process.wait(), "", process.stderr.read())
        except BaseException:
            process.kill()
            raise
