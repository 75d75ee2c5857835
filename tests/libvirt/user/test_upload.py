"""A cloud image, wherever it is, becomes a disk by one command of a user of the group libvirt."""

from __future__ import annotations

import subprocess
from pathlib import Path

from holdfast_lab.ordinary_user import OrdinaryUser
from tests.libvirt.images import mark_of, qcow2, virtual_size
from tests.libvirt.user.conftest import IMAGES, done, failed

MIB = 1 << 20


def create(user: OrdinaryUser, disk: str, *more: str) -> subprocess.CompletedProcess[str]:
    """A domain with a disk in the pool "default"."""
    return user.holdfast("create", "web", "--memory", "128MiB", "--disk", f"{disk},pool=default", *more)


def test_an_image_of_the_users_home_becomes_a_larger_disk(user: OrdinaryUser, pool: Path, tmp_path: Path) -> None:
    cloud = user.put("cloud.qcow2", qcow2(tmp_path, "cloud", 7).read_bytes())
    done(create(user, f"copy-from={cloud},source-format=qcow2,size=128MiB"))
    image = pool / "web-vda.qcow2"
    assert (mark_of(image), virtual_size(str(image), "qcow2")) == (7, 128 * MIB)
    subprocess.run(["qemu-img", "check", "-q", image], check=True)
    done(user.holdfast("start", "web"))


def test_a_raw_image_becomes_a_larger_raw_disk(user: OrdinaryUser, pool: Path) -> None:
    cloud = user.put("cloud.raw", b"\7" * (3 * MIB + 512))
    done(create(user, f"copy-from={cloud},source-format=raw,size=8MiB"))
    content = (pool / "web-vda.raw").read_bytes()
    assert content == b"\7" * (3 * MIB + 512) + b"\0" * (5 * MIB - 512)


def test_an_image_is_attached_while_the_guest_runs(user: OrdinaryUser, pool: Path, tmp_path: Path) -> None:
    cloud = user.put("cloud.qcow2", qcow2(tmp_path, "cloud", 7).read_bytes())
    done(create(user, "size=1MiB", "--start"))
    done(user.holdfast("disk", "attach", "web", f"copy-from={cloud},source-format=qcow2,pool=default"))
    assert mark_of(pool / "web-vdb.qcow2") == 7


def test_an_image_that_was_put_into_the_folder_of_a_pool_is_copied_there(user: OrdinaryUser, pool: Path) -> None:
    cloud = qcow2(pool, "cloud", 7)
    cloud.chmod(0o600)
    done(create(user, f"copy-from={IMAGES}/cloud.qcow2,source-format=qcow2,size=128MiB"))
    assert mark_of(pool / "web-vda.qcow2") == 7


def test_an_image_is_uploaded_in_its_own_format_only(user: OrdinaryUser, pool: Path) -> None:
    cloud = user.put("cloud.raw", b"\7" * MIB)
    for more in ([], ["--dry-run"]):
        said = failed(create(user, f"copy-from={cloud},source-format=raw,format=qcow2", *more), 3)
        assert "it is raw, and the new image is to be qcow2" in said
    assert not list(pool.iterdir())


def test_an_image_that_is_larger_than_asked_for_leaves_nothing(user: OrdinaryUser, pool: Path) -> None:
    cloud = user.put("cloud.raw", b"\7" * (2 * MIB))
    assert "cannot be made smaller" in failed(create(user, f"copy-from={cloud},source-format=raw,size=1MiB"), 3)
    assert not list(pool.iterdir())
    assert not done(user.virsh("list", "--all", "--name")).split()


def test_an_image_that_names_a_file_of_the_host_is_not_uploaded(user: OrdinaryUser, pool: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/shadow", tmp_path / "bad", "1M"],
        check=True,
    )
    bad = user.put("bad.qcow2", (tmp_path / "bad").read_bytes())
    for more in ("", ",trust-format"):
        failed(create(user, f"copy-from={bad},source-format=qcow2{more}"), 3)
    assert not list(pool.iterdir())


def test_the_seed_of_cloud_init_is_made_beside_the_disk(user: OrdinaryUser, pool: Path) -> None:
    data = user.put("user-data", b"#cloud-config\nhostname: kelp\n")
    done(create(user, "size=1MiB", "--cloud-init", data))
    assert b"hostname: kelp" in (pool / "web-seed.iso").read_bytes()
    done(user.holdfast("delete", "--storage", "web"))
    assert not list(pool.iterdir())
