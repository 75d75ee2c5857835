"""Image headers: what is recognised, and what is refused because of it."""

from __future__ import annotations

import os
import struct
from errno import EACCES
from pathlib import Path

import pytest
from tests.image_headers import qcow, qcow2, qed, vmdk
from tests.raising import raising

from holdfast.errors import Condition, HoldfastError, images
from holdfast.errors.elements import UNKNOWN_WORD
from holdfast.errors.files import NO_PERMISSION
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.header import Named, detect_format, named_files
from holdfast.hostfiles.images.image import check_format, is_block_device, is_complete, opened_image
from holdfast.hostfiles.images.new_image import file_exists


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (qcow2(), "qcow2"),
        (qcow2(version=2), "qcow2"),
        (b"QFI\xfb\0\0\0\1", "qcow"),
        (b"QED\0", "qed"),
        (b"KDMV\1\0\0\0", "vmdk"),
        (b"COWD", "vmdk"),
        (b"# Disk DescriptorFile\nversion=1", "vmdk"),
        (b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe", "vdi"),
        (b"vhdxfile", "vhdx"),
        (b"conectix", "vpc"),
        (b"LUKS\xba\xbe\0\1", "luks"),
        (b"WithoutFreeSpace", "parallels"),
        (b"WithouFreSpacExt", "parallels"),
        (b"\0" * 0x8001 + b"CD001", "iso"),
        (b"\0" * 65536, None),
        (b"", None),
        (b"QFI", None),
    ],
)
def test_magic_number_is_recognised(header: bytes, expected: str | None) -> None:
    assert detect_format(header) == expected


def test_qcow2_behind_raw_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "guest.raw"
    image.write_bytes(qcow2(b"/etc/shadow", b"raw"))
    with raising(images.NOT_RAW, path=image, found="qcow2"):
        check_format(str(image), "raw")
    check_format(str(image), "raw", trust=True)


@pytest.mark.parametrize("content", [b"\0" * 0x8001 + b"CD001", b"LUKS\xba\xbe\0\2", b"", b"\x55\xaa" * 400])
def test_what_an_honest_raw_disk_holds_is_accepted(tmp_path: Path, content: bytes) -> None:
    image = tmp_path / "disk"
    image.write_bytes(content)
    check_format(str(image), "raw")


def test_raw_behind_qcow2_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes(b"\0" * 1024)
    with raising(images.NOT_OF_FORMAT, stated="qcow2"):
        check_format(str(image), "qcow2")
    image.write_bytes(b"QED\0")
    with raising(images.ANOTHER_FORMAT, stated="qcow2", found="qed"):
        check_format(str(image), "qcow2")


@pytest.mark.parametrize(
    ("header", "condition", "fields"),
    [
        (qcow2(b"/base", b"qcow2"), images.NAMES_ANOTHER_FILE, {"other": "/base"}),
        (qcow2(b"/base", version=2), images.BACKING_FORMAT_NOT_STATED, {"backing": "/base"}),
        (qcow2(data_file=b"/etc/shadow"), images.NAMES_ANOTHER_FILE, {"other": "/etc/shadow"}),
    ],
)
def test_qcow2_that_names_other_files_is_refused(
    tmp_path: Path, header: bytes, condition: Condition[HoldfastError], fields: dict[str, str]
) -> None:
    image = tmp_path / "disk.qcow2"
    image.write_bytes(header)
    with raising(condition, **fields):
        check_format(str(image), "qcow2")
    check_format(str(image), "qcow2", trust=True)


