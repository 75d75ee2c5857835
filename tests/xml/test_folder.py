"""Who else can exchange a file: whoever can write to a folder on the way to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.domainxml.host.security import qemu_user
from holdfast.hostfiles.folder import others_who_write

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
