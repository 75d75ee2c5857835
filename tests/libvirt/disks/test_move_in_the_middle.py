"""What happens while a disk is moved: it goes on there, or stays and nothing is left, and somebody can tell which.

The guests never run, so a job is at its end before anyone looks; what happens in the middle happens in the callback
that is told of the progress.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import libvirt
from holdfast import operations
from holdfast.domainxml.elements.mirror import copy_is_ready
from holdfast.errors import LibvirtRefused, disks, images
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.hostfiles.images import new_image
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.keep_record import record_disk
from holdfast.operations.disks.move import abort_move, move_disk
from holdfast.operations.disks.spec import Place
from holdfast.operations.documents import read
from holdfast.operations.domain.adopt import adopt_domain
from holdfast.operations.look.show import show_domain
from holdfast.operations.session import looking
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import done, run
from tests.libvirt.disks.moves import (
    SIZE,
    begin,
    content,
    disk,
    images_of_vda,
    in_the_middle,
    moving_domain,
    records,
    without_image_of_vda,
)
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, place
from tests.libvirt.images import create_image
from tests.raising import raising


@pytest.fixture(params=[True, False], ids=["running", "shut off"])
def domain(request: pytest.FixtureRequest, connection: Connection, tmp_path: Path) -> Domain:
    """A domain with vda to be moved and vdb beside it; running, or shut off."""
    return moving_domain(connection, tmp_path, start=request.param)


running = pytest.mark.parametrize("domain", [True], indirect=True, ids=["running"])
shut_off = pytest.mark.parametrize("domain", [False], indirect=True, ids=["shut off"])


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 2 MiB, of which an image of 4 takes more."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "small", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_no_room_for_the_copy_changes_nothing_and_leaves_nothing(
    connection: Connection, domain: Domain, small: Path, tmp_path: Path, format: str
) -> None:
    adopt_domain(connection, "a")
    (tmp_path / "one.img").write_bytes(b"\1" * SIZE)
    before = images_of_vda(domain), without_image_of_vda(domain), records(domain)
    with raising(disks.COPY_ENDED, images.QEMU_IMG_FAILED):
        move_disk(connection, "a", "vda", Place(path=str(small / "new"), format=format))
    assert (images_of_vda(domain), without_image_of_vda(domain), records(domain)) == before
    assert images_of_vda(domain) == {(f"{tmp_path}/one.img", "raw")}
    assert not list(small.iterdir())


def test_interrupted_move_leaves_nothing(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = images_of_vda(domain), without_image_of_vda(domain), records(domain)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if not domain.is_active():
            patch.setattr(new_image, "copy_onto", interrupt)
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")), progress=interrupt)
    assert (images_of_vda(domain), without_image_of_vda(domain), records(domain)) == before
    assert not (tmp_path / "new").exists()
    if domain.is_active():
        assert block.copy_progress(domain, "vda") is None
    move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))


@running
def test_domain_that_is_switched_off_in_the_middle_keeps_its_image(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    before = images_of_vda(domain), without_image_of_vda(domain)[1], records(domain)
    with raising(disks.SWITCHED_OFF_WHILE_COPIED, target="vda", image=tmp_path / "one.img"):
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")), progress=in_the_middle(domain.destroy))
    assert (images_of_vda(domain), without_image_of_vda(domain)[0], records(domain)) == before
    assert not (tmp_path / "new").exists()


def test_transient_domain_moves_and_may_vanish_in_the_middle(connection: Connection, tmp_path: Path) -> None:
    document = domain_xml(extra=disk_xml(tmp_path, "one", "vda"))

    def create() -> Domain:
        return Domain(connection._handle.createXML(document, libvirt.VIR_DOMAIN_START_PAUSED))

    create()
    assert move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new"))).after == str(tmp_path / "new")
    connection.find_domain("a").destroy()
    domain = create()
    with raising(CHANGED_AND_THEN, done="it is gone"):
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "other")), progress=in_the_middle(domain.destroy))
    assert not (tmp_path / "other").exists()


@running
def test_copy_that_virsh_ends_in_the_middle_is_gone(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    with raising(disks.COPY_ENDED):
        move_disk(
            connection,
            "a",
            "vda",
            Place(path=str(tmp_path / "new")),
            progress=in_the_middle(lambda: block.cancel(domain, "vda")),
        )
    assert images_of_vda(domain) == {(f"{tmp_path}/one.img", "raw")}
    assert not (tmp_path / "new").exists()


@running
def test_copy_that_virsh_finishes_in_the_middle_is_settled(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    def pivot() -> None:
        while not copy_is_ready(disk(domain, LIVE)):
            pass
        block.pivot(domain, "vda")

    adopt_domain(connection, "a")
    new = tmp_path / "new"
    moved = move_disk(connection, "a", "vda", Place(path=str(new)), progress=in_the_middle(pivot))
    assert moved.after == str(new)
    assert images_of_vda(domain) == {(str(new), "raw")}
    assert not [record for record in records(domain) if record.in_making]


@running
def test_other_commands_do_not_wait_for_the_copy_and_their_changes_stay(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    from holdfast.operations.devices.attach import attach_device

    other = disk_xml(tmp_path, "three", "vdc")
    move_disk(
        connection,
        "a",
        "vda",
        Place(path=str(tmp_path / "new")),
        progress=in_the_middle(lambda: attach_device(connection, "a", other)),
    )
    assert place(domain, "vdc")
    assert images_of_vda(domain) == {(f"{tmp_path}/new", "raw")}


@shut_off
def test_disk_that_somebody_changes_while_it_is_copied_is_left_alone(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    real = new_image.copy_onto

    def copy_and_change(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        changed = domain.xml(CONFIG).partition("<disk ")[2].partition("</disk>")[0].replace("one.img", "two.img")
        domain.update(f"<disk {changed}</disk>", CONFIG)

    with (
        pytest.MonkeyPatch.context() as patch,
        raising(disks.CHANGED_WHILE_COPIED, target="vda"),
    ):
        patch.setattr(new_image, "copy_onto", copy_and_change)
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
    assert images_of_vda(domain) == {(f"{tmp_path}/two.img", "raw")}
    assert not (tmp_path / "new").exists()


@shut_off
def test_domain_that_is_started_while_it_was_copied_is_left_alone(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    real = new_image.copy_onto

    def copy_and_start(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        domain.start(paused=True)

    with pytest.MonkeyPatch.context() as patch, raising(disks.CHANGED_WHILE_COPIED, name="a"):
        patch.setattr(new_image, "copy_onto", copy_and_start)
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")))
    assert images_of_vda(domain) == {(f"{tmp_path}/one.img", "raw")}
    assert not (tmp_path / "new").exists()


@shut_off
def test_nobody_can_start_the_domain_while_qemu_img_copies(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    (tmp_path / "one.img").write_bytes(b"\1" * 4 * SIZE)  # the first 2 MiB go at once, the others in half an hour
    command = ["qemu-img", "convert", "-r", "1K", "-f", "raw", "-O", "raw", str(tmp_path / "one.img"), str(new)]
    with subprocess.Popen(command) as copying:
        wait_until(new.exists, "qemu-img makes no image")
        with pytest.raises(LibvirtRefused, match="lock"):
            domain.start(paused=True)
        copying.kill()


def test_move_that_broke_off_is_told_and_finished_by_repeating(
    uri: str, connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    begin(looking(connection, domain.uuid), new)
    assert f"the disk vda is being moved to {new}" in "".join(show_domain(connection, "a").unfinished)
    assert f"the disk vda is being moved to {new}" in operations.audit_host(connection).domains[0].findings[0].sentence
    if domain.is_active():
        assert run(uri, "disk", "extend", "a", "vda", "8MiB").exit_code == 3
        assert "being copied to" in run(uri, "disk", "move", "a", "vda", str(tmp_path / "elsewhere")).stderr
    for command in (["disk", "detach", "a", "vda"], ["release", "a"]):
        result = run(uri, *command)
        assert result.exit_code == 3 and "disk move a vda" in result.stderr
    assert done(uri, "disk", "move", "a", "vda", "--dry-run").startswith(
        f"would move vda from {tmp_path}/one.img to {new}"
    )
    before = records(domain)
    would = done(uri, "disk", "move", "a", "vda", "--delete-source", "--dry-run")
    assert f"{tmp_path}/one.img would be removed" in would
    assert records(domain) == before, "a dry run records nothing"
    done(uri, "disk", "move", "a", "vda")
    assert images_of_vda(domain) == {(str(new), "raw")}
    assert new.read_bytes() == content()
    assert records(domain) == set()
    assert show_domain(connection, "a").unfinished == ()


def test_move_that_broke_off_is_ended_by_abort(
    uri: str, connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    begin(looking(connection, domain.uuid), new)
    assert "would end the move of vda" in done(uri, "disk", "move", "a", "vda", "--abort", "--dry-run")
    assert new.exists()
    said = json.loads(done(uri, "disk", "move", "a", "vda", "--abort", "-o", "json"))
    assert (said["image"], said["removed"]) == (f"{tmp_path}/one.img", str(new))
    assert images_of_vda(domain) == {(f"{tmp_path}/one.img", "raw")}
    assert not new.exists()
    assert records(domain) == set()
    with raising(disks.NOT_BEING_MOVED):
        abort_move(connection, "a", "vda")


@running
def test_copy_that_is_under_way_is_no_change_of_the_hardware(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    before = read(domain)
    begin(looking(connection, domain.uuid), tmp_path / "new")
    assert read(domain).changed_since(before, LIVE) == []


@running
def test_second_command_finishes_the_same_move(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    again = in_the_middle(lambda: move_disk(connection, "a", "vda"))
    moved = move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")), progress=again)
    assert moved.after == str(tmp_path / "new")
    assert images_of_vda(domain) == {(f"{tmp_path}/new", "raw")}


@running
def test_abort_by_a_second_command_ends_the_first(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    abort = in_the_middle(lambda: abort_move(connection, "a", "vda"))
    with raising(disks.COPY_ENDED):
        move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")), progress=abort)
    assert not (tmp_path / "new").exists()
    assert records(domain) == set()


@running
def test_copy_that_somebody_else_began_is_finished_or_ended_too(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    xml = f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{tmp_path}/new'/></disk>"
    create_image(f"{tmp_path}/new", "qcow2", SIZE)
    block.start_block_copy(domain, "vda", xml)
    assert abort_move(connection, "a", "vda").removed is None
    assert (tmp_path / "new").exists()
    block.start_block_copy(domain, "vda", xml)
    assert move_disk(connection, "a", "vda").after == f"{tmp_path}/new"
    assert images_of_vda(domain) == {(f"{tmp_path}/new", "qcow2")}


def test_another_move_after_one_that_was_not_settled_is_done_too(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    """The first was killed when the disk had its new image: that is to be copied from, and not to be removed."""
    begin(looking(connection, domain.uuid), tmp_path / "new")
    record = records(domain)
    move_disk(connection, "a", "vda")
    for each in record:
        record_disk(looking(connection, domain.uuid), each, [CONFIG])
    place = Place(path=str(tmp_path / "newer"))
    assert move_disk(connection, "a", "vda", place, dry_run=True).before == str(tmp_path / "new")
    assert move_disk(connection, "a", "vda", place).after == str(tmp_path / "newer")
    assert images_of_vda(domain) == {(f"{tmp_path}/newer", "raw")}
    assert (tmp_path / "new").read_bytes() == (tmp_path / "newer").read_bytes() == content()
    assert records(domain) == set()


def test_old_image_that_cannot_go_is_told_and_repeating_finishes(
    uri: str, connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    from holdfast.hostfiles.images import chain

    def refuse(path: str, _: str) -> None:
        raise images.CANNOT_REMOVE(path=path, reason="it is stuck")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "remove_image_file", refuse)
        with raising(disks.OLD_IMAGE_LEFT, target="vda"):
            move_disk(connection, "a", "vda", Place(path=str(tmp_path / "new")), delete_source=True)
    assert images_of_vda(domain) == {(f"{tmp_path}/new", "raw")}
    assert "was to be removed" in "".join(show_domain(connection, "a").unfinished)
    assert run(uri, "disk", "move", "a", "vda", "--abort").exit_code == 1
    assert f"{tmp_path}/one.img was removed" in done(uri, "disk", "move", "a", "vda")
    assert not (tmp_path / "one.img").exists()
    assert show_domain(connection, "a").unfinished == ()
