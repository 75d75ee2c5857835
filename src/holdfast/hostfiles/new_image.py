"""Making images: new, copied, or as an overlay, with qemu-img; never over something that exists."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from holdfast.errors import Failed, NotFound, Refused, UsageError

_PERCENT = re.compile(r"\(([0-9.]+)/100%\)")

LARGEST = {"qcow2": 1 << 51, "qed": 1 << 46, "vdi": 0x1FFFFF8000000, "vhdx": 1 << 46, "vpc": 2040 << 30}
"""Bytes that the largest image of a format can have, with the cluster sizes that qemu-img chooses (7.2)."""

_NAME_BYTES = 255
"""What the name of a file can have on Linux (limits.h, NAME_MAX)."""


def check_size(format: str, size: int) -> None:
    """Raise UsageError when an image of ``format`` cannot be ``size`` bytes large."""
    largest = LARGEST.get(format)
    if largest is not None and size > largest:
        raise UsageError(f"{size} bytes are too large for {format}: the largest has {largest} bytes")


def check_file_name(name: str) -> None:
    """Raise UsageError when no file can have this name, because it is too long."""
    size = len(os.fsencode(name))
    if size > _NAME_BYTES:
        raise UsageError(f"the file name {name[:20]}… is too long: {size} bytes, and {_NAME_BYTES} are possible")


def reserve(path: str) -> None:
    """Create the empty file ``path``, so that nobody else can have it (open(2) with O_EXCL).

    Raises Refused when it exists, NotFound when its folder does not, Failed when it cannot be created.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        raise Refused(f"{path} exists already", "choose another path, or remove it first") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        folder = Path(path).parent
        if folder.is_dir():  # /proc and its like answer so
            raise Failed(f"cannot create {path}: no file can be made in {folder}", "choose another folder") from error
        raise NotFound(f"there is no folder {folder}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Failed(f"cannot create {path}: {reason}") from error


def refuse_existing(path: str) -> None:
    """Raise what :func:`reserve` would, as far as looking can tell, and create nothing.

    UsageError for a name that is too long.
    """
    check_file_name(Path(path).name)
    if os.path.lexists(path):
        raise Refused(f"{path} exists already", "choose another path, or remove it first")
    if not Path(path).parent.is_dir():
        raise NotFound(f"there is no folder {Path(path).parent}")


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
    """Write a new image of ``size`` bytes into the reserved file ``path``. Raises Failed."""
    qemu_img("create", "-q", "-f", format, path, str(size))


def copy_image(source: str, source_format: str, path: str, format: str) -> None:
    """Copy the image ``source`` into the reserved file ``path``, whole, without a backing file. Raises Failed."""
    qemu_img("convert", "-f", source_format, "-O", format, source, path)


def copy_file(source: str, path: str) -> bool:
    """Copy the file ``source`` to ``path``, which must not exist; False, and nothing is made, where there is none.

    Raises Failed when it cannot be read, and what :func:`reserve` raises.
    """
    try:
        data = Path(source).read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Failed(
            f"cannot read {source}: {error.strerror}", "run it as root, or on the libvirt's own host"
        ) from error
    reserve(path)
    Path(path).write_bytes(data)
    return True


def copy_onto(
    source: str, source_format: str, place: str, format: str, told: Callable[[float], object] | None = None
) -> None:
    """Write all that the image ``source`` holds onto the existing image at ``place``; both are paths or URLs of QEMU's.

    It is on the disk, not only in memory, when this returns. ``told`` hears how much is copied, in percent. Raises
    Failed, also where a running QEMU has one of them open for writing.
    """
    formats = ("-f", source_format, "-O", format)
    qemu_img("convert", "-n", "-t", "writeback", *formats, source, place, told=told)


def create_overlay(base: str, base_format: str, path: str) -> None:
    """Make the reserved file ``path`` a qcow2 overlay over ``base``, whose format is written into it. Raises Failed."""
    qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, path)


def virtual_size(place: str, format: str) -> int:
    """The bytes that a guest has of the image at ``place``, a path or a URL of QEMU's. Raises Failed."""
    try:
        said = qemu_img("info", "--output=json", "-f", format, place)
    except Failed as error:
        raise Failed(f"cannot read the image {place}: {error.message.partition(': ')[2] or error.message}") from error
    return int(json.loads(said)["virtual-size"])


def grow_image(path: str, format: str, size: int) -> None:
    """Make the image ``path`` (or URL) ``size`` bytes large; it cannot become smaller. Raises Failed and Refused."""
    now = virtual_size(path, format)
    if size < now:
        raise Refused(f"an image of {now} bytes cannot be made smaller ({size} bytes)", "leave out size=")
    if size > now:
        qemu_img("resize", "-q", "-f", format, path, str(size))


def qemu_img(*arguments: str, told: Callable[[float], object] | None = None) -> str:
    """Run qemu-img and return what it prints; ``told`` hears its progress in percent. Raises Failed, its last line."""
    try:
        done = _run("qemu-img", *arguments) if told is None else _run_telling(told, "qemu-img", *arguments, "-p")
    except FileNotFoundError as error:
        raise Failed(
            "there is no qemu-img here", "install it (Debian, Ubuntu: qemu-utils; Fedora: qemu-img)"
        ) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise Failed(f"qemu-img could not {arguments[0]} the image: {lines[-1].removeprefix('qemu-img: ')}")
    return done.stdout


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")


def _run_telling(told: Callable[[float], object], *command: str) -> subprocess.CompletedProcess[str]:
    """Run it, and hear each "(12.34/100%)" that it prints over the one before."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            for line in process.stdout:  # a carriage return ends a line, too
                if found := _PERCENT.search(line):
                    told(float(found[1]))
            return subprocess.CompletedProcess(command, process.wait(), "", process.stderr.read())
        except BaseException:
            process.kill()
            raise
