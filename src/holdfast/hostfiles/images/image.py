"""Opening disk images: each once, and what its header says of it against what was stated.

The format of an image is always stated by the user. The header may only *refuse* what was stated: a guest that owns a
raw disk can write a qcow2 header onto it that names any file of the host as its backing file, and whoever then lets
the header choose the format hands that file to the guest. For the same reason an image of any format is refused whose
header names other files, unless those are known.

What was looked at is then used by its descriptor: a link or file that is exchanged meanwhile changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from holdfast.errors import Failed, NotFound, images
from holdfast.errors.elements import UNKNOWN_WORD
from holdfast.errors.files import NO_PERMISSION
from holdfast.hostfiles.images.header import (
    FORMATS,
    HEAD_BYTES,
    Named,
    Read,
    can_name_files,
    detect_format,
    named_files,
)

Otherwise = Callable[[str], Read | None]
"""How an image is read that this user may not open, by its path; None where nothing does."""

_MAGIC_BYTES = 512
"""Enough for every magic number but that of a CD."""

_RAW_CONTENT = ("luks", "iso")
"""What an honest raw disk may hold: a CD, or a disk that the guest encrypted as a whole. Neither names other files."""

_DEEPEST = 200
"""Images of a chain that are looked at; libvirt (9.0) takes no more."""

_NO_MARK_AT_BEGIN = ("vpc", "dmg", "cloop")
"""The formats whose mark can be at the end, or that have none. Their headers name no file."""

_PLAIN_FILE = ("file", "host_device")
"""QEMU's drivers for what is at a path of this host."""

_NOT_OPEN = -1
"""In place of the descriptor of an image of which only the header is looked at, by other means than opening it."""

_END = 2**63 - 1
"""The last place that a file can have (off_t)."""


