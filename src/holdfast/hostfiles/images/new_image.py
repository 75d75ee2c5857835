"""Making images: new, copied, or as an overlay, with qemu-img; never over something that exists."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from holdfast.errors import files
from holdfast.errors import images as errors
from holdfast.hostfiles.folder import open_folder
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage, for_qemu_img
from holdfast.hostfiles.images.image import OpenImage
from holdfast.hostfiles.new_file import MadeFile, created, creating, whole_file

_PERCENT = re.compile(r"\(([0-9.]+)/100%\)")

Progress = Callable[[float], object]
"""Called with how much is copied, in percent."""

LARGEST = {"qcow2": 1 << 51, "qed": 1 << 46, "vdi": 0x1FFFFF8000000, "vhdx": 1 << 46, "vpc": 2040 << 30}
"""Bytes that the largest image of a format can have, with the cluster sizes that qemu-img chooses (7.2)."""

_NAME_BYTES = 255
"""What the name of a file can have on Linux (limits.h, NAME_MAX)."""

_PATH_BYTES = 4095
"""What a path can have (limits.h, PATH_MAX, which counts the NUL at the end)."""


def check_size(format: str, size: int) -> None:
    """Raise IMAGE_TOO_LARGE when an image of ``format`` cannot be ``size`` bytes large."""
    largest = LARGEST.get(format)
    if largest is not None and size > largest:
        raise errors.IMAGE_TOO_LARGE(size=size, format=format, largest=largest)


def check_file_name(name: str) -> None:
    """Raise NAME_TOO_LONG when no file can have this name."""
    size = len(os.fsencode(name))
    if size > _NAME_BYTES:
        raise files.NAME_TOO_LONG(start=name[:20], size=size, most=_NAME_BYTES)


@contextlib.contextmanager
def new_image_file(path: str, format: str) -> Iterator[tuple[MadeFile, QemuImgImage]]:
    """The new, empty file ``path``, open for an image of this ``format``. Raises as :func:`.new_file.created` does."""
    with created(path) as (made, descriptor):
        yield made, for_qemu_img(OpenImage(path, format, descriptor))


@contextlib.contextmanager
def unnamed_image(format: str) -> Iterator[QemuImgImage]:
    """A small image in memory, which is nowhere else (memfd_create(2))."""
    descriptor = os.memfd_create("image", os.MFD_CLOEXEC)
    try:
        yield for_qemu_img(OpenImage("image", format, descriptor))
    finally:
        os.close(descriptor)


def refuse_existing(path: str) -> None:
    """Raise what :func:`new_image_file` would, as far as looking can tell, NAME_TOO_LONG or PATH_TOO_LONG.

    Creates nothing.
    """
    check_file_name(Path(path).name)
    size = len(os.fsencode(path))
    if size > _PATH_BYTES:
        raise files.PATH_TOO_LONG(start=path[:20], size=size, most=_PATH_BYTES)
    if os.path.lexists(path):
        raise files.EXISTS(path=path)
    if not os.path.isdir(Path(path).parent):  # noqa: PTH112 - Path's own (Python 3.11) raises where it may not look
        raise files.NO_FOLDER(path=Path(path).parent)
    with contextlib.suppress(OSError):
        os.close(open_folder(str(Path(path).parent)))


def file_exists(path: str) -> bool | None:
    """True when there is anything at ``path``, None where this user may not look (another user's folder)."""
    try:
        Path(path).stat()
    except PermissionError:
        return None
    except (OSError, ValueError):
        return False
    return True


def create_image(image: QemuImgImage, size: int) -> None:
    """Make a new image of ``size`` bytes of a new file. Raises what :func:`qemu_img` does."""
    qemu_img("create", "-q", "-f", image.format, image.place, str(size), images=[image])


def copy_image(source: QemuImgImage, image: QemuImgImage) -> None:
    """Copy ``source`` into a new file, whole, without a backing file. Raises what :func:`qemu_img` does."""
    qemu_img("convert", "-O", image.format, *source.options, image.place, images=[source, image])


def copy_file(source: str, path: str) -> MadeFile | None:
    """Copy the file ``source`` to ``path``, which must not exist; None, and nothing is made, where there is none.

    The copy is there whole or not at all. Raises UNREADABLE_BY_THIS_USER, and what :func:`.new_file.creating` raises.
    """
    try:
        data = Path(source).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.UNREADABLE_BY_THIS_USER(path=source, reason=error.strerror) from error
    with creating(path), whole_file(path) as file:
        file.write(data)
        return MadeFile.at(path, file.fileno())


def copy_onto(source: QemuImgImage, image: QemuImgImage, progress: Progress | None = None) -> None:
    """Write all that ``source`` holds onto an existing ``image``.

    It is on the disk, not only in memory, when this returns. ``progress`` is called with what is copied. Raises what
    :func:`qemu_img` does, also where a running QEMU has one of them open for writing.
    """
    to = ("-n", "-t", "writeback", "-O", image.format)
    qemu_img("convert", *to, *source.options, image.place, images=[source, image], progress=progress)


def create_overlay(base: QemuImgImage, image: QemuImgImage, size: int | None = None) -> None:
    """Make a qcow2 overlay over ``base`` of a new file, whose header names it and its format.

    It is as large as its base, or ``size`` bytes. Raises NOT_SMALLER, and what :func:`virtual_size` and
    :func:`qemu_img` do.
    """
    smallest = virtual_size(base)
    if size is not None and size < smallest:
        raise errors.NOT_SMALLER(now=smallest, size=size)
    over = ("-u", "-b", base.name, "-F", base.format)
    qemu_img("create", "-q", "-f", "qcow2", *over, image.place, str(size or smallest), images=[image])


def virtual_size(image: QemuImgImage) -> int:
    """The bytes that a guest has of an image.

    Raises NO_QEMU_IMG, UNREADABLE_IMAGE.
    """
    done = _finished("info", "--output=json", *image.itself, images=[image])
    if done.returncode != 0:
        raise errors.UNREADABLE_IMAGE(path=image.name, reason=_last_line(done, [image]))
    return int(json.loads(done.stdout)["virtual-size"])


def grow_image(image: QemuImgImage, size: int) -> None:
    """Make an image ``size`` bytes large.

    Raises NOT_SMALLER, and what :func:`virtual_size` and :func:`qemu_img` do.
    """
    now = virtual_size(image)
    if size < now:
        raise errors.NOT_SMALLER(now=now, size=size)
    if size > now:
        qemu_img("resize", "-q", *image.options, str(size), images=[image])


def qemu_img(*arguments: str, images: Sequence[QemuImgImage] = (), progress: Progress | None = None) -> None:
    """Run qemu-img; ``images`` are those that it is given.

    Raises NO_QEMU_IMG, and QEMU_IMG_FAILED with the last line that it printed.
    """
    done = _finished(*arguments, images=images, progress=progress)
    if done.returncode != 0:
        raise errors.QEMU_IMG_FAILED(verb=arguments[0], reason=_last_line(done, images))


def _finished(
    *arguments: str, images: Sequence[QemuImgImage], progress: Progress | None = None
) -> subprocess.CompletedProcess[str]:
    command = ("qemu-img", *arguments)
    descriptors = [descriptor for image in images for descriptor in image.descriptors]
    try:
        return (
            _run(command, descriptors)
            if progress is None
            else _run_with_progress(progress, (*command, "-p"), descriptors)
        )
    except FileNotFoundError as error:
        raise errors.NO_QEMU_IMG() from error


def _last_line(done: subprocess.CompletedProcess[str], images: Iterable[QemuImgImage]) -> str:
    """What qemu-img said in the end, with the names that the images have for people."""
    lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
    line = lines[-1].removeprefix("qemu-img: ")
    for image in images:
        for said in (*image.options, *image.itself, image.place):
            if said.startswith(("json:", "/dev/fd/")):
                line = line.replace(said, image.name)
    return line


def _run(command: Sequence[str], descriptors: Sequence[int]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        pass_fds=descriptors,
    )


def _run_with_progress(
    progress: Progress, command: Sequence[str], descriptors: Sequence[int]
) -> subprocess.CompletedProcess[str]:
    """Run it, and read each "(12.34/100%)" that it prints over the one before."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
        pass_fds=descriptors,
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
