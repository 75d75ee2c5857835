"""A guest whose disks get other images while it uses them: it sees what was asked for, and nothing else."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.disk import source_of
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Disk
from tests.guest.conftest import Boot
from tests.libvirt.commands import done, run
from tests.libvirt.disks.network_storage import nbd_server
from tests.libvirt.domains import CONFIG, LIVE, place

MIB = 1024 * 1024
SIZE = 16 * MIB


def image_of(guest: Guest, target: str) -> set[str | None]:
    """What live and config name as the image of a disk."""
    documents = [parse(guest.domain.xml(which)) for which in (LIVE, CONFIG)]
    disks = [document.find(f"devices/disk/target[@dev='{target}']/..") for document in documents]
    return {source_of(disk) for disk in disks if disk is not None}


def disk(guest: Guest, serial: str) -> Disk:
    found = guest.inventory().disk(serial)
    assert found is not None
    return found


def in_guest(guest: Guest, name: str) -> str:
    """The MD5 of what the guest reads from the disk itself, not from its memory."""
    guest.run("sync; echo 3 >/proc/sys/vm/drop_caches")
    return guest.run(f"md5sum /dev/{name}").split()[0]


def on_host(image: Path, format: str) -> str:
    raw = image.with_suffix(".check")
    subprocess.run(["qemu-img", "convert", "-U", "-f", format, "-O", "raw", image, raw], check=True)
    return hashlib.md5(raw.read_bytes()).hexdigest()


def test_guest_sees_what_is_done_with_its_disks_and_nothing_else(
    connection: Connection, boot: Boot, images: Path, uri: str
) -> None:
    media = {letter: images / f"{letter}.iso" for letter in "ABC"}
    for letter, path in media.items():
        path.write_bytes(letter.encode() * MIB)
    guest = boot(disks=(DiskSpec(path=str(media["A"]), device="cdrom"),))
    media_are_changed(guest, media, uri)
    first, new = images / "data.img", images / "moved.qcow2"
    first.write_bytes(bytes(SIZE))
    with nbd_server(first) as url:
        operations.attach_disk(connection, "guest", DiskSpec(source=url, serial="data"))
        guest.wait_until(lambda inventory: inventory.disk("data"))
        before = disk(guest, "data")
        assert before.address == str(place(guest.domain, "vdb"))
        guest.run(f"dd if=/dev/urandom of=/dev/{before.name} bs=1M count=8 conv=fsync")
        assert in_guest(guest, before.name) == on_host(first, "raw"), "the guest writes to the server"

        write = f"dd if=/dev/urandom of=/dev/{before.name} bs=64k count=8 seek=120 conv=fsync 2>/dev/null"
        guest.run(f"(while [ ! -e /run/stop ]; do {write}; done; touch /run/stopped) & sleep 1")
        done(uri, "disk", "move", "guest", "vdb", f"path={new},format=qcow2")
        guest.run("touch /run/stop; while [ ! -e /run/stopped ]; do sleep 1; done")
    moved = in_guest(guest, before.name)
    assert moved == on_host(new, "qcow2")
    assert moved != on_host(first, "raw"), "what was written in the end is on the new image alone"
    assert image_of(guest, "vdb") == {str(new)}
    assert disk(guest, "data") == before

    done(uri, "disk", "extend", "guest", "vdb", "24MiB")
    larger = guest.wait_until(lambda inventory: disk(guest, "data").size == 24 * MIB).disk("data")
    guest.run(f"dd if=/dev/urandom of=/dev/{before.name} bs=1M count=1 seek=23 conv=fsync")
    content = in_guest(guest, before.name)
    assert content == on_host(new, "qcow2")

    operations.reboot(connection, "guest", hard=True)
    guest.wait_for_boot()
    assert disk(guest, "data") == larger
    assert str(place(guest.domain, "vdb")) == before.address
    assert in_guest(guest, "vdb") == content


def media_are_changed(guest: Guest, media: dict[str, Path], uri: str) -> None:
    """The drive stays, what is in it changes; a guest that has locked the tray is asked, or not asked."""

    def drive() -> Disk:
        return next(disk for disk in guest.inventory().disks if disk.name == "sr0")

    def read() -> str:
        """The first letter on the CD; the kernel only learns by a first read, which fails, that it is another one."""
        return guest.run("for each in 1 2; do found=$(head -c 1 /dev/sr0 2>/dev/null || echo none); done; echo $found")

    first = drive()
    guest.run("echo 1 >/proc/sys/kernel/printk")  # its complaints would stand between the answers
    assert read() == "A"
    done(uri, "disk", "media", "insert", "guest", "sda", str(media["B"]))
    assert read() == "B"

    hold = "(exec 3</dev/sr0; touch /run/held; while [ ! -e /run/let-go ]; do sleep 1; done; touch /run/free) &"
    guest.run(f"{hold} while [ ! -e /run/held ]; do sleep 1; done")
    locked = run(uri, "disk", "media", "eject", "guest", "sda")
    assert locked.exit_code == 5
    assert "has locked the tray of sda" in locked.stderr and "--force" in locked.stderr
    assert image_of(guest, "sda") == {str(media["B"])}
    done(uri, "disk", "media", "insert", "guest", "sda", str(media["C"]), "--force")
    guest.run("touch /run/let-go; while [ ! -e /run/free ]; do sleep 1; done")
    assert read() == "C"
    assert image_of(guest, "sda") == {str(media["C"])}
    done(uri, "disk", "media", "eject", "guest", "sda")
    assert read() == "none"
    assert image_of(guest, "sda") == {None}
    assert (drive().path, drive().serial) == (first.path, first.serial)
