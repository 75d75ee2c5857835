"""Images made in a folder that another user can write to: whatever is exchanged there, no other file is touched."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.elements.disk import source_of
from holdfast.errors import HoldfastError
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.errors.files import ANOTHER_FILE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, DomainSpec, Place
from tests.libvirt.disks.foreign import MIB, SECRET
from tests.libvirt.disks.moves import disk
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.exchanging import as_it_was, at_each_step, exchanging, folder_instead, identity, link_instead
from tests.libvirt.images import create_image, qcow2_disk
from tests.libvirt.state.states import uefi_xml
from tests.raising import raising

Act = Callable[[Connection, Path, Path], object]


def attach(**values: object) -> Act:
    """Attach a disk whose image is made in the folder; {} in ``values`` is the folder of images of one's own."""

    def act(connection: Connection, folder: Path, own: Path) -> object:
        given = {key: value.format(own) if isinstance(value, str) else value for key, value in values.items()}
        spec = DiskSpec(path=f"{folder}/new", **given)  # type: ignore[arg-type]
        if spec.size == 512:  # smaller than what it is made from, which is seen once it is there
            with suppress(HoldfastError):
                operations.attach_disk(connection, "a", spec)
            return None
        return operations.attach_disk(connection, "a", spec)

    return act


def create_with_seed(connection: Connection, folder: Path, own: Path) -> object:
    disks = (DiskSpec(path=f"{folder}/new", size=MIB),)
    spec = DomainSpec(memory=64 * MIB, graphics="none", disks=disks, user_data=str(own / "user-data"))
    return operations.create_domain(connection, "b", spec)


def move(connection: Connection, folder: Path, own: Path) -> object:
    return operations.move_disk(connection, "a", "vda", Place(path=f"{folder}/new", format="raw"))


def clone(connection: Connection, folder: Path, own: Path) -> object:
    return operations.clone_domain(connection, "c", "d")


SOURCE = {"source_format": "qcow2"}
ACTS: dict[str, Act] = {
    "a new disk": attach(size=MIB),
    "a raw disk": attach(size=MIB, format="raw"),
    "a copy": attach(copy_from="{}/base.qcow2", **SOURCE),
    "an overlay": attach(overlay_of="{}/base.qcow2", **SOURCE),
    "a copy that fails": attach(copy_from="{}/base.qcow2", size=512, **SOURCE),
    "an overlay that fails": attach(overlay_of="{}/base.qcow2", size=512, **SOURCE),
    "a disk and a seed": create_with_seed,
    "a move": move,
    "a clone": clone,
}


@pytest.fixture
def folders(connection: Connection, tmp_path: Path) -> tuple[Path, Path, Path]:
    """The folder to which others can write, one of one's own, and one of somebody else's."""
    shared, own, other = (tmp_path / name for name in ("shared", "own", "other"))
    for folder in (shared, own, other):
        folder.mkdir()
    (own / "user-data").write_text("#cloud-config\n")
    (other / "victim").write_bytes(SECRET)
    for name in ("root", "base"):
        create_image(str(own / f"{name}.qcow2"), "qcow2", MIB)
    return shared, own, other


def begin_anew(connection: Connection, shared: Path, own: Path) -> None:
    for domain in connection.domains():
        domain.undefine()
    for path in shared.iterdir():
        path.unlink()
    create_image(str(shared / "c.qcow2"), "qcow2", MIB)
    (shared / "c.fd").write_bytes(b"\0" * 4096)
    connection.define(domain_xml(extra=qcow2_disk(own / "root.qcow2")))
    with_disk = uefi_xml("c", shared / "c.fd").replace("</devices>", f"{qcow2_disk(shared / 'c.qcow2')}</devices>")
    connection.define(with_disk)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_link_put_in_the_place_of_what_was_just_made_is_never_followed(
    connection: Connection, folders: tuple[Path, Path, Path], act: Act
) -> None:
    shared, own, other = folders
    known = {"c.qcow2", "c.fd"}
    before = identity(other / "victim")

    def begin() -> None:
        assert identity(other / "victim") == before
        begin_anew(connection, shared, own)

    count = at_each_step(
        lambda: link_instead(shared, other / "victim", known), begin, lambda: act(connection, shared, own)
    )
    assert identity(other / "victim") == before
    assert count


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_folder_exchanged_on_the_way_leads_to_nothing_that_is_removed_or_overwritten(
    connection: Connection, folders: tuple[Path, Path, Path], act: Act
) -> None:
    shared, own, other = folders
    for name in ("new", "b-seed.iso", "d.qcow2"):
        (other / name).write_bytes(SECRET)
    before = {path: identity(path) for path in other.iterdir()}

    def begin() -> None:
        assert {path: identity(path) for path in before} == before
        as_it_was(shared)
        begin_anew(connection, shared, own)

    count = at_each_step(lambda: folder_instead(shared, other), begin, lambda: act(connection, shared, own))
    begin()
    assert count > 3


def source_of_vda(connection: Connection) -> str | None:
    return source_of(disk(connection.find_domain("a"), CONFIG))


def test_a_move_into_a_file_that_somebody_has_exchanged_is_refused_and_the_disk_stays(
    connection: Connection, folders: tuple[Path, Path, Path]
) -> None:
    shared, own, other = folders
    begin_anew(connection, shared, own)
    (other / "victim").write_bytes(bytes(MIB))  # as large as the disk
    known = {path.name for path in shared.iterdir()}

    def once_it_is_whole() -> bool:
        new = shared / "new"
        return new.is_file() and new.stat().st_size == MIB and link_instead(shared, other / "victim", known)

    with exchanging(1, once_it_is_whole), raising(CHANGED_AND_THEN) as caught:
        move(connection, shared, own)
    assert ANOTHER_FILE(path=shared / "new").message in caught.value.message
    assert (source_of_vda(connection), (other / "victim").read_bytes()) == (str(own / "root.qcow2"), bytes(MIB))
    operations.abort_move(connection, "a", "vda")
    assert not (shared / "new").is_symlink() and (other / "victim").exists()
