"""An image is the file that it is, whatever it is called: a hard link to one in use is no other image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import images
from holdfast.errors.snapshots import USED_BY_OTHER
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, FindingKind
from tests.libvirt.disks.foreign import create
from tests.libvirt.domains import domain_xml
from tests.libvirt.images import qcow2, qcow2_disk, write
from tests.libvirt.state.states import found
from tests.raising import raising

Link = Callable[[Path, Path], None]
links = pytest.mark.parametrize("link", [Path.hardlink_to, Path.symlink_to], ids=["hard link", "symbolic link"])
CD = "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"


@links
def test_another_name_of_an_image_in_use_is_refused_by_whatever_gives_images(
    connection: Connection, tmp_path: Path, link: Link
) -> None:
    image, other = qcow2(tmp_path, "image"), tmp_path / "other.qcow2"
    link(other, image)
    connection.define(domain_xml("b", extra=qcow2_disk(image)))
    connection.define(domain_xml("c", extra=qcow2_disk(qcow2(tmp_path, "own")) + CD))
    spec, xml = DiskSpec(path=str(other), format="qcow2"), qcow2_disk(other, "vdb")
    acts: tuple[Callable[[], object], ...] = (
        lambda: create(connection, spec),
        lambda: operations.create_domain_from_document(connection, domain_xml("a", extra=xml), start=True),
        lambda: operations.attach_disk(connection, "c", spec),
        lambda: operations.attach_device(connection, "c", xml),
        lambda: operations.swap_disk(connection, "c", "vda", spec),
        lambda: operations.rescue(connection, "c", spec),
    )
    for act in acts:
        with raising(images.IN_USE, user="b"):
            act()
    assert sorted(domain.name for domain in connection.domains()) == ["b", "c"]


@links
def test_a_domain_has_no_image_twice_under_two_names(connection: Connection, tmp_path: Path, link: Link) -> None:
    image, other = qcow2(tmp_path, "image"), tmp_path / "other.qcow2"
    link(other, image)
    disks = DiskSpec(path=str(image), format="qcow2"), DiskSpec(path=str(other), format="qcow2")
    with raising(images.SAME_IMAGE_TWICE):
        create(connection, *disks)
    create(connection, disks[0])
    with raising(images.IN_USE, user="a"):
        operations.attach_disk(connection, "a", disks[1])


@links
def test_delete_leaves_an_image_that_another_domain_has_under_another_name(
    connection: Connection, tmp_path: Path, link: Link
) -> None:
    image, other = qcow2(tmp_path, "image"), tmp_path / "other.qcow2"
    link(other, image)
    connection.define(domain_xml("a", extra=qcow2_disk(image)))
    connection.define(domain_xml("b", extra=qcow2_disk(other)))
    assert {FindingKind.SHARED_IMAGE} <= found(connection, "a") & found(connection, "b")
    (fate,) = operations.delete_domain(connection, "a", storage=True).images
    assert (fate.kept, image.exists()) == ("used by the domain 'b'", True)


def test_no_snapshot_is_reverted_below_another_name_of_its_image(connection: Connection, tmp_path: Path) -> None:
    image, other = qcow2(tmp_path, "image", 1), tmp_path / "other.qcow2"
    other.hardlink_to(image)
    connection.define(domain_xml("a", extra=qcow2_disk(image)))
    operations.create_snapshot(connection, "a", "one")
    write(image, 2)
    connection.define(domain_xml("b", extra=qcow2_disk(other)))
    with raising(USED_BY_OTHER, user="b"):
        operations.revert_to_snapshot(connection, "a", "one", disks_only=True)