def test_plain_qcow2_is_accepted(tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow2"
    image.write_bytes(qcow2())
    check_format(str(image), "qcow2")


def test_names_are_read_from_the_header() -> None:
    header = qcow2(b"base.img", b"raw", b"data.raw")
    assert named_files("", "qcow2", lambda offset, size: header[offset : offset + size]) == [
        Named("data.raw", "raw", is_backing=False),
        Named("base.img", "raw"),
    ]


def test_an_unnamed_data_file_counts() -> None:
    header = bytearray(qcow2())
    header[72:80] = struct.pack(">Q", 4)
    (named,) = named_files("", "qcow2", lambda offset, size: bytes(header[offset : offset + size]))
    assert not named.is_backing


EXTENT = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 2048 FLAT "/etc/shadow" 0\n'


@pytest.mark.parametrize(
    ("stated", "header", "named"),
    [
        ("vmdk", EXTENT, "/etc/shadow"),
        ("vmdk", b"# a comment\n \n" + EXTENT.partition(b"\n")[2], "/etc/shadow"),
        ("vmdk", vmdk(0, EXTENT), "/etc/shadow"),
        ("vmdk", vmdk(2048, b'version=1\nparentFileNameHint="/etc/shadow"\n'), "/etc/shadow"),
        ("vmdk", vmdk(2048, b"parentFileNameHint"), "(unnamed)"),
        ("vmdk", b"COWD".ljust(512, b"\0") + b'parentFileNameHint="/etc/shadow"', "/etc/shadow"),
        ("vmdk", vmdk(2048, b'parentFileNameHint=\'/etc/shadow"\nparentFileNameHint="/a"'), "/etc/shadow"),
        ("vmdk", b"# Disk DescriptorFile\nversion=1\n", "(unnamed)"),
        ("qed", qed(5, b"/etc/shadow"), "/etc/shadow"),
        ("qcow2", qcow2(b"json:{}", b"raw"), "json:{}"),
        ("qcow2", qcow2(b"nbd://host/disk", b"raw"), "nbd://host/disk"),
    ],
)
def test_whatever_names_another_file_is_refused(tmp_path: Path, stated: str, header: bytes, named: str) -> None:
    image = tmp_path / "image"
    image.write_bytes(header)
    with raising(images.NAMES_ANOTHER_FILE, other=named):
        check_format(str(image), stated)
    check_format(str(image), stated, trust=True)


@pytest.mark.parametrize(("stated", "header"), [("qcow", qcow(b"/etc/shadow")), ("qed", qed(1, b"/etc/shadow"))])
def test_a_backing_file_whose_format_would_be_guessed_is_refused(tmp_path: Path, stated: str, header: bytes) -> None:
    image = tmp_path / "image"
    image.write_bytes(header)
    with raising(images.BACKING_FORMAT_NOT_STATED, backing="/etc/shadow"):
        check_format(str(image), stated, known=["/etc/shadow"])


@pytest.mark.parametrize(
    ("stated", "header"), [("vmdk", vmdk(2048, b"version=1\n")), ("qed", qed(0)), ("qcow", qcow()), ("qcow2", qcow2())]
)
def test_what_names_no_other_file_is_accepted(tmp_path: Path, stated: str, header: bytes) -> None:
    image = tmp_path / "image"
    image.write_bytes(header)
    check_format(str(image), stated)


def test_a_vmdk_description_is_no_raw_disk(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes(b"#\n\n" + EXTENT.partition(b"\n")[2])
    with raising(images.NOT_RAW, found="vmdk"):
        check_format(str(image), "raw")


def test_a_known_chain_is_checked_to_the_bottom(tmp_path: Path) -> None:
    top, middle, bottom = (tmp_path / name for name in ("top", "middle", "bottom"))
    top.write_bytes(qcow2(b"middle", b"qcow2"))
    middle.write_bytes(qcow2(str(bottom).encode(), b"raw"))
    bottom.touch()
    with opened_image(str(top), "qcow2", [str(middle), str(bottom)]) as image:
        assert [each.path for each in image.whole()] == [str(top), str(middle), str(bottom)]
    with raising(images.NAMES_ANOTHER_FILE, path=middle, other=bottom):
        check_format(str(top), "qcow2", known=[str(middle)])
    bottom.write_bytes(qcow2(b"/etc/shadow", b"raw"))
    check_format(str(top), "qcow2", known=[str(middle), str(bottom)])  # it was stated raw


def test_a_link_to_what_is_below_that_is_exchanged_before_it_is_opened_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, link, good, evil = (tmp_path / name for name in ("top", "link", "good", "evil"))
    top.write_bytes(qcow2(str(link).encode(), b"raw"))
    good.touch()
    evil.touch()
    link.symlink_to(good)
    real = os.open

    def exchanging(path: str, flags: int) -> int:
        if path == str(link):
            link.unlink()
            link.symlink_to(evil)
        return real(path, flags)

    check_format(str(top), "qcow2", known=[str(good)])
    monkeypatch.setattr(os, "open", exchanging)
    with raising(images.NAMES_ANOTHER_FILE, path=top, other=link):
        check_format(str(top), "qcow2", known=[str(good)])


def test_an_image_that_rests_on_itself_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(qcow2(b"image", b"qcow2"))
    with raising(images.RESTS_ON_ITSELF, path=image):
        check_format(str(image), "qcow2", known=[str(image)])
    assert files_below(str(image)) == [str(image)]


def test_the_files_of_a_data_file_and_of_an_extent_are_below(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(EXTENT)
    assert files_below(str(image)) == ["/etc/shadow"]


@pytest.mark.parametrize("cut", [b"QFI\xfb\0\0\0\3", qcow2(b"/base", b"raw")[:112]])
def test_cut_qcow2_header_is_one_sentence(tmp_path: Path, cut: bytes) -> None:
    image = tmp_path / "disk.qcow2"
    image.write_bytes(cut)
    with raising(images.HEADER_CUT_OFF, images.HEADER_DAMAGED, path=image):
        check_format(str(image), "qcow2")


def test_missing_image_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "nope", tmp_path / "nope" / "deeper"):
        with raising(images.NO_IMAGE, path=path):
            check_format(str(path), "raw")
        with raising(images.NO_IMAGE, path=path):
            check_format(str(path), "raw", trust=True)


def denied(*_: object, **__: object) -> None:
    raise PermissionError(EACCES, os.strerror(EACCES))


def test_a_trusted_image_may_be_one_that_only_qemu_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "volume"
    image.touch()
    monkeypatch.setattr(os, "open", denied)
    with raising(NO_PERMISSION):
        check_format(str(image), "raw")
    check_format(str(image), "raw", trust=True)
    monkeypatch.setattr(os, "stat", denied)
    check_format(str(image), "raw", trust=True)
    assert not is_block_device(str(image))


def test_whether_there_is_a_file_is_unknown_where_this_user_may_not_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert file_exists(str(tmp_path)) is True
    assert file_exists(str(tmp_path / "nope" / "deeper")) is False
    monkeypatch.setattr(os, "stat", denied)
    assert file_exists(str(tmp_path / "nope")) is None


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (str(tmp_path), str(fifo), "bad\0name"):
        for trust in (False, True):
            with raising(images.NOT_AN_IMAGE, images.UNREADABLE_IMAGE):
                check_format(path, "raw", trust)


def test_unknown_format_is_a_usage_error(tmp_path: Path) -> None:
    with raising(UNKNOWN_WORD, word="qcow9"):
        check_format(str(tmp_path), "qcow9")


def test_an_image_is_complete_with_all_that_it_is_based_on(tmp_path: Path) -> None:
    top, middle, base = (tmp_path / name for name in ("top", "middle", "base"))
    top.write_bytes(qcow2(str(middle).encode(), b"qcow2"))
    middle.write_bytes(qcow2(b"base", b"raw"))  # beside it
    base.touch()
    assert is_complete(str(top), "qcow2")
    base.unlink()
    assert not is_complete(str(top), "qcow2")
    assert is_complete(str(top), "raw")
    assert not is_complete(str(base), "raw")


@pytest.mark.parametrize("content", [b"", b"QFI\xfb\0\0\0\3", qcow2(b"json:{}", b"raw"), qcow2(b"self", b"qcow2")])
def test_an_image_of_which_nobody_can_tell_is_not_complete(tmp_path: Path, content: bytes) -> None:
    image = tmp_path / "self"
    image.write_bytes(content)
    assert not is_complete(str(image), "qcow2")
