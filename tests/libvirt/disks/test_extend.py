"""Extend: the size is what changes, and only upwards; both documents stay as they are to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli import hints
from holdfast.errors import Condition, HoldfastError, LibvirtRefused, disks, images, power
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.devices.attach_described import attach_disk
from holdfast.operations.disks.extend import extend_disk
from holdfast.operations.disks.spec import DiskSpec
from tests.libvirt.commands import done, run
from tests.libvirt.disks.network_storage import nbd_server
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.images import create_image, virtual_size
from tests.raising import raising

MIB = 1024 * 1024


def domain_with(connection: Connection, *disks: str, start: bool = True) -> Domain:
    domain = connection.define(domain_xml(extra="".join(disks)))
    if start:
        domain.start(paused=True)
    return domain


def disk_of_format(folder: Path, format: str) -> str:
    path = folder / "one.img"
    create_image(str(path), format, MIB)
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='{format}'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/><serial>one</serial></disk>"
    )


@pytest.mark.parametrize("format", ["raw", "qcow2"])
@pytest.mark.parametrize("start", [True, False])
def test_disk_becomes_larger_and_the_documents_stay_the_same(
    uri: str, connection: Connection, tmp_path: Path, format: str, start: bool
) -> None:
    domain = domain_with(connection, disk_of_format(tmp_path, format), start=start)
    before = domain.xml(LIVE), domain.xml(CONFIG)
    assert "would extend vda from 1 MiB to 3 MiB" in done(uri, "disk", "extend", "a", "vda", "3MiB", "--dry-run")
    assert block.capacity(domain, "vda") == MIB
    assert done(uri, "disk", "extend", "a", "vda", "3MiB") == "extended vda from 1 MiB to 3 MiB\n"
    assert block.capacity(domain, "vda") == 3 * MIB
    assert (domain.xml(LIVE), domain.xml(CONFIG)) == before
    if not start:
        assert virtual_size(str(tmp_path / "one.img"), format) == 3 * MIB
    said = json.loads(done(uri, "disk", "extend", "a", "vda", "4MiB", "-o", "json"))
    assert (said["format"], said["name"], said["dry_run"]) == ("holdfast.disk.extend", "a", False)
    assert (said["before"], said["after"]) == (3 * MIB, 4 * MIB)
    assert [change["sentence"] for change in said["changes"]] == ["disk vda: size is 4 MiB, was 3 MiB"]
    assert done(uri, "disk", "extend", "a", "vda", "4MiB") == "vda has 4 MiB already\n"


@pytest.mark.parametrize("start", [True, False])
def test_disk_never_becomes_smaller(uri: str, connection: Connection, tmp_path: Path, start: bool) -> None:
    domain = domain_with(connection, disk_of_format(tmp_path, "raw"), start=start)
    with raising(disks.SMALLER, target="vda", size="1 MiB", wanted="512 KiB"):
        extend_disk(connection, "a", "vda", MIB // 2)
    assert run(uri, "disk", "extend", "a", "vda", "512KiB").exit_code == 3
    assert block.capacity(domain, "vda") == MIB


def test_stock_resize_makes_a_disk_smaller_without_a_word(connection: Connection, tmp_path: Path) -> None:
    domain = domain_with(connection, disk_of_format(tmp_path, "raw"))
    block.resize(domain, "vda", MIB // 2)
    assert (tmp_path / "one.img").stat().st_size == MIB // 2


def test_size_is_made_whole_sectors(connection: Connection, tmp_path: Path) -> None:
    domain = domain_with(connection, disk_of_format(tmp_path, "raw"))
    assert extend_disk(connection, "a", "vda", MIB + 1).after == MIB + 512
    assert block.capacity(domain, "vda") == MIB + 512


@pytest.mark.parametrize(
    ("target", "extra", "condition"),
    [
        (
            "sda",
            "<disk type='file' device='cdrom'><source file='{image}'/><target dev='sda' bus='sata'/></disk>",
            disks.IS_A_DRIVE,
        ),
        ("fda", "<disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>", disks.IS_A_DRIVE),
        (
            "vda",
            "<disk type='file'><source file='{image}'/><target dev='vda' bus='virtio'/><shareable/></disk>",
            disks.NOT_ITS_OWN,
        ),
        (
            "vda",
            "<disk type='file'><source file='{image}'/><target dev='vda' bus='virtio'/><readonly/></disk>",
            disks.NOT_ITS_OWN,
        ),
        ("vda", "", disks.NO_DISK),
    ],
)
def test_what_cannot_be_extended_is_refused(
    connection: Connection, tmp_path: Path, target: str, extra: str, condition: Condition[HoldfastError]
) -> None:
    domain_with(connection, extra.format(image=image(tmp_path, "one")))
    with raising(condition, target=target):
        extend_disk(connection, "a", target, 2 * MIB)
    assert (tmp_path / "one.img").stat().st_size == MIB


def test_saved_memory_is_not_given_a_larger_disk(connection: Connection, tmp_path: Path) -> None:
    domain = domain_with(connection, disk_of_format(tmp_path, "raw"))
    domain._handle.managedSave(0)
    with raising(power.MANAGED_SAVE):
        extend_disk(connection, "a", "vda", 2 * MIB)
    assert block.capacity(domain, "vda") == MIB


def test_export_on_the_network_says_that_it_must_grow_where_it_is(connection: Connection, tmp_path: Path) -> None:
    domain = domain_with(connection)
    with nbd_server(image(tmp_path, "one")) as url:
        attach_disk(connection, "a", DiskSpec(source=url))
        with raising(disks.GROWS_WHERE_IT_IS) as failed:
            extend_disk(connection, "a", "vda", 2 * MIB)
        assert "make nbd+unix:///one" in hints.hint(failed.value)
        domain.destroy()
        with raising(images.QEMU_IMG_FAILED):
            extend_disk(connection, "a", "vda", 2 * MIB)
        assert extend_disk(connection, "a", "vda", MIB).after == MIB


@pytest.mark.parametrize("start", [True, False])
def test_read_only_connection_extends_nothing(uri: str, connection: Connection, tmp_path: Path, start: bool) -> None:
    domain = domain_with(connection, disk_of_format(tmp_path, "raw"), start=start)
    result = run(uri, "-r", "disk", "extend", "a", "vda", "2MiB")
    assert (result.exit_code, "read-only" in result.stderr) == (1, True)
    assert block.capacity(domain, "vda") == MIB
    assert "would extend" in done(uri, "-r", "disk", "extend", "a", "vda", "2MiB", "--dry-run")


def test_missing_image_is_one_sentence(connection: Connection, tmp_path: Path) -> None:
    domain_with(connection, disk_xml(tmp_path, "one", "vda"), start=False)
    (tmp_path / "one.img").unlink()
    with pytest.raises(LibvirtRefused, match=r"one\.img"):
        extend_disk(connection, "a", "vda", 2 * MIB)
