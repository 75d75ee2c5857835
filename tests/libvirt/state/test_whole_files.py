"""Files that are there whole or not at all, also on a file system on which every file has a name from the beginning."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors.files import CANNOT_WRITE, EXISTS
from holdfast.hostfiles.images.new_image import copy_file
from holdfast.hostfiles.new_file import MadeFile, new_file, whole_file, write_private
from tests.raising import raising


@pytest.fixture
def nameless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is False the kernel answers as of NFS, which has no files without a name."""
    if not request.param:
        real: Callable[..., int] = os.open

        def refusing(path: str, flags: int, *rest: int, **options: int) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            return real(path, flags, *rest, **options)

        monkeypatch.setattr(os, "open", refusing)


both = pytest.mark.parametrize("nameless", [True, False], ids=["O_TMPFILE", "no O_TMPFILE"], indirect=True)


@both
@pytest.mark.usefixtures("nameless")
def test_a_file_takes_the_place_of_the_old_one_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "page"
    for text in ("one", "two"):
        (tmp_path / ".page.new").write_text("of one that was killed")
        with new_file(str(path)) as write:
            write(text)
            assert not path.exists() or path.read_text() == "one"
        assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == (text, ["page"])
    write_private(str(path), "secret")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("secret", 0o600)


@both
@pytest.mark.usefixtures("nameless")
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text("old")
    with pytest.raises(KeyError), whole_file(str(path), over=True) as file:
        file.write(b"new")
        raise KeyError
    with raising(EXISTS):
        copy_file(str(path), str(path))
    (tmp_path / "folder").mkdir()
    with raising(CANNOT_WRITE):
        write_private(str(tmp_path / "folder"), "secret")
    assert {each.name for each in tmp_path.iterdir()} == {"page", "folder"}
    assert path.read_text() == "old"


def test_what_somebody_else_has_put_there_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with whole_file(str(path)) as file:
        made = MadeFile.at(str(path), file.fileno())
    path.rename(tmp_path / "away")
    path.write_text("another")
    made.remove()
    assert path.read_text() == "another"
    (tmp_path / "away").replace(path)
    made.remove()
    made.remove()
    assert list(tmp_path.iterdir()) == []
