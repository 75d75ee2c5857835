"""Disks whose images are on the network: NBD and iSCSI for real, through QEMU's own clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.disk import source_of
from holdfast.errors.creation import IMAGE_NOT_CLONED, NOT_CLONED_HERE
from holdfast.errors.devices import LIVE_REFUSES
from holdfast.errors.images import RESTS_ELSEWHERE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import Place
from holdfast.operations.devices.attach_described import attach_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.create import create_domain
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.commands import done
from tests.libvirt.disks.foreign import MIB, create, qemu_img
from tests.libvirt.disks.network_storage import iscsi_target, nbd_server
from tests.libvirt.domains import CONFIG, LIVE, image, place, running
from tests.raising import raising

Server = Callable[[Path], AbstractContextManager[str]]


@pytest.mark.parametrize("server", [nbd_server, iscsi_target])
def test_image_on_the_network_is_attached_to_both_documents_alike(
    uri: str, connection: Connection, tmp_path: Path, server: Server
) -> None:
    domain = running(connection)
    with server(image(tmp_path, "one")) as url:
        attached = attach_disk(connection, "a", DiskSpec(source=url))
        assert f"pci {place(domain, 'vda')}" == attached.address
        for which in (LIVE, CONFIG):
            disk = parse(domain.xml(which)).find("devices/disk")
            assert disk is not None
            assert source_of(disk) == url
        (listed,) = json.loads(done(uri, "disk", "list", "a", "-o", "json"))["devices"]
        assert (listed["source"], listed["format"], listed["waits"]) == (url, "raw", None)
        domain.destroy()
        domain.start(paused=True)
        assert place(domain, "vda")
        domain.destroy()


def test_domain_is_created_on_an_image_on_the_network(connection: Connection, tmp_path: Path) -> None:
    with nbd_server(image(tmp_path, "one")) as url:
        spec = DomainSpec(memory=64 << 20, disks=(DiskSpec(source=url),), graphics="none")
        assert create_domain(connection, "a", spec, start=True).images == ()
        connection.find_domain("a").destroy()


def test_server_that_is_not_there_is_one_sentence_and_nothing_changed(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(LIVE_REFUSES, device="disk vda pci 0000:02:00.0"):
        attach_disk(connection, "a", DiskSpec(source=f"nbd+unix:///x?socket={tmp_path}/none"))
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_what_rests_on_an_image_on_the_network_is_enlarged_and_moved_by_qemu_alone(
    connection: Connection, tmp_path: Path
) -> None:
    top, place = tmp_path / "top", Place(path=str(tmp_path / "moved.qcow2"))
    with nbd_server(image(tmp_path, "one")) as url:
        qemu_img("create", "-q", "-f", "qcow2", "-b", url, "-F", "raw", str(top))
        create(connection, DiskSpec(path=str(top), format="qcow2", trust_format=True))
        for dry_run in (True, False):
            with raising(RESTS_ELSEWHERE, path=top, other=url):
                operations.extend_disk(connection, "a", "vda", 2 * MIB, dry_run=dry_run)
            with raising(RESTS_ELSEWHERE, path=top, other=url):
                operations.move_disk(connection, "a", "vda", place, dry_run=dry_run)
            with raising(IMAGE_NOT_CLONED, target="vda"):
                operations.clone_domain(connection, "a", "b", dry_run=dry_run)
        operations.clone_domain(connection, "a", "b", without=["vda"])
        operations.start(connection, "a", paused=True)
        operations.extend_disk(connection, "a", "vda", 2 * MIB)
        operations.move_disk(connection, "a", "vda", place)
        operations.destroy(connection, "a")
    operations.start(connection, "a", paused=True)


def test_a_qcow2_image_that_is_itself_on_the_network_is_enlarged_and_moved(
    connection: Connection, tmp_path: Path
) -> None:
    place = Place(path=str(tmp_path / "moved.qcow2"))
    served = image(tmp_path, "one")
    qemu_img("create", "-q", "-f", "qcow2", str(served), str(MIB))
    with served.open("r+b") as file:
        file.truncate(4 * MIB)  # a server's export does not grow
    with nbd_server(served) as url:
        create(connection, DiskSpec(source=url, format="qcow2", trust_format=True))
        operations.extend_disk(connection, "a", "vda", 2 * MIB)
        with raising(NOT_CLONED_HERE, target="vda"):
            operations.clone_domain(connection, "a", "b", dry_run=True)
        operations.move_disk(connection, "a", "vda", place)
    operations.start(connection, "a", paused=True)
