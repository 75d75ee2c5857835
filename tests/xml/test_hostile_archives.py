"""Archives that somebody made to do harm: each is refused in one sentence, before anything of it is used."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.libvirt.past.two_histories import WEB, History
from tests.raising import raising

from holdfast.errors.files import DAMAGED_ARCHIVE, NOT_AN_ARCHIVE
from holdfast.errors.history import NOT_A_BUNDLE
from holdfast.history.bundle import take_bundle
from holdfast.hostfiles.archives.archive import ArchiveReader
from holdfast.hostfiles.archives.archive_format import is_archive

Write = Callable[[tarfile.TarFile], object]


def member(name: str, data: bytes = b"x", **fields: object) -> Write:
    def write(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for field, value in fields.items():
            setattr(info, field, value)
        tar.addfile(info, io.BytesIO(data))

    return write


def sums(**named: bytes) -> Write:
    text = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in named.items())
    return member("SHA256SUMS", text.encode())


def made(folder: Path, *parts: Write, format: int = tarfile.PAX_FORMAT) -> str:
    path = folder / "a.tar"
    with tarfile.open(path, "w", format=format) as tar:
        for write in parts:
            write(tar)
    return str(path)


def sparse(size: object, *numbers: object, data: bytes = b"") -> Write:
    """A member in GNU's sparse format 1.0 with this map."""
    text = "".join(f"{number}\n" for number in (len(numbers) // 2, *numbers)).encode()
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a", "GNU.sparse.realsize": str(size)}
    return member("GNUSparseFile.0/a", text + bytes(-len(text) % 512) + data, pax_headers=pax)


NAMES = ["../a", "/etc/passwd", "a/../../b", "a//b", ".", "..", "a\nb", "\udcff", "a b", "a/"]


@pytest.mark.parametrize("name", NAMES)
def test_a_member_has_a_plain_name_or_none(name: str, tmp_path: Path) -> None:
    with raising(DAMAGED_ARCHIVE) as caught:
        ArchiveReader(made(tmp_path, member(name), sums()))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_member_is_a_file(type: bytes, tmp_path: Path) -> None:
    with raising(DAMAGED_ARCHIVE):
        ArchiveReader(made(tmp_path, member("a", b"", type=type, linkname="/etc/shadow"), sums()))


@pytest.mark.parametrize(
    "parts",
    [
        (member("a"), member("a", b"y"), sums(a=b"y")),
        (member("a"), member("SHA256SUMS", (f"{'0' * 64}  a\n" * 2).encode())),
        (member("a"), sums()),
        (sums(a=b"x"),),
        (member("a"), member("SHA256SUMS", b"\xff\xfe")),
        (member("a"),),
    ],
    ids=["twice", "sum twice", "without a sum", "not there", "no sums", "no list"],
)
def test_each_member_is_there_once_and_has_one_checksum(parts: tuple[Write, ...], tmp_path: Path) -> None:
    with raising(DAMAGED_ARCHIVE):
        ArchiveReader(made(tmp_path, *parts))


@pytest.mark.parametrize(
    "broken",
    [
        sparse(1 << 20, 0, 512, 256, 512, data=b"x" * 1024),
        sparse(1 << 20, 4096, 512, 0, 512, data=b"x" * 1024),
        sparse(1024, 4096, 512, data=b"x" * 512),
        sparse(1 << 20, -512, 512, data=b"x" * 512),
        sparse(1 << 20, 0, -1),
        sparse(1 << 20, 0, 1 << 40),
        sparse(1 << 20, "x", "y"),
        sparse("x", 0, 512, data=b"x" * 512),
        sparse(-1, 0, 512, data=b"x" * 512),
        member("a", b"9" * 4000 + b"\n", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
        member("a", b"9999\n", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
        member("a", b"x", pax_headers={"GNU.sparse.map": "1,2,3"}),
        member("a", b"x", pax_headers={"size": "-1024"}),
        member("a", b"x", pax_headers={"size": "99999999999999999999999"}),
        member("a", b"x", pax_headers={"GNU.sparse.size": "-5", "GNU.sparse.offset": "zz"}),
    ],
)
def test_a_map_of_holes_that_makes_no_sense_is_refused(broken: Write, tmp_path: Path) -> None:
    with raising(DAMAGED_ARCHIVE, NOT_AN_ARCHIVE) as caught, ArchiveReader(made(tmp_path, broken, sums(a=b"x"))) as one:
        one.read("a")
    assert str(caught.value).isprintable()


def test_what_is_listed_takes_no_more_memory_than_an_archive_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with path.open("wb") as file:  # a header that says it is 10 GiB long, in a file that has them
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = tarfile.XHDTYPE, 10 << 30
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(11 << 30)
    with raising(NOT_AN_ARCHIVE):
        ArchiveReader(str(path))
    many = [member(f"m{number}", b"") for number in range(10_001)]
    with raising(DAMAGED_ARCHIVE):
        ArchiveReader(made(tmp_path, *many))


def test_a_member_too_long_to_be_read_is_not_read(tmp_path: Path) -> None:
    with raising(DAMAGED_ARCHIVE), ArchiveReader(made(tmp_path, sparse(1 << 60, 1 << 60, 0), sums(a=b""))) as one:
        one.read("a")


def test_an_image_larger_than_any_file_is_refused(tmp_path: Path) -> None:
    with raising(DAMAGED_ARCHIVE):
        ArchiveReader(made(tmp_path, sparse(1 << 64, 1 << 64, 0), sums(a=b"")))


def bundle(uuid: str, pack: bytes, tip: bytes = b"0" * 40) -> bytes:
    packed = b"PACK\0\0\0\2" + pack
    return b"# v2 git bundle\n%s refs/domains/%s\n\n" % (tip, uuid.encode()) + packed + hashlib.sha1(packed).digest()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# v2 git bundle\n",
        b"# v3 git bundle\n@object-format=sha256\n\n",
        bundle("../../x", b"\0\0\0\0"),
        bundle(WEB, b"\0\0\0\0"),
        bundle(WEB, b"\xff\xff\xff\xff"),
        bundle(WEB, b"\0\0\0\1\x7f" + zlib.compress(b"x")),
        bundle(WEB, b"\0\0\0\1" + b"\xff" * 9),
        bundle(WEB, b"\0\0\0\1\x31" + zlib.compress(bytes(1 << 24))),
        bundle(WEB, b"\0\0\0\1\xb0\x80\x80\x80\x80\x01" + zlib.compress(b"x")),
    ],
)
def test_a_history_that_is_none_is_refused(text: bytes, tmp_path: Path) -> None:
    history = History(tmp_path, "here")
    history.add(WEB, "web")
    before = history.names(WEB)
    with raising(NOT_A_BUNDLE) as caught:
        take_bundle(history.repository, WEB, text)
    assert str(caught.value).isprintable()
    assert history.names(WEB) == before


@pytest.mark.parametrize("program", ["gzip", "bzip2", "xz", "zstd"])
def test_a_compressed_archive_is_said_to_be_compressed(tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    plain, packed = Path(made(tmp_path, member("a", b"x"))), tmp_path / "packed"
    packed.write_bytes(subprocess.run([program, "-c"], input=plain.read_bytes(), stdout=subprocess.PIPE).stdout)
    assert is_archive(str(plain))
    with raising(NOT_AN_ARCHIVE, reason=f"it is compressed with {program}: unpack it first"):
        is_archive(str(packed))
