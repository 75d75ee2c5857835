"""A user of the group libvirt: what virsh does for it, Holdfast does, through libvirt's storage where it must."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from holdfast_lab.daemon import Host
from holdfast_lab.ordinary_user import OrdinaryUser
from tests.libvirt.images import create_image, mark_of, virtual_size, write
from tests.libvirt.user.conftest import IMAGES, done, failed

AS_ROOT = 'sudo "$(command -v holdfast)"'
MIB = 1 << 20


def create(user: OrdinaryUser, name: str = "web", *more: str, disk: str = "size=64MiB") -> None:
    """A domain with one disk, in the pool unless ``disk`` says otherwise."""
    done(user.holdfast("create", name, "--memory", "128MiB", "--disk", disk, *more))


def path_of(user: OrdinaryUser, target: str = "vda", name: str = "web") -> str:
    """Where the image of a disk is, in the words of ``disk list``."""
    listed = json.loads(done(user.holdfast("disk", "list", name, "-o", "json")))
    return str(next(disk["source"] for disk in listed["devices"] if disk["label"] == target))


def test_without_the_group_nothing_is_done(packaged: Host, user: OrdinaryUser) -> None:
    create(user)
    stranger = OrdinaryUser(packaged, in_group=False)
    for command in (["list"], ["delete", "--storage", "web"], ["create", "b", "--memory", "128MiB"]):
        assert "Permission denied" in failed(stranger.holdfast(*command), 6)
    assert done(user.virsh("list", "--all", "--name")).split() == ["web"]


def test_images_belong_to_root_or_to_the_user_of_qemu(user: OrdinaryUser, pool: Path) -> None:
    create(user, "web", "--start")
    image = pool / "web-vda.qcow2"
    running = image.stat()
    done(user.holdfast("destroy", "web"))
    assert (running.st_uid, running.st_mode & 0o777) == (64055, 0o600)
    assert (image.stat().st_uid, image.stat().st_mode & 0o777) == (0, 0o600)
    assert "Permission denied" in failed(user.run("cat", path_of(user)), 1)


def test_a_day_needs_no_root(user: OrdinaryUser) -> None:
    create(user, "web", "--interface", "user", "--start")
    for command in (
        "disk attach web size=64MiB",
        "interface attach web user",
        "disk extend web vda 96MiB",
        "disk move web vdb volume=default/moved.qcow2 --delete-source",
        "snapshot create web before",
        "reboot --hard web",
        "snapshot revert web before",
        "snapshot delete web before",
        "snapshot create web outside --external",
        "snapshot delete web outside",
        "save web",
        "restore web",
        "suspend web",
        "resume web",
        "set web --memory 64MiB",
        "plan reboot web",
        "show web",
        "destroy web",
        "disk extend web vdb 128MiB",
        "seal web",
        "clone web shop",
        "rename web site",
        "repair site",
        "delete --storage --force site",
        "delete --storage shop",
    ):
        done(user.holdfast(*command.split()))
    assert not done(user.virsh("list", "--all", "--name")).split()


def test_nothing_is_left_of_a_domain_that_is_deleted(user: OrdinaryUser, pool: Path) -> None:
    create(user, "web", "--firmware", "uefi", "--tpm", "--start")
    done(user.holdfast("snapshot", "create", "web", "outside", "--external", "--no-memory"))
    said = done(user.holdfast("delete", "--storage", "--force", "web"))
    assert not list(pool.iterdir()), said


def test_the_memory_of_an_external_snapshot_goes_with_it(user: OrdinaryUser, pool: Path) -> None:
    create(user, "web", "--start")
    done(user.holdfast("snapshot", "create", "web", "outside", "--external"))
    assert (pool / "web-memory.outside.save").exists()
    done(user.holdfast("snapshot", "delete", "web", "outside"))
    assert [path.name for path in pool.iterdir()] == ["web-vda.qcow2"]


def test_the_unreadable_image_of_another_domain_stops_no_deletion(
    packaged: Host, user: OrdinaryUser, pool: Path
) -> None:
    other = packaged.images / "other.qcow2"
    create_image(str(other), "qcow2", MIB)
    other.chmod(0o600)
    create(user, "other", disk=f"path={other},format=qcow2,trust-format")
    create(user)
    assert f"what the image {other} of the domain 'other' rests on is not known" in done(
        user.holdfast("delete", "--storage", "web")
    )
    assert not list(pool.iterdir())


def test_what_rests_on_an_image_is_seen_through_the_pool(user: OrdinaryUser, pool: Path) -> None:
    done(user.virsh("vol-create-as", "default", "base.qcow2", "1MiB", "--format", "qcow2"))
    create(user, "over", disk=f"overlay-of={IMAGES}/base.qcow2,source-format=qcow2")
    create(user, disk="volume=default/base.qcow2,format=qcow2")
    assert "used by the domain 'over'" in done(user.holdfast("delete", "--storage", "web"))
    assert (pool / "base.qcow2").exists()


def test_the_header_of_a_volume_is_seen_through_the_pool(user: OrdinaryUser, pool: Path) -> None:
    create(user)
    done(user.virsh("vol-create-as", "default", "own.qcow2", "64MiB", "--format", "qcow2"))
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/shadow", pool / "bad.qcow2", "1M"],
        check=True,
    )
    (pool / "bad.qcow2").chmod(0o600)
    done(user.virsh("pool-refresh", "default"))
    assert "/etc/shadow" in failed(user.holdfast("disk", "attach", "web", "volume=default/bad.qcow2,format=qcow2"), 3)
    assert "looks like a qcow2" in failed(
        user.holdfast("disk", "attach", "web", f"path={IMAGES}/own.qcow2,format=raw"), 3
    )
    done(user.holdfast("disk", "attach", "web", "volume=default/own.qcow2,format=qcow2"))


def test_an_image_that_nobody_can_look_at_is_refused_where_its_header_can_name_files(
    packaged: Host, user: OrdinaryUser
) -> None:
    create(user)
    for name, format in (("a.qcow2", "qcow2"), ("b.raw", "raw")):
        create_image(str(packaged.images / name), format, MIB)
        (packaged.images / name).chmod(0o600)
    said = failed(user.holdfast("disk", "attach", "web", f"path={packaged.images}/a.qcow2,format=qcow2"), 1)
    assert f"may not read the image {packaged.images}/a.qcow2" in said
    assert AS_ROOT in said
    done(user.holdfast("disk", "attach", "web", f"path={packaged.images}/b.raw,format=raw"))


@pytest.mark.parametrize("runs", [True, False])
def test_a_disk_is_extended(user: OrdinaryUser, pool: Path, runs: bool) -> None:
    create(user, "web", *["--start"] * runs)
    done(user.holdfast("disk", "extend", "web", "vda", "96MiB"))
    done(user.holdfast("destroy", "web")) if runs else None
    assert virtual_size(str(pool / "web-vda.qcow2"), "qcow2") == 96 * MIB


def test_an_image_that_names_an_unknown_file_is_not_extended_by_libvirt_either(user: OrdinaryUser, pool: Path) -> None:
    create(user)
    image = pool / "web-vda.qcow2"
    subprocess.run(["qemu-img", "rebase", "-u", "-F", "raw", "-b", "/etc/shadow", image], check=True)
    for more in ([], ["--dry-run"]):
        assert "/etc/shadow" in failed(user.holdfast("disk", "extend", "web", "vda", "96MiB", *more), 3)
    assert virtual_size(str(image), "qcow2") == 64 * MIB


@pytest.mark.parametrize("runs", [True, False])
def test_a_disk_moves_to_another_volume_with_all_it_holds(user: OrdinaryUser, pool: Path, runs: bool) -> None:
    create(user)
    write(pool / "web-vda.qcow2", 7)
    if runs:
        done(user.holdfast("start", "--paused", "web"))
    done(user.holdfast("disk", "move", "web", "vda", "volume=default/new.raw,format=raw", "--delete-source"))
    assert path_of(user) == f"{IMAGES}/new.raw"
    assert mark_of(pool / "new.raw", "raw") == 7
    assert [path.name for path in pool.iterdir()] == ["new.raw"]


def test_a_move_to_a_folder_of_roots_says_how_it_works(packaged: Host, user: OrdinaryUser) -> None:
    create(user)
    said = failed(user.holdfast("disk", "move", "web", "vda", f"path={packaged.images}/new.qcow2"), 1)
    assert AS_ROOT in said
    assert not list(packaged.images.iterdir())


def test_a_snapshot_of_disks_alone_is_brought_back_by_root_and_says_so(user: OrdinaryUser, pool: Path) -> None:
    create(user)
    done(user.holdfast("snapshot", "create", "web", "before"))
    write(pool / "web-vda.qcow2", 9)
    assert AS_ROOT in failed(user.holdfast("snapshot", "revert", "web", "before", "--disks-only"), 1)
    done(user.holdfast("snapshot", "revert", "web", "before"))
    assert mark_of(pool / "web-vda.qcow2") == 0


def test_an_overlay_that_its_pool_has_not_seen_is_cloned(user: OrdinaryUser, pool: Path) -> None:
    create(user)
    write(pool / "web-vda.qcow2", 7)
    done(user.holdfast("snapshot", "create", "web", "outside", "--external", "--no-memory"))
    done(user.holdfast("clone", "web", "shop"))
    assert mark_of(pool / Path(path_of(user, name="shop")).name) == 7


def test_an_nvram_is_copied_by_root_alone(user: OrdinaryUser) -> None:
    create(user, "web", "--firmware", "uefi", "--start")
    done(user.holdfast("destroy", "web"))
    for more in ([], ["--dry-run"]):
        assert AS_ROOT in failed(user.holdfast("clone", "web", "shop", *more), 3)
    done(user.holdfast("clone", "web", "shop", "--fresh-nvram"))


def test_a_new_image_in_a_folder_of_roots_says_how_it_works(user: OrdinaryUser) -> None:
    said = failed(
        user.holdfast("create", "web", "--memory", "128MiB", "--disk", f"path={IMAGES}/new.qcow2,size=1MiB"), 1
    )
    assert re.search(rf"may not create {IMAGES}/new.qcow2\n.*{re.escape(AS_ROOT)}", said)
    assert not done(user.virsh("list", "--all", "--name")).split()
