"""An archive of files with checksums: a tar archive (POSIX.1-2001) without holes, which other tools can read.

Files with holes are members in GNU's sparse format 1.0 (GNU tar, bsdtar and Python's tarfile read it). The last member,
``SHA256SUMS``, has the checksum of every other one, as ``sha256sum --check`` takes them. An archive that is read is
somebody's input: no name in it is used as a path, and what does not have its checksum is refused.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import re
import stat
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from holdfast.errors import HoldfastError, files
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage, for_qemu_img
from holdfast.hostfiles.images.image import OpenImage
from holdfast.hostfiles.images.new_image import copy_image
from holdfast.hostfiles.new_file import creating, whole_file, writing
from holdfast.text import printable

SUMS = "SHA256SUMS"
_CHUNK = 1 << 17
"""Bytes at a time: of more, the C library takes new pages from the kernel for each piece (glibc, M_MMAP_THRESHOLD)."""
_ZEROS = bytes(_CHUNK)
_BLOCK = 512
_LONGEST = 64 << 20
"""Bytes of the longest member that is read into memory."""
_LARGEST = 2**63 - 1
"""Bytes of the largest file that there can be (off_t)."""
_MOST_MEMBERS = 10_000
_MOST_LISTED = 64 << 20
"""Bytes of headers and maps of holes that are read to list what an archive has."""
_NAME = re.compile(r"(?!\.{1,2}(/|$))[\w.-]+(/(?!\.{1,2}(/|$))[\w.-]+)*", re.ASCII)
"""A name that leads nowhere else, and needs no quoting in a checksum's line."""
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")

Progress = Callable[[int, int], object]
"""Called with how many bytes of how many of a member are written or read; holes count."""

Extents = list[tuple[int, int]]
"""Offset and length of each piece of a file that is not a hole, in bytes."""


class _Sum:
    """A SHA-256 that is made beside what goes on with the data (hashlib does not hold Python's lock meanwhile)."""

    _AT_ONCE = 8
    """Pieces that may wait for it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "holdfast-sum")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> _Sum:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def update(self, piece: bytes) -> None:
        """Go on with ``piece``."""
        self._waiting.append(self._thread.submit(self._hash.update, piece))
        if len(self._waiting) > self._AT_ONCE:
            self._waiting.popleft().result()

    def hexdigest(self) -> str:
        """The sum of all pieces."""
        while self._waiting:
            self._waiting.popleft().result()
        return self._hash.hexdigest()


@contextlib.contextmanager
def new_archive(path: str, progress: Progress | None = None) -> Iterator[ArchiveWriter]:
    """The new file ``path`` as an archive, for its owner alone; it is there whole or not at all.

    ``progress`` is called while a file is added. Raises as :func:`.new_file.creating` does, and CANNOT_WRITE.
    """
    with creating(path), whole_file(path) as file:
        writer = ArchiveWriter(file, Path(path).parent, progress)
        yield writer
        writer.finish()


class ArchiveWriter:
    """An archive that is being written to ``file``: members one after another, and their checksums at the end.

    ``folder`` has room for an image.
    """

    def __init__(self, file: BinaryIO, folder: Path, progress: Progress | None = None) -> None:
        self._folder = folder
        self._progress = progress
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)
        self._sums: dict[str, str] = {}

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add a member that has ``data``."""
        self._add(name, len(data), [data])
        self._sums[name] = hashlib.sha256(data).hexdigest()

    def add_file(self, name: str, descriptor: int) -> None:
        """Add what is open as ``descriptor``, a file or a block device, without its holes. Raises OSError."""
        size = os.lseek(descriptor, 0, os.SEEK_END)
        extents = _extents(descriptor, size)
        with _Sum() as hashed:
            pieces = _pieces(descriptor, extents, size, hashed, self._progress)
            data = sum(length for _, length in extents)
            if data == size:
                self._add(name, size, pieces)
            else:
                sparse_map = _sparse_map(extents, size)
                headers = {"major": "1", "minor": "0", "name": name, "realsize": str(size)}
                pax = {f"GNU.sparse.{key}": value for key, value in headers.items()}
                with_map = itertools.chain([sparse_map], pieces)
                self._add(f"GNUSparseFile.0/{name}", len(sparse_map) + data, with_map, pax)
            for _ in pieces:  # only the zeros at the end are left, for the checksum
                pass
            self._sums[name] = hashed.hexdigest()

    def add_image(self, name: str, image: QemuImgImage) -> None:
        """Add an image, whole: what it rests on, or has data in, becomes part of it.

        Raises what qemu-img has to say, and OSError.
        """
        if len(image.descriptors) == 1:
            self.add_file(name, image.descriptors[0])
            return
        with tempfile.TemporaryFile(dir=self._folder) as file:
            copy_image(image, for_qemu_img(OpenImage(image.name, image.format, file.fileno())))
            self.add_file(name, file.fileno())

    def add_streamed(self, name: str, pieces: Iterable[bytes]) -> None:
        """Add a file that comes in ``pieces``, from its beginning on. Raises OSError."""
        with tempfile.TemporaryFile(dir=self._folder) as file:
            size = 0
            for piece in pieces:
                if piece.count(0) != len(piece):
                    _write_all(file.fileno(), piece, size)
                size += len(piece)
            file.truncate(size)
            self.add_file(name, file.fileno())

    def finish(self) -> None:
        """Write the checksums, and the end of the archive."""
        text = "".join(f"{checksum}  {name}\n" for name, checksum in self._sums.items())
        self._add(SUMS, len(text), [text.encode()])
        self._tar.close()

    def _add(self, name: str, size: int, pieces: Iterable[bytes], pax: dict[str, str] | None = None) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.pax_headers = size, 0o600, pax or {}
        self._tar.addfile(info, _Stream(pieces))  # type: ignore[arg-type]  # it takes whatever can be read


