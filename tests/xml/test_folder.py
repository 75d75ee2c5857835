"""Who else can exchange a file: whoever can write to a folder on the way to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.raising import raising

from holdfast.domainxml.host.security import qemu_user
from holdfast.errors.files import LINK_OF_OTHERS
from holdfast.hostfiles.folder import leads_to, open_folder, others_who_write

SOMEBODY = 4242


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "outer" / "inner" / "image"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.mark.parametrize("there", [True, False])
def test_everybody_is_named_where_the_folder_is_open_to_all(image: Path, there: bool) -> None:
    if not there:
        image.unlink()
    assert others_who_write(str(image)) is None
    for mode in (0o777, 0o1777):
        image.parent.chmod(mode)
        assert others_who_write(str(image)) == "everybody"


def test_a_folder_above_counts_unless_what_is_ours_stays_in_it(image: Path) -> None:
    image.parent.parent.chmod(0o777)
    assert others_who_write(str(image)) == "everybody"
    image.parent.parent.chmod(0o1777)
    assert others_who_write(str(image)) is None


def test_the_folders_of_what_a_link_leads_to_count(image: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(image)
    image.parent.chmod(0o777)
    assert others_who_write(str(link)) == "everybody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_its_owner_and_its_group_are_named_unless_they_are_qemus(image: Path) -> None:
    os.chown(image.parent, SOMEBODY, 0)
    assert others_who_write(str(image)) == f"the user {SOMEBODY}"
    assert others_who_write(str(image), [SOMEBODY]) is None
    os.chown(image.parent, 0, SOMEBODY)
    image.parent.chmod(0o770)
    assert others_who_write(str(image)) == f"the group {SOMEBODY}"
    os.chown(image.parent, 0, 0)
    assert others_who_write(str(image)) is None


def test_the_user_of_qemu_is_read_from_the_capabilities() -> None:
    model = "<secmodel><model>{}</model><baselabel type='kvm'>{}</baselabel></secmodel>"
    host = "<capabilities><host>{}</host></capabilities>"
    assert qemu_user(host.format(model.format("selinux", "a:b:c") + model.format("dac", "+64055:+109"))) == 64055
    assert qemu_user(host.format(model.format("none", ""))) is None


def is_opened(path: Path) -> bool:
    folder = open_folder(str(path))
    try:
        return os.path.samestat(os.fstat(folder), path.stat()) and leads_to(str(path), folder)
    finally:
        os.close(folder)


def test_links_to_a_folder_are_followed_where_nobody_else_can_put_one(image: Path, tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(image.parent)
    (tmp_path / "outer" / "relative").symlink_to("../absolute/../inner")
    assert is_opened(tmp_path / "outer" / "relative")
    (tmp_path / "outer").chmod(0o1777)
    assert is_opened(tmp_path / "outer" / "relative"), "in a sticky folder what is ours stays"
    (tmp_path / "outer").chmod(0o777)
    with raising(LINK_OF_OTHERS, link="relative", who="everybody"):
        open_folder(str(tmp_path / "outer" / "relative" / "below"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_link_of_somebody_else_is_not_followed_in_a_sticky_folder_nor_in_one_of_theirs(image: Path) -> None:
    link = image.parent / "link"
    link.symlink_to(image.parent.parent)
    image.parent.chmod(0o1777)
    os.chown(link, SOMEBODY, 0, follow_symlinks=False)
    with raising(LINK_OF_OTHERS, who="everybody"):
        open_folder(str(link))
    image.parent.chmod(0o755)
    os.chown(image.parent, SOMEBODY, 0)
    with raising(LINK_OF_OTHERS, who=f"the user {SOMEBODY}"):
        open_folder(str(link))


def test_what_is_no_folder_is_told_as_the_kernel_does(image: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path, error in ((image, NotADirectoryError), (image / "x", NotADirectoryError), (tmp_path / "x", OSError)):
        with pytest.raises(error):
            open_folder(str(path))
    with pytest.raises(OSError, match="symbolic links"):
        open_folder(str(tmp_path / "loop"))
    before = len([*Path("/proc/self/fd").iterdir()])
    for path in (image, tmp_path / "loop", tmp_path / "x"):
        with pytest.raises(OSError):
            open_folder(str(path))
    assert len([*Path("/proc/self/fd").iterdir()]) == before
