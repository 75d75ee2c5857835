"""Bringing back what the disks held, into the hardware of today: no document is touched."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import snapshots
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG
from tests.libvirt.images import mark_of, qcow2, qcow2_disk, write
from tests.libvirt.snapshots.test_create import in_state, names, texts
from tests.libvirt.snapshots.test_revert import attach_later, with_snapshot
from tests.raising import raising


def test_disks_only_keeps_the_hardware_of_today(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = with_snapshot(connection, tmp_path)
    write(tmp_path / "root.qcow2", 2)
    later = attach_later(connection, tmp_path)
    before = texts(domain)
    assert "would revert the disks" in done(uri, "snapshot", "revert", "a", "one", "--disks-only", "--dry-run")
    assert mark_of(tmp_path / "root.qcow2") == 2
    shown = done(uri, "snapshot", "revert", "a", "one", "--disks-only")
    assert "vdb keeps what it holds: its image has no such snapshot" in shown
    assert (mark_of(tmp_path / "root.qcow2"), mark_of(later)) == (1, 9)
    assert (texts(domain), names(domain)) == (before, ["one"])


@pytest.mark.parametrize("option", [["--disks-only"], []])
def test_disk_that_was_extended_is_not_made_smaller_unsaid(
    connection: Connection, uri: str, tmp_path: Path, option: list[str]
) -> None:
    with_snapshot(connection, tmp_path)
    operations.extend_disk(connection, "a", "vda", 2 * 1024 * 1024)
    write(tmp_path / "root.qcow2", 2)
    command = ["snapshot", "revert", "a", "one", *option]
    sentence = "disk vda: size is 1 MiB, was 2 MiB"
    refused = run(uri, *command)
    assert (refused.exit_code, sentence in refused.stderr) == (3, True)
    assert sentence in done(uri, *command, "--dry-run")
    assert mark_of(tmp_path / "root.qcow2") == 2
    assert sentence in done(uri, *command, "--accept")
    assert mark_of(tmp_path / "root.qcow2") == 1
    assert "the guest sees" not in done(uri, *command)


def test_disks_only_tells_what_of_then_it_cannot_bring_back(connection: Connection, uri: str, tmp_path: Path) -> None:
    extra = qcow2_disk(qcow2(tmp_path, "root", 1)) + qcow2_disk(qcow2(tmp_path, "gone"), "vdb")
    domain = in_state(connection, "paused", extra)
    operations.create_snapshot(connection, "a", "one")
    result = run(uri, "snapshot", "revert", "a", "one", "--disks-only")
    assert (result.exit_code, "the domain 'a' is running" in result.stderr) == (3, True)
    domain.destroy()
    operations.detach_device(connection, "a", "vdb")
    shown = done(uri, "snapshot", "revert", "a", "one", "--disks-only")
    assert f"the snapshot's disk vdb ({tmp_path}/gone.qcow2) is not attached today" in shown
    assert "the snapshot's memory is not brought back: the disks are as after a power cut" in shown


def test_disks_only_needs_a_disk_that_has_the_snapshot(connection: Connection, tmp_path: Path) -> None:
    domain = with_snapshot(connection, tmp_path)
    operations.detach_device(connection, "a", "vda")
    with raising(snapshots.NO_DISK_OF_IT):
        operations.revert_to_snapshot(connection, "a", "one", disks_only=True)
    domain.attach(qcow2_disk(tmp_path / "root.qcow2"), CONFIG)
    subprocess.run(["qemu-img", "snapshot", "-c", "one", str(tmp_path / "root.qcow2")], check=True)
    with raising(snapshots.SEVERAL_IN_IMAGE):
        operations.revert_to_snapshot(connection, "a", "one", disks_only=True)


def test_disks_only_that_stops_after_the_first_disk_is_finished_by_repeating(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, other = qcow2(tmp_path, "root", 1), qcow2(tmp_path, "other", 1)
    in_state(connection, "shut off", qcow2_disk(root) + qcow2_disk(other, "vdb"))
    operations.create_snapshot(connection, "a", "one")
    for path in (root, other):
        write(path, 2)
    with other.open("rb") as held:
        # As a QEMU does that shares neither reading nor writing: bytes 200 and 201 (block/file-posix.c, QEMU ≥ 2.10).
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 200, 2, 0)
        fcntl.fcntl(held, fcntl.F_OFD_SETLK, lock)
        with raising(snapshots.DISKS_IN_PART, done=["vda"]):
            operations.revert_to_snapshot(connection, "a", "one", disks_only=True)
    assert (mark_of(root), mark_of(other)) == (1, 2)
    operations.revert_to_snapshot(connection, "a", "one", disks_only=True)
    assert (mark_of(root), mark_of(other)) == (1, 1)


def test_disks_only_is_for_the_host_that_has_the_images(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_snapshot(connection, tmp_path)
    monkeypatch.setattr(Connection, "is_local", False)
    with raising(snapshots.IMAGES_ELSEWHERE):
        operations.revert_to_snapshot(connection, "a", "one", disks_only=True)