class _Stream:
    """Pieces of bytes as tarfile reads them: so many bytes at a time."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        found, self._left = self._left[:size], self._left[size:]
        return found


class _Listing:
    """A file as tarfile reads it, which takes as much memory as a header says."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MOST_LISTED
        self.seek, self.tell, self.close = file.seek, file.tell, lambda: None

    def read(self, size: int) -> bytes:
        self._left -= size
        if not 0 <= size <= self._left:
            raise ValueError("its headers are larger than any")
        return self._file.read(size)


class ArchiveReader:
    """The archive that the file ``path`` is. Raises NO_FILE, UNREADABLE, NOT_AN_ARCHIVE, and DAMAGED_ARCHIVE."""

    def __init__(self, path: str) -> None:
        self.path = path
        with ExitStack() as stack:
            try:
                self._file = stack.enter_context(Path(path).open("rb"))
                self._members = self._listed(_Listing(self._file))
            except FileNotFoundError as error:
                raise files.NO_FILE(path=path) from error
            except OSError as error:
                raise files.UNREADABLE(path=path, reason=error.strerror) from error
            except (tarfile.TarError, ValueError, OverflowError, IndexError, TypeError) as error:
                raise files.NOT_AN_ARCHIVE(path=path, reason=error) from error  # all of these come of tarfile (3.11)
            self._sums = self._read_sums()
            self._opened = stack.pop_all()

    def __enter__(self) -> ArchiveReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def names(self) -> list[str]:
        """The members that have a checksum."""
        return list(self._sums)

    def read(self, name: str, most: int = _LONGEST) -> bytes:
        """The bytes of a member, at most so many. Raises DAMAGED_ARCHIVE."""
        data = self._read(self._member(name), most)
        if hashlib.sha256(data).hexdigest() != self._sums[name]:
            raise self._damaged(f"{name} does not have its checksum")
        return data

    def size(self, name: str) -> int:
        """The bytes of a member, with its holes. Raises DAMAGED_ARCHIVE where it has none."""
        return self._member(name).size

    def copy_to(self, name: str, path: str, descriptor: int, progress: Progress | None = None) -> None:
        """Write a member to the empty file ``path``, which is open as ``descriptor``; its holes stay holes.

        Raises DAMAGED_ARCHIVE where it does not have its checksum: the file is not to be used then; CANNOT_WRITE.
        """
        size = self.size(name)
        with writing(path):
            os.ftruncate(descriptor, size)
        for offset, piece in self._checked(name):
            with writing(path):
                _write_all(descriptor, piece, offset)
            if progress is not None:
                progress(offset + len(piece), size)

    def stream(self, name: str) -> Iterator[bytes]:
        """All bytes of a member in order, holes as zeros.

        Raises DAMAGED_ARCHIVE in the end where it does not have its checksum: they are not to be used then.
        """
        end = 0
        for offset, piece in self._checked(name):
            yield from _zeros(offset - end)
            yield piece
            end = offset + len(piece)
        yield from _zeros(self.size(name) - end)

    def _listed(self, file: _Listing) -> dict[str, tarfile.TarInfo]:
        """Its members, each of which is a file with a name of its own that leads nowhere else."""
        members: dict[str, tarfile.TarInfo] = {}
        with tarfile.TarFile(fileobj=cast("BinaryIO", file)) as tar:
            for info in tar:
                is_plain = info.isreg() and 0 <= info.size <= _LARGEST and _NAME.fullmatch(info.name)
                if not is_plain or info.name in members:
                    raise self._damaged(f"no archive of Holdfast has such a member: {printable(info.name[:80])}")
                if len(members) == _MOST_MEMBERS:
                    raise self._damaged(f"it has more than {_MOST_MEMBERS} members")
                members[info.name] = info
        return members

    def _read_sums(self) -> dict[str, str]:
        if SUMS not in self._members:
            raise self._damaged(f"it has no {SUMS}, so it is not whole")
        sums: dict[str, str] = {}
        for line in self._read(self._members[SUMS], _LONGEST).decode(errors="replace").splitlines():
            found = _SUM.fullmatch(line)
            if found is None or found[2] not in self._members or found[2] in sums:
                raise self._damaged(f"{SUMS} names what it does not have: {line[:80]!r}")
            sums[found[2]] = found[1]
        if lacking := self._members.keys() - sums.keys() - {SUMS}:
            raise self._damaged(f"{SUMS} lacks {min(lacking)}")
        return sums

    def _member(self, name: str) -> tarfile.TarInfo:
        if name not in self._sums:
            raise self._damaged(f"it has no {name}")
        return self._members[name]

    def _read(self, info: tarfile.TarInfo, most: int) -> bytes:
        if not 0 <= info.size <= most:
            raise self._damaged(f"{info.name} is too long")
        data = bytearray(info.size)
        for offset, piece in self._pieces(info):
            data[offset : offset + len(piece)] = piece
        return bytes(data)

    def _checked(self, name: str) -> Iterator[tuple[int, bytes]]:
        """As :meth:`_pieces`, and in the end DAMAGED_ARCHIVE where they do not have their checksum."""
        info, end = self._member(name), 0
        with _Sum() as hashed:
            for offset, piece in self._pieces(info):
                _hash_zeros(hashed, offset - end)
                hashed.update(piece)
                yield offset, piece
                end = offset + len(piece)
            _hash_zeros(hashed, info.size - end)
            if hashed.hexdigest() != self._sums[name]:
                raise self._damaged(f"{name} does not have its checksum")

    def _pieces(self, info: tarfile.TarInfo) -> Iterator[tuple[int, bytes]]:
        """What a member has but holes, in order, each piece with its offset."""
        self._file.seek(info.offset_data)
        end = 0
        for offset, length in cast("Extents", info.sparse) or [(0, info.size)]:
            if offset < end or length < 0 or offset + length > info.size:
                raise self._damaged(f"the map of {info.name} makes no sense")
            end = offset + length
            while offset < end:
                piece = self._file.read(min(_CHUNK, end - offset))
                if not piece:
                    raise self._damaged(f"it ends in the middle of {info.name}")
                yield offset, piece
                offset += len(piece)

    def _damaged(self, reason: str) -> HoldfastError:
        return files.DAMAGED_ARCHIVE(path=self.path, reason=reason)