@dataclass(frozen=True)
class OpenImage:
    """An image that is open, and what it is made of besides: nothing, where its header names no other file.

    ``path``, ``format``  where it was found, and the format that was stated of it
    ``descriptor``        of the file or block device, for reading
    ``backing``           what it rests on
    ``parts``             the other files that hold data of its own
    ``elsewhere``         what its header names that is no file of this host ("nbd://…"), and that was known
    """

    path: str
    format: str
    descriptor: int
    backing: OpenImage | None = None
    parts: tuple[OpenImage, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def whole(self) -> Iterator[OpenImage]:
        """This image and all that it is made of, down to the bottom; itself first."""
        yield self
        yield from self.parts
        if self.backing is not None:
            yield from self.backing.whole()


@contextlib.contextmanager
def opened_image(path: str, stated: str, known: Container[str] = ()) -> Iterator[OpenImage]:
    """The image ``path``, open, with all that it rests on; each was checked at the descriptor that is used then.

    ``known`` are the real paths of the files that the headers may name; what is no file, in the words of the header.

    Raises UNKNOWN_WORD, what :func:`read_header` does, NOT_RAW, ANOTHER_FORMAT, NOT_OF_FORMAT, HEADER_CUT_OFF,
    HEADER_DAMAGED, BACKING_FORMAT_NOT_STATED, NAMES_ANOTHER_FILE.
    """
    check_format_name(stated)
    with ExitStack() as stack:
        yield _open_whole(stack, path, stated, known, ())


def _open_whole(
    stack: ExitStack,
    path: str,
    stated: str,
    known: Container[str],
    above: tuple[str, ...],
    otherwise: Otherwise | None = None,
) -> OpenImage:
    descriptor, read = _open(stack, path, otherwise)
    if above:
        _refuse_unknown(above[-1], path, descriptor, known)
    if stated != "raw" or not above:  # what a guest once wrote can be below an overlay, and there nobody guesses
        _check_magic(path, read(0, HEAD_BYTES), stated)
    backing, parts, elsewhere = None, [], []
    for named in named_files(path, stated, read):
        if named.format is None and named.is_backing:
            raise images.BACKING_FORMAT_NOT_STATED(path=path, backing=named.file)
        file = _known_file(path, named, known)
        if file is None:
            elsewhere.append(named.file)
        elif not named.is_backing:
            part = OpenImage(file, "raw", _open(stack, file, otherwise)[0])
            _refuse_unknown(path, file, part.descriptor, known)
            parts.append(part)
        elif file in above or len(above) > _DEEPEST:
            raise images.RESTS_ON_ITSELF(path=path)
        else:
            check_format_name(named.format or "")
            backing = _open_whole(stack, file, named.format or "", known, (*above, path), otherwise)
    return OpenImage(path, stated, descriptor, backing, tuple(parts), tuple(elsewhere))


def _open(stack: ExitStack, path: str, otherwise: Otherwise | None) -> tuple[int, Read]:
    """The descriptor of an image, _NOT_OPEN where it is read ``otherwise``, and what reads it."""
    try:
        descriptor = stack.enter_context(_opened(path))
    except Failed as error:
        read = otherwise(path) if otherwise is not None and error.code == NO_PERMISSION.code else None
        if read is None:
            raise
        return _NOT_OPEN, read
    return descriptor, partial(_read, path, descriptor)


def _known_file(path: str, named: Named, known: Container[str]) -> str | None:
    """The path of a file that the image ``path`` names; None for what is no file of this host.

    Raises NAMES_ANOTHER_FILE for what is not ``known``.
    """
    name = file_name(named)
    file = None if name is None else str(Path(path).parent / name)
    if (named.file if file is None else real_path(file)) not in known:
        raise images.NAMES_ANOTHER_FILE(path=path, other=named.file)
    return file


def _refuse_unknown(above: str, path: str, descriptor: int, known: Container[str]) -> None:
    """Raise NAMES_ANOTHER_FILE where a link on the way to ``path`` was exchanged before that was opened (proc(5))."""
    if descriptor == _NOT_OPEN:
        return
    opened = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    if opened not in known:
        raise images.NAMES_ANOTHER_FILE(path=above, other=path)


def file_name(named: Named) -> str | None:
    """The path of what is ``named`` in QEMU's notation; None where that says more than a path: a protocol ("nbd:…"),
    several files, a part of one, another format than is stated beside it.
    """
    name = named.file
    if name.startswith("json:"):
        return _file_of_json(name.removeprefix("json:"), named.format)
    name = name.removeprefix("file:")
    return None if ":" in name.split("/", 1)[0] else name


def _file_of_json(text: str, format: str | None) -> str | None:
    """The path in a description of QEMU's that tells of one file whole, and of nothing besides."""
    try:
        said = _flat(json.loads(text))
    except (ValueError, RecursionError):
        return None
    for place, drivers in (("file.", (format,)), ("", _PLAIN_FILE)):
        file = said.get(f"{place}filename")
        rest = {key: value for key, value in said.items() if key != f"{place}filename"}
        allowed = {"driver": drivers, "file.driver": _PLAIN_FILE} if place else {"driver": drivers}
        if isinstance(file, str) and file and all(value in allowed.get(key, ()) for key, value in rest.items()):
            return file
    return None


def _flat(said: object, place: str = "") -> dict[str, object]:
    """``{"file": {"driver": …}}`` as ``{"file.driver": …}``: the two are one to QEMU. Raises ValueError for both."""
    if not isinstance(said, dict):
        return {place: said}
    flat: dict[str, object] = {}
    for key, value in said.items():
        inner = _flat(value, f"{place}.{key}" if place else key)
        if flat.keys() & inner:
            raise ValueError
        flat.update(inner)
    return flat


def read_header(path: str, size: int = HEAD_BYTES) -> bytes:
    """The first ``size`` bytes of the image ``path``, a file or a block device.

    Raises NO_IMAGE, NO_PERMISSION, UNREADABLE_IMAGE, and NOT_AN_IMAGE for something else (a folder, a socket).
    """
    with image_reader(path) as read:
        return read(0, size)


@contextlib.contextmanager
def image_reader(path: str, otherwise: Otherwise | None = None) -> Iterator[Read]:
    """What reads the image ``path``, which is opened once. Raises as :func:`read_header` does, also when it reads."""
    with ExitStack() as stack:
        yield _open(stack, path, otherwise)[1]


def named_by(path: str, otherwise: Otherwise | None = None) -> list[Named]:
    """The files that the image ``path`` names, if it is of the format whose mark its header bears.

    For deciding what may go, never what to open. Raises what :func:`read_header` does, HEADER_CUT_OFF, HEADER_DAMAGED.
    """
    with image_reader(path, otherwise) as read:
        found = detect_format(read(0, HEAD_BYTES))
        return named_files(path, found, read) if found in FORMATS else []


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    with _reading(path):
        # Never wait: opening a FIFO would.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_kind(path, os.fstat(descriptor).st_mode)
        yield descriptor
    finally:
        os.close(descriptor)


def _read(path: str, descriptor: int, offset: int, size: int) -> bytes:
    if offset + size > _END:
        return b""
    with _reading(path):
        return os.pread(descriptor, size, offset)


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise images.NO_IMAGE(path=path) from error
    except PermissionError as error:
        raise NO_PERMISSION(deed="read the image", path=path) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise images.UNREADABLE_IMAGE(path=path, reason=reason) from error


def _check_kind(path: str, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise images.NOT_AN_IMAGE(path=path)


def disguised_format(path: str) -> str | None:
    """The format that the raw image ``path`` begins like; None for an honest one. Reads its first bytes only.

    Raises what :func:`read_header` does.
    """
    found = detect_format(read_header(path, _MAGIC_BYTES))
    return None if found in _RAW_CONTENT else found


def check_format(
    path: str, stated: str, trust: bool = False, known: Container[str] = (), otherwise: Otherwise | None = None
) -> None:
    """Refuse the image ``path`` when its header contradicts the ``stated`` format, or names files that are not known.

    ``trust`` accepts whatever the header says, for an image whose origin the user knows, and does not open it: QEMU may
    read what this user may not. Reads headers only, and ``otherwise`` those that this user may not; raises UNKNOWN_WORD
    and what :func:`opened_image` does.
    """
    check_format_name(stated)
    if trust:
        with _reading(path), contextlib.suppress(PermissionError):
            _check_kind(path, Path(path).stat().st_mode)
        return
    with ExitStack() as stack:
        _open_whole(stack, path, stated, known, (), otherwise)


def _check_magic(path: str, header: bytes, stated: str) -> None:
    found = detect_format(header)
    if stated == "raw":
        if found is not None and found not in _RAW_CONTENT:
            raise images.NOT_RAW(path=path, found=found)
    elif found is None and stated not in _NO_MARK_AT_BEGIN:
        raise images.NOT_OF_FORMAT(path=path, stated=stated)
    elif found not in (None, stated):
        raise images.ANOTHER_FORMAT(path=path, stated=stated, found=found)


def is_complete(path: str, stated: str | None) -> bool:
    """True when the image ``path`` is there and, where its ``stated`` format is qcow2, so are all that it is based on.

    False also where that cannot be told: an image that this user may not read, or that is based on no file.
    """
    for _ in range(_DEEPEST):
        try:
            with image_reader(path) as read:
                named = named_files(path, "qcow2", read) if stated == "qcow2" else []
        except (NotFound, Failed):
            return False
        below = next((each for each in named if each.is_backing), None)
        if below is None:
            return True
        path, stated = str(Path(path).parent / below.file), below.format
    return False


def first_missing(path: str, stated: str, otherwise: Otherwise | None = None) -> tuple[str, str] | None:
    """The first that is not there of the files of which the image ``path`` is made, and the image that names it: "" for
    ``path`` itself. None where all are there.

    The formats are the ``stated`` ones, and so what a guest wrote into a raw image leads nowhere. Raises NO_PERMISSION,
    UNREADABLE_IMAGE, NOT_AN_IMAGE, HEADER_CUT_OFF, HEADER_DAMAGED.
    """
    waiting, seen = [(path, "", stated)], set()
    for file, above, format in waiting:  # grows
        if file in seen:
            continue
        seen.add(file)
        try:
            named = _named_in(file, format, otherwise)
        except NotFound:
            return file, above
        for each in named:
            if (name := file_name(each)) is not None:
                waiting.append((str(Path(file).parent / name), file, each.format or "raw"))
    return None


def _named_in(path: str, stated: str, otherwise: Otherwise | None) -> list[Named]:
    """What the image ``path`` names; one whose format can name nothing is only looked for."""
    if stated not in FORMATS or not can_name_files(stated):
        with _reading(path):
            Path(path).stat()
        return []
    with image_reader(path, otherwise) as read:
        return named_files(path, stated, read)


def check_format_name(stated: str) -> None:
    """Raise UNKNOWN_WORD unless ``stated`` is a disk format that libvirt and QEMU know."""
    if stated not in FORMATS:
        raise UNKNOWN_WORD(what="disk format", word=stated, words=FORMATS)


def is_block_device(path: str) -> bool:
    """True when ``path`` is a block device; False for anything else, what does not exist or may not be looked at."""
    with contextlib.suppress(OSError):
        return Path(path).is_block_device()
    return False


def file_identity(path: str) -> str:
    """What tells one file or block device from another, whatever they are called: links and hard links come out equal.

    For a path at which nothing can be looked at, that path without symbolic links. (stat(2))
    """
    try:
        return identity_of_file(os.stat(path))  # noqa: PTH116 - thousands of them, in an audit
    except (OSError, ValueError):
        return real_path(path)


def identity_of_file(found: os.stat_result) -> str:
    """The same of a file that was looked at."""
    if stat.S_ISBLK(found.st_mode):
        return f"block device {found.st_rdev}"
    return f"inode {found.st_ino} of {found.st_dev}"


def real_path(path: str) -> str:
    """``path`` without symbolic links: two names of one image come out equal."""
    return os.path.realpath(path)  # Path.resolve (Python 3.11) raises for links in a circle
