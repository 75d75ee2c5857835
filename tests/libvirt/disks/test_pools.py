"""Disks in storage pools, and on a host that is elsewhere: what libvirt and QEMU do themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
import libvirt
from holdfast.cli import hints
from holdfast.domainxml.document import parse
from holdfast.errors import disks, images
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.extend import extend_disk
from holdfast.operations.disks.keep_record import disk_record
from holdfast.operations.disks.media import insert_medium
from holdfast.operations.disks.move import move_disk
from holdfast.operations.disks.spec import DiskSpec, Place
from holdfast.operations.disks.swap import swap_disk
from holdfast.operations.domain.adopt import adopt_domain
from tests.libvirt.disks.moves import (
    SIZE,
    content,
    disk,
    images_of_vda,
    in_the_middle,
    moving_domain,
    read_back,
    records,
)
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.libvirt.images import create_image, virtual_size
from tests.raising import raising


@pytest.fixture
def host(daemon_uri: str, tmp_path: Path) -> Iterator[Connection]:
    """The private libvirtd with a pool "default" in a folder of its own, and without domains."""
    raw = libvirt.open(daemon_uri)
    (tmp_path / "pool").mkdir()
    pool = raw.storagePoolCreateXML(
        f"<pool type='dir'><name>default</name><target><path>{tmp_path}/pool</path></target></pool>"
    )
    with holdfast.connect(daemon_uri) as connection:
        yield connection
        for domain in connection.domains():
            if domain.is_active():
                domain.destroy()
            domain.undefine()
    pool.destroy()
    raw.close()


@pytest.fixture
def remote(host: Connection, remote_uri: str) -> Iterator[Connection]:
    """The same libvirtd over a URI that names another host."""
    with holdfast.connect(remote_uri) as connection:
        yield connection


def test_volume_of_the_new_image_is_recorded(host: Connection, tmp_path: Path) -> None:
    domain = moving_domain(host, tmp_path, start=True)
    adopt_domain(host, "a")
    moved = move_disk(host, "a", "vda", Place(pool="default", volume="one", format="qcow2"))
    assert moved.after == str(tmp_path / "pool" / "one")
    for which in (LIVE, CONFIG):
        record = disk_record(parse(domain.xml(which)), disk(domain, which))
        assert record is not None and record.volume == "default/one"


def test_qemu_copies_on_a_host_that_is_elsewhere(remote: Connection, tmp_path: Path) -> None:
    domain = moving_domain(remote, tmp_path, start=True)
    move_disk(remote, "a", "vda", Place(pool="default", format="qcow2"))
    new = tmp_path / "pool" / "a-vda.qcow2"
    assert images_of_vda(domain) == {(str(new), "qcow2")}
    assert read_back(new, "qcow2") == content()
    with raising(disks.USES_NOT_SEEN_IN_MOVE):
        move_disk(remote, "a", "vda", Place(pool="default", volume="other"), delete_source=True)
    with raising(images.MADE_ON_ITS_HOST):
        move_disk(remote, "a", "vda", Place(path=str(tmp_path / "new")))
    with raising(disks.SWITCHED_OFF_WHILE_COPIED):
        move_disk(remote, "a", "vda", Place(pool="default", volume="other"), progress=in_the_middle(domain.destroy))
    assert not (tmp_path / "pool" / "other").exists()
    assert records(domain) == set()


def test_shut_off_domain_elsewhere_is_extended_by_its_pool_and_not_copied(remote: Connection, tmp_path: Path) -> None:
    domain = moving_domain(remote, tmp_path, start=False)
    with raising(disks.COPIED_ON_ITS_HOST) as refused:
        move_disk(remote, "a", "vda", Place(pool="default"))
    assert "holdfast start --paused a" in hints.hint(refused.value)
    domain.start(paused=True)
    move_disk(remote, "a", "vda", Place(pool="default", format="qcow2"))
    domain.destroy()
    assert extend_disk(remote, "a", "vda", 2 * SIZE).after == 2 * SIZE
    assert virtual_size(f"{tmp_path}/pool/a-vda.qcow2", "qcow2") == 2 * SIZE


def test_volume_is_swapped_in_and_inserted(host: Connection, tmp_path: Path) -> None:
    cd = "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
    create_image(str(tmp_path / "pool" / "v"), "raw", SIZE)
    create_image(str(tmp_path / "pool" / "iso"), "raw", SIZE)
    host._handle.storagePoolLookupByName("default").refresh()
    domain = moving_domain(host, tmp_path, start=False)
    swap_disk(host, "a", "vda", DiskSpec(pool="default", volume="v", format="raw"), copy_content=True)
    assert images_of_vda(domain) == {(f"{tmp_path}/pool/v", "raw")}
    assert (tmp_path / "pool" / "v").read_bytes() == content()
    host.define(domain_xml("b", extra=cd)).start(paused=True)
    medium = DiskSpec(pool="default", volume="iso", device="cdrom")
    assert insert_medium(host, "b", "sda", medium).after == f"{tmp_path}/pool/iso"
