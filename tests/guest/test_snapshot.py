"""Snapshots and saved memory in the guest's own word: its hardware, its memory and its disks, before and after."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from holdfast import operations
from holdfast.errors.guard import UNASKED_REVERT_HARDWARE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast_lab.guest import Guest
from holdfast_lab.patience import PATIENCE
from tests.guest.conftest import Boot
from tests.guest.test_attach import attach_volume
from tests.libvirt.domains import CONFIG, place
from tests.raising import raising


def test_guest_finds_what_it_had_after_snapshots_and_saves(connection: Connection, boot: Boot, images: Path) -> None:
    guest = boot(format="qcow2")
    name = guest.domain.name
    operations.attach_disk(connection, name, DiskSpec(path=str(images / "data.qcow2"), size=1 << 20, serial="data"))
    hardware = guest.wait_until(lambda inventory: inventory.disk("data"))
    document = guest.domain.xml(CONFIG)

    operations.create_snapshot(connection, name, "beside", external=True)
    assert guest.inventory() == hardware
    mark(guest, "overlay")
    operations.delete_snapshot(connection, name, "beside")
    assert (guest.inventory(), marks(guest)) == (hardware, ("overlay", "overlay"))
    assert guest.domain.xml(CONFIG) == document

    operations.save_domain(connection, name)
    operations.restore_domain(connection, name)
    guest.close()  # its console is another QEMU's now
    assert (guest.inventory(), marks(guest)) == (hardware, ("overlay", "overlay"))
    document = guest.domain.xml(CONFIG)  # since when it is wanted running has changed

    mark(guest, "then")
    operations.create_snapshot(connection, name, "then")
    assert guest.inventory() == hardware
    mark(guest, "since")
    attach_volume(connection, guest, images, "late")
    with raising(UNASKED_REVERT_HARDWARE, changes=re.compile("disk .+ is removed, it was at .+")):
        operations.revert_to_snapshot(connection, name, "then")
    assert marks(guest) == ("since", "since")
    operations.revert_to_snapshot(connection, name, "then", accept=True)
    guest.close()
    assert (guest.inventory(), marks(guest)) == (hardware, ("then", "then"))
    assert guest.domain.xml(CONFIG) == document

    mark(guest, "since")
    target = attach_volume(connection, guest, images, "later")
    operations.shutdown(connection, name, timeout=PATIENCE)
    operations.revert_to_snapshot(connection, name, "then", disks_only=True)
    operations.start(connection, name)
    guest.wait_for_boot()
    after = guest.inventory()
    late = after.disk("later")
    assert late is not None and late.address == str(place(guest.domain, target))
    others = tuple(disk for disk in after.disks if disk != late)
    assert [replace(disk, number="") for disk in others] == [replace(disk, number="") for disk in hardware.disks]
    assert marks(guest) == ("", "then")


def mark(guest: Guest, word: str) -> None:
    """Write a word into the guest's memory, and to the beginning of the disk "data"."""
    guest.run(f"echo {word} >/run/mark; echo {word} | dd of={_data(guest)} conv=fsync 2>/dev/null")


def marks(guest: Guest) -> tuple[str, str]:
    """The words in memory and on disk; "" where there is none."""
    said = guest.run(f"cat /run/mark 2>/dev/null || echo; head -n 1 {_data(guest)}").splitlines()
    return said[0], said[1]


def _data(guest: Guest) -> str:
    disk = guest.inventory().disk("data")
    assert disk is not None
    return f"/dev/{disk.name}"
