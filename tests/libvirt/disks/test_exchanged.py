"""Images made in a folder that another user can write to: whatever is exchanged there, no other file is touched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.elements.disk import source_of
from holdfast.errors import HoldfastError
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.errors.files import ANOTHER_FILE, FOLDER_EXCHANGED
from holdfast.errors.images import QEMU_IMG_FAILED
from holdfast.hostfiles.images import image
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, DomainSpec, Place
from holdfast.operations.disks import keep_record, move_record, own_images
from holdfast.operations.disks.keep_record import new_record
from holdfast.operations.facts import record_fact
from holdfast.operations.session import changing
from tests.libvirt.disks.foreign import MIB, SECRET
from tests.libvirt.disks.moves import disk
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.exchanging import (
    another_folder_instead,
    as_it_was,
    at_each_step,
    exchanging,
    folder_instead,
    identity,
    link_before,
    link_instead,
)
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


def documents(connection: Connection) -> dict[str, str]:
    """What is defined, by name; libvirt leaves an empty element where something was recorded for a while."""
    return {each.name: each.xml(CONFIG).replace("  <metadata/>\n", "") for each in connection.domains()}


MADE = [
    ("a new disk", "new"),
    ("a copy", "new"),
    ("an overlay", "new"),
    ("a disk and a seed", "b-seed.iso"),
    ("a move", "new"),
    ("a clone", "d.qcow2"),
]
"""What is done, and what is made for it."""


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


@pytest.mark.parametrize(
    ("act", "name"), [("a new disk", "new"), ("a copy", "new"), ("a disk and a seed", "b-seed.iso")]
)
def test_a_link_put_where_an_image_is_about_to_be_made_is_never_followed(
    connection: Connection, folders: tuple[Path, Path, Path], act: str, name: str
) -> None:
    shared, own, other = folders
    before = identity(other / "victim")

    def begin() -> None:
        assert identity(other / "victim") == before
        begin_anew(connection, shared, own)

    count = at_each_step(
        lambda: link_before(shared / name, other / "victim"), begin, lambda: ACTS[act](connection, shared, own)
    )
    begin()
    assert count > 1


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


@pytest.mark.parametrize("exchange", [folder_instead, another_folder_instead])
@pytest.mark.parametrize(("act", "name"), MADE)
def test_what_is_made_in_a_folder_that_is_exchanged_meanwhile_goes_again_and_nothing_else_is_changed(
    connection: Connection,
    folders: tuple[Path, Path, Path],
    act: str,
    name: str,
    exchange: Callable[[Path, Path], bool],
) -> None:
    shared, own, other = folders
    shared.parent.chmod(0o777)
    begin_anew(connection, shared, own)
    before = documents(connection)

    def once_made() -> bool:
        return (shared / name).exists() and exchange(shared, other)

    said = QEMU_IMG_FAILED if act == "a clone" else FOLDER_EXCHANGED  # what it copies is in that folder, too
    with exchanging(1, once_made) as done, raising(said) as refused:
        ACTS[act](connection, shared, own)
    assert done.at and refused.value.exit_code == 1
    assert not any((folder / name).exists() for folder in (shared, shared.parent / "away", other))
    assert documents(connection) == before


@pytest.mark.parametrize(("act", "name"), MADE)
def test_nothing_is_made_behind_a_link_of_others_whenever_that_comes(
    connection: Connection, folders: tuple[Path, Path, Path], act: str, name: str
) -> None:
    shared, own, other = folders
    shared.parent.chmod(0o777)
    before = set(other.iterdir())

    def begin() -> None:
        assert set(other.iterdir()) == before
        as_it_was(shared)
        begin_anew(connection, shared, own)

    count = at_each_step(lambda: folder_instead(shared, other), begin, lambda: ACTS[act](connection, shared, own))
    begin()
    assert count > 3


def delete(connection: Connection, shared: Path) -> object:
    return operations.delete_domain(connection, "c", storage=True)


def abort(connection: Connection, shared: Path) -> object:
    """End a move that broke off once its copy was made."""
    return operations.abort_move(connection, "a", "vda")


def move_away(connection: Connection, shared: Path) -> object:
    place = Place(path=str(shared.parent / "own" / "moved"))
    return operations.move_disk(connection, "c", "vda", place, delete_source=True)


def detach_left(connection: Connection, shared: Path) -> object:
    """Remove what a killed attach has left."""
    return operations.detach_device(connection, "a", "vdb")


@pytest.mark.parametrize("act", [delete, abort, move_away, detach_left])
def test_a_folder_exchanged_before_an_image_is_removed_leads_to_no_file_of_somebody_else(
    connection: Connection, folders: tuple[Path, Path, Path], act: Callable[[Connection, Path], object]
) -> None:
    """Exchanged before it was looked at first, the path of the document is that of the other file."""
    shared, own, other = folders
    for name in ("new", "c.qcow2"):
        (other / name).write_bytes(SECRET)
    before = {path: identity(path) for path in other.iterdir()}
    looked_at = threading.Event()
    real = image.file_identity

    def look(path: str) -> str:
        found = real(path)
        if path.startswith(str(shared)):
            looked_at.set()
        return found

    def begin() -> None:
        assert {path: identity(path) for path in before} == before
        as_it_was(shared)
        (own / "moved").unlink(missing_ok=True)
        begin_anew(connection, shared, own)
        (shared / "new").write_bytes(bytes(MIB))
        with changing(connection, "a") as domain:
            left = replace(new_record(disk(domain, CONFIG)), place=str(shared / "new"), format="raw", size=str(MIB))
            record_fact(domain, left if act is abort else replace(left, target="vdb", alias="ua-b"), CONFIG)
        looked_at.clear()

    with pytest.MonkeyPatch.context() as patch:
        for module in (own_images, keep_record, move_record):
            patch.setattr(module, "file_identity", look)
        count = at_each_step(
            lambda: looked_at.is_set() and folder_instead(shared, other), begin, lambda: act(connection, shared)
        )
    assert count
    begin()


def test_a_swap_onto_an_image_that_is_exchanged_overwrites_no_image_of_another_domain(
    connection: Connection, folders: tuple[Path, Path, Path]
) -> None:
    shared, own, other = folders
    create_image(str(other / "victim.qcow2"), "qcow2", MIB)
    before = identity(other / "victim.qcow2")
    known = {"c.qcow2", "c.fd"}

    def begin() -> None:
        assert identity(other / "victim.qcow2") == before
        begin_anew(connection, shared, own)
        connection.define(domain_xml("e", extra=qcow2_disk(other / "victim.qcow2")))
        create_image(str(shared / "more.qcow2"), "qcow2", MIB)

    def swap() -> object:
        more = DiskSpec(path=str(shared / "more.qcow2"), format="qcow2")
        return operations.swap_disk(connection, "a", "vda", more, copy_content=True)

    count = at_each_step(lambda: link_instead(shared, other / "victim.qcow2", known), begin, swap)
    begin()
    assert count > 3


def insert(connection: Connection, path: str) -> object:
    return operations.insert_medium(connection, "a", "sda", DiskSpec(path=path, format="raw"))


def rescue(connection: Connection, path: str) -> object:
    return operations.rescue(connection, "a", DiskSpec(path=path, format="raw"))


@pytest.mark.parametrize("act", [insert, rescue])
def test_a_medium_that_is_exchanged_leads_to_no_change_of_another_file(
    connection: Connection, folders: tuple[Path, Path, Path], act: Callable[[Connection, str], object]
) -> None:
    shared, own, other = folders
    before, known = identity(other / "victim"), {"c.qcow2", "c.fd"}
    drive = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"

    def begin() -> None:
        assert identity(other / "victim") == before
        for domain in connection.domains():
            if domain.is_active():
                domain.destroy()
        begin_anew(connection, shared, own)
        connection.find_domain("a").undefine()
        connection.define(domain_xml(extra=qcow2_disk(own / "root.qcow2") + drive))
        (shared / "medium").write_bytes(bytes(MIB))

    medium = str(shared / "medium")
    count = at_each_step(lambda: link_instead(shared, other / "victim", known), begin, lambda: act(connection, medium))
    begin()
    assert count


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