def _extents(descriptor: int, size: int) -> Extents:
    """The pieces of a file that are no holes (lseek(2), SEEK_DATA); a block device has none."""
    found: Extents = []
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return [(0, size)]
    offset = 0
    while offset < size:
        try:
            begin = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # a hole up to the end
        offset = os.lseek(descriptor, begin, os.SEEK_HOLE)
        found.append((begin, offset - begin))
    return found


def _pieces(descriptor: int, extents: Extents, size: int, hashed: _Sum, progress: Progress | None) -> Iterator[bytes]:
    """The bytes of ``extents``; meanwhile ``hashed`` is fed with the whole file of ``size`` bytes, holes as zeros."""
    end = 0
    for offset, length in extents:
        _hash_zeros(hashed, offset - end)
        end = offset + length
        for at in range(offset, end, _CHUNK):
            piece = os.pread(descriptor, min(_CHUNK, end - at), at)
            hashed.update(piece)
            yield piece
            if progress is not None:
                progress(at + len(piece), size)
    _hash_zeros(hashed, size - end)


def _sparse_map(extents: Extents, size: int) -> bytes:
    """GNU tar's map of format 1.0, in whole blocks: how many pieces there are, and where; the last is the end."""
    numbers = [len(extents) + 1, *itertools.chain.from_iterable(extents), size, 0]
    text = "".join(f"{number}\n" for number in numbers).encode()
    return text + bytes(-len(text) % _BLOCK)


def _hash_zeros(hashed: _Sum, length: int) -> None:
    for zeros in _zeros(length):
        hashed.update(zeros)


def _zeros(length: int) -> Iterator[bytes]:
    for at in range(0, length, _CHUNK):
        yield _ZEROS[: min(_CHUNK, length - at)]


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
