"""The names that a header has for other files: taken as QEMU takes them, and compared with what is known."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tests.image_headers import qcow2, qed
from tests.raising import raising

from holdfast.errors import images
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.images.image import check_format
from holdfast.hostfiles.images.internal_snapshot import internal_snapshots


@pytest.mark.parametrize(
    "said",
    [
        '{"driver":"raw","file":{"driver":"file","\\u0066ilename":"/etc/shadow"},"x":{"filename":"KNOWN"}}',
        '{"driver":"raw","file":{"driver":"file","filename":"KNOWN"},"file.filename":"/etc/shadow"}',
        '{"driver":"quorum","children":[{"driver":"file","filename":"KNOWN"},{"filename":"/etc/shadow"}]}',
        '{"driver":"raw","file":{"driver":"nbd","host":"h","x":{"filename":"KNOWN"}}}',
        '{"driver":"raw","file":{"driver":"nbd","filename":"KNOWN"}}',
        '{"driver":"qcow2","file":{"driver":"file","filename":"KNOWN"}}',  # what stands beside it says raw
        '{"driver":"raw","offset":512,"file":{"driver":"file","filename":"KNOWN"}}',
        '{"driver":"raw","file":{"driver":"file","filename":["KNOWN"]}}',
        '["KNOWN"]',
        "{" * 500 + '"filename":"KNOWN"',
    ],
)
def test_a_description_that_names_a_known_file_and_more_is_refused(tmp_path: Path, said: str) -> None:
    image, known = tmp_path / "image", tmp_path / "known"
    known.touch()
    name = "json:" + said.replace("KNOWN", str(known))
    image.write_bytes(qcow2(name.encode(), b"raw"))
    with raising(images.NAMES_ANOTHER_FILE, other=name):
        check_format(str(image), "qcow2", known=[str(known)])


@pytest.mark.parametrize(
    "said",
    [
        '{"driver":"raw","file":{"driver":"file","filename":"KNOWN"}}',
        '{"driver":"raw","file.driver":"host_device","file.filename":"KNOWN"}',
        '{"file.filename":"KNOWN"}',
        '{"driver":"file","filename":"KNOWN"}',
    ],
)
def test_a_description_of_a_known_file_alone_is_taken(tmp_path: Path, said: str) -> None:
    image, known = tmp_path / "image", tmp_path / "known"
    known.touch()
    image.write_bytes(qcow2(b"json:" + said.replace("KNOWN", str(known)).encode(), b"raw"))
    check_format(str(image), "qcow2", known=[str(known)])
    assert files_below(str(image)) == [str(known)]


def test_what_is_no_file_is_known_in_the_words_of_the_header_and_not_given_to_qemu_img(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(qcow2(b"nbd://host/disk", b"raw"))
    known = files_below(str(image), elsewhere=True)
    assert known == ["nbd://host/disk"] and files_below(str(image)) == []
    check_format(str(image), "qcow2", known=known)
    with raising(images.RESTS_ELSEWHERE, other="nbd://host/disk"), open_for_qemu_img(str(image), "qcow2", known):
        pass


@pytest.mark.parametrize("format", ["vpc", "dmg", "cloop"])
def test_a_format_whose_mark_is_not_at_the_begin_is_taken_as_stated(tmp_path: Path, format: str) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(4096) + b"conectix".ljust(512, b"\0"))
    check_format(str(image), format)
    image.write_bytes(qcow2(b"/etc/shadow", b"raw"))
    with raising(images.ANOTHER_FORMAT, stated=format, found="qcow2"):
        check_format(str(image), format)


@pytest.mark.parametrize("offset", [1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_place_behind_the_end_of_every_file_is_damage(tmp_path: Path, offset: int) -> None:
    image, header = tmp_path / "image", bytearray(qcow2(b"base", b"raw"))
    struct.pack_into(">Q", header, 8, offset)
    image.write_bytes(header)
    with raising(images.HEADER_DAMAGED):
        check_format(str(image), "qcow2")
    struct.pack_into(">IQ", header, 60, 1, offset)
    image.write_bytes(header)
    with raising(images.SNAPSHOT_TABLE_DAMAGED):
        internal_snapshots(str(image))


def test_links_in_a_circle_are_no_known_file(tmp_path: Path) -> None:
    image, link = tmp_path / "image", tmp_path / "link"
    link.symlink_to(link)
    image.write_bytes(qcow2(b"link", b"raw"))
    with raising(images.NAMES_ANOTHER_FILE, other="link"):
        check_format(str(image), "qcow2", known=["/"])


@pytest.mark.parametrize(
    ("stated", "header"),
    [("qcow2", qcow2(b"/a\0b", b"raw\0x")), ("qed", qed(5, b"/a\0b")), ("qcow2", qcow2(data_file=b"/a\0b"))],
)
def test_a_name_ends_where_qemu_ends_it(tmp_path: Path, stated: str, header: bytes) -> None:
    image = tmp_path / "image"
    image.write_bytes(header)
    with raising(images.NAMES_ANOTHER_FILE, other="/a"):
        check_format(str(image), stated, known=["/a\0b"])
