"""A user without any right, at qemu:///session: everything is its own, and nothing is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast_lab.daemon import Host
from holdfast_lab.ordinary_user import OrdinaryUser
from tests.libvirt.user.conftest import done, failed

SESSION = "qemu:///session"


@pytest.fixture
def stranger(packaged: Host) -> Iterator[OrdinaryUser]:
    """A user without the group; there is a pool "default" in its session."""
    user = OrdinaryUser(packaged, in_group=False)
    done(user.run("mkdir", "-p", f"{user.home}/images"))
    done(user.virsh("pool-create-as", "default", "dir", "--target", f"{user.home}/images", uri=SESSION))
    yield user
    for name in done(user.virsh("list", "--all", "--name", uri=SESSION)).split():
        user.holdfast("delete", "--storage", "--force", name, uri=SESSION)
    done(user.virsh("pool-destroy", "default", uri=SESSION))
    done(user.run("rm", "-r", f"{user.home}/images"))


def test_a_day_needs_no_right_at_all(stranger: OrdinaryUser) -> None:
    failed(stranger.holdfast("list"), 6)
    home = stranger.home
    stranger.put("rescue.img", b"\0" * 512)
    data = stranger.put("user-data", b"#cloud-config\n")
    for command in (
        f"create web --memory 128MiB --disk size=64MiB --interface user --cloud-init {data} --start",
        f"disk attach web size=64MiB,path={home}/b.qcow2",
        "interface attach web user",
        "disk extend web vda 96MiB",
        f"disk move web vdb path={home}/c.qcow2 --delete-source",
        "reboot --hard web",
        "log web --patch",
        "diff web@last-start web",
        "snapshot create web before",
        "snapshot revert web before --accept",
        "snapshot delete web before",
        "save web",
        "restore web",
        "suspend web",
        "resume web",
        "set web --memory 64MiB",
        "audit",
        "plan reboot web",
        "destroy web",
        "disk extend web vdb 128MiB",
        f"disk move web vdb path={home}/d.qcow2",
        "disk move web vda volume=default/moved.qcow2",
        "snapshot create web before",
        "snapshot revert web before --disks-only",
        "snapshot delete web before",
        f"rescue web --image {home}/rescue.img --format raw",
        "unrescue web",
        "seal web",
        "clone web shop",
        "rename web site",
        "repair site",
        "resume-host",
        "delete --storage --force site",
        "delete --storage shop",
    ):
        done(stranger.holdfast(*command.split(), uri=SESSION))
    assert not done(stranger.virsh("list", "--all", "--name", uri=SESSION)).split()


def test_nvram_and_tpm_are_the_users_own(stranger: OrdinaryUser) -> None:
    for command in (
        "create web --memory 128MiB --firmware uefi --tpm --disk size=64MiB --start",
        "reboot --hard web",
        "destroy web",
        "start web",
        "destroy web",
        "clone web shop",
        "delete --storage shop",
    ):
        assert "cannot be seen" not in done(stranger.holdfast(*command.split(), uri=SESSION))
    said = done(stranger.holdfast("delete", "--storage", "web", uri=SESSION))
    assert f"its NVRAM {stranger.home}/.config/libvirt/qemu/nvram" in said
    assert "its TPM state" in said
    assert not done(stranger.run("find", str(stranger.home / ".config/libvirt/qemu"), "-type", "f"))
