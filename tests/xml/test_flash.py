"""Which build of OVMF a file is, and which certificates it names: told from the outside."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from holdfast.hostfiles.firmware.flash import SUCCESSORS, loader_build, missing_2023_certificates, nvram_build

SIZES = {"2 MB": (1_966_080, 131_072), "4 MB": (3_653_632, 540_672)}
"""Code and variables, as Debian's ovmf 2022.11 has them."""


def file_of(folder: Path, size: int, head: bytes = b"") -> str:
    path = folder / f"{size}.{len(head)}"
    path.write_bytes(head)
    if not head:
        with path.open("r+b") as file:
            file.truncate(size)
    return str(path)


@pytest.mark.parametrize("build", SIZES)
def test_a_build_is_known_by_its_size(build: str, tmp_path: Path) -> None:
    code, variables = SIZES[build]
    assert loader_build(file_of(tmp_path, code)) == build
    assert nvram_build(file_of(tmp_path, variables)) == build
    qcow2 = b"QFI\xfb" + bytes(20) + struct.pack(">Q", variables) + bytes(500)
    assert nvram_build(file_of(tmp_path, variables, qcow2)) == build


@pytest.mark.parametrize("size", [0, 1, 64 << 20, 4 << 20])
def test_of_other_files_nothing_is_said(size: int, tmp_path: Path) -> None:
    assert loader_build(file_of(tmp_path, size)) is None
    assert nvram_build(file_of(tmp_path, size)) is None
    assert loader_build(str(tmp_path / "none")) is None
    assert loader_build(str(tmp_path)) is None


def test_a_certificate_of_2023_is_missing_where_the_one_before_it_is_there(tmp_path: Path) -> None:
    nvram = tmp_path / "vars"

    def lacks(*names: str) -> list[str] | None:
        nvram.write_bytes(b"\0".join(name.encode() for name in names))
        return missing_2023_certificates(str(nvram))

    old, new = ([getattr(each, which) for each in SUCCESSORS] for which in ("of_2011", "of_2023"))
    assert lacks() == []
    assert lacks(*old) == new
    assert lacks(*old, *new) == []
    assert lacks(old[0]) == [new[0]]
    assert lacks(*old, *new[1:]) == [new[0]]
    assert lacks(*new) == []


def test_what_cannot_be_read_lacks_nothing_that_anybody_knows_of(tmp_path: Path) -> None:
    assert missing_2023_certificates(str(tmp_path / "none")) is None
    assert missing_2023_certificates(str(tmp_path)) is None
