"""What is called gone is known to be gone: whatever cannot be looked at is unknown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest

from holdfast.hostfiles.state_file import is_another, look_at, names_in

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user who may not read what root keeps to itself."""
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


def test_a_file_is_there_or_gone_from_a_folder_that_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "vars.fd"
    assert look_at(str(file)).there is False
    file.touch()
    assert look_at(str(file)).there is True
    assert look_at(str(tmp_path / "no" / "such" / "folder")).there is False


def test_a_folder_is_there_when_it_has_something_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "tpm2"
    folder.mkdir()
    (folder / ".lock").touch()
    assert look_at(str(folder)).there is False
    (folder / "tpm2-00.permall").touch()
    assert look_at(str(folder)).there is True


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    link = tmp_path / "link.fd"
    link.symlink_to(tmp_path / "vars.fd")
    assert look_at(str(link)).there is False
    (tmp_path / "vars.fd").touch()
    assert look_at(str(link)).there is True


def test_a_file_keeps_its_birth_and_one_in_its_place_has_another(tmp_path: Path) -> None:
    file = tmp_path / "vars.fd"
    file.write_text("one")
    born = look_at(str(file)).born
    file.write_text("another")
    assert look_at(str(file)).born == born
    file.rename(tmp_path / "old.fd")
    file.write_text("one")
    assert look_at(str(file)).born != born or not born


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(("mode", "there"), [(0o755, False), (0o711, None), (0o700, None)])
def test_what_is_not_in_a_folder_that_cannot_be_read_is_unknown(tmp_path: Path, mode: int, there: bool | None) -> None:
    for above in takewhile(lambda folder: folder.stat().st_mode & 0o005 != 0o005, tmp_path.parents):
        above.chmod(0o755)
    tmp_path.chmod(mode)
    with as_nobody():
        look = look_at(str(tmp_path / "vars.fd"))
    assert look.there is there


def test_a_file_of_another_host_is_not_compared() -> None:
    assert is_another("1.5@a", "2.5@a")
    assert not is_another("1.5@a", "1.5@a")
    assert not is_another("1.5@a", "2.5@b")
    assert not is_another("", "2.5@b")
    assert not is_another("", "")


def test_names_in_a_folder_that_is_not_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    assert names_in(str(tmp_path)) == ["b"]
    assert names_in(str(tmp_path / "no")) == []
