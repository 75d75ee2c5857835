"""Swap: another existing image at the same place; with its own content, or with the disk's copied onto it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from holdfast.domainxml.document import parse
from holdfast.errors import Condition, HoldfastError, disks, images
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.devices.list import list_devices
from holdfast.operations.disks.keep_record import disk_record, new_record, record_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.disks.swap import swap_disk
from holdfast.operations.domain.adopt import adopt_domain
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.disks.moves import (
    SIZE,
    content,
    definitions,
    disk,
    images_of_vda,
    in_the_middle,
    moving_domain,
    read_back,
    records,
    without_image_of_vda,
)
from tests.libvirt.disks.network_storage import iscsi_target, nbd_server
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, place, places
from tests.libvirt.images import create_image
from tests.raising import raising

Server = Callable[[Path], AbstractContextManager[str]]


@pytest.fixture
def shut_off(connection: Connection, tmp_path: Path) -> Domain:
    """A domain that is shut off, with vda to be swapped and vdb beside it."""
    return moving_domain(connection, tmp_path, start=False)


@pytest.fixture(params=[True, False], ids=["running", "shut off"])
def domain(request: pytest.FixtureRequest, connection: Connection, tmp_path: Path) -> Domain:
    """The same, running or shut off."""
    return moving_domain(connection, tmp_path, start=request.param)


def other(folder: Path, format: str = "raw", size: int = SIZE) -> DiskSpec:
    """An image full of something else, and how it is said."""
    path = folder / "other.img"
    create_image(str(path), format, size)
    subprocess.run(["qemu-io", "-f", format, "-c", f"write -P 0xaa 0 {size}", path], check=True, capture_output=True)
    return DiskSpec(path=str(path), format=format)


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_guest_finds_the_other_image_at_the_same_place(
    uri: str, connection: Connection, shut_off: Domain, tmp_path: Path, format: str
) -> None:
    image = other(tmp_path, format)
    before, address = without_image_of_vda(shut_off), places(shut_off, CONFIG)["vda"]
    words = f"{image.path},format={format}"
    assert "nothing was changed" in done(uri, "disk", "swap", "a", "vda", words, "--dry-run")
    assert images_of_vda(shut_off) == {(f"{tmp_path}/one.img", "raw")}
    said = json.loads(done(uri, "disk", "swap", "a", "vda", words, "-o", "json"))
    assert (said["before"], said["after"], said["copied"]) == (f"{tmp_path}/one.img", image.path, False)
    assert images_of_vda(shut_off) == {(image.path, format)}
    assert without_image_of_vda(shut_off) == before
    assert (tmp_path / "one.img").read_bytes() == content()
    shut_off.start(paused=True)
    assert place(shut_off, "vda") == address
    assert swap_disk(connection, "a", "vda", image).before == image.path, "repeating it has nothing to do"


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_copied_content_is_all_that_the_other_image_holds(
    uri: str, domain: Domain, tmp_path: Path, format: str
) -> None:
    image, before = other(tmp_path, format), without_image_of_vda(domain)
    done(uri, "disk", "swap", "a", "vda", f"{image.path},format={format}", "--copy-content")
    assert images_of_vda(domain) == {(image.path, format)}
    assert read_back(tmp_path / "other.img", format) == content() == (tmp_path / "one.img").read_bytes()
    assert without_image_of_vda(domain) == before
    assert records(domain) == set()


def test_running_guest_is_not_given_another_content(uri: str, connection: Connection, tmp_path: Path) -> None:
    domain = moving_domain(connection, tmp_path, start=True)
    result = run(uri, "disk", "swap", "a", "vda", f"{other(tmp_path).path},format=raw")
    assert result.exit_code == 3
    assert "would change under the running guest" in result.stderr and "--copy-content" in result.stderr
    assert images_of_vda(domain) == {(f"{tmp_path}/one.img", "raw")}


def test_stock_update_gives_a_running_domain_another_image_at_the_next_start(
    connection: Connection, tmp_path: Path
) -> None:
    """libvirt takes it for config without a word; disk list tells what then waits."""
    domain = moving_domain(connection, tmp_path, start=True)
    changed = domain.xml(CONFIG).partition("<disk ")[2].partition("</disk>")[0].replace("one.img", "other.img")
    domain.update(f"<disk {changed}</disk>", CONFIG)
    waits = {device.label: device.waits for device in list_devices(connection, "a", "disk")}
    assert waits == {"vda": f"has {tmp_path}/other.img at the next start", "vdb": None}


@pytest.mark.parametrize("size", [SIZE // 2, SIZE * 2])
def test_another_size_is_what_the_guest_would_see(
    uri: str, connection: Connection, shut_off: Domain, tmp_path: Path, size: int
) -> None:
    image = other(tmp_path, size=size)
    command = ["disk", "swap", "a", "vda", f"{image.path},format=raw"]
    result = run(uri, *command)
    assert result.exit_code == 3
    assert f"disk vda: size is {size >> 20} MiB, was 4 MiB" in result.stderr
    assert f"size is {size >> 20} MiB" in done(uri, *command, "--dry-run")
    for option in ("--accept", "--dry-run"):
        assert run(uri, *command, "--copy-content", option).exit_code == 3, "all of the content, and no more"
    assert images_of_vda(shut_off) == {(f"{tmp_path}/one.img", "raw")}
    assert f"size is {size >> 20} MiB" in done(uri, *command, "--accept")
    assert images_of_vda(shut_off) == {(image.path, "raw")}


def test_stock_copy_onto_a_larger_image_fails_in_the_middle(connection: Connection, tmp_path: Path) -> None:
    domain, image = moving_domain(connection, tmp_path, start=True), other(tmp_path, size=2 * SIZE)
    block.start_block_copy(domain, "vda", disk_xml(tmp_path, "x").replace("x.img", "other.img"))
    while block.copy_progress(domain, "vda") is not None:
        pass
    assert parse(domain.xml(LIVE)).find("devices/disk/mirror") is None
    with raising(disks.OTHER_SIZE, target="vda", size="8 MiB", wanted="4 MiB"):
        swap_disk(connection, "a", "vda", image, copy_content=True)


@pytest.mark.parametrize("server", [nbd_server, iscsi_target])
def test_content_goes_to_a_server_on_the_network_and_on_from_there(
    connection: Connection, domain: Domain, tmp_path: Path, server: Server
) -> None:
    path = Path(other(tmp_path).path or "")
    with server(path) as url:
        assert swap_disk(connection, "a", "vda", DiskSpec(source=url), copy_content=True).after == url
        assert images_of_vda(domain) == {(url, "raw")}
        assert path.read_bytes() == content()
        back = tmp_path / "back.img"
        create_image(str(back), "raw", SIZE)
        swap_disk(connection, "a", "vda", DiskSpec(path=str(back), format="raw"), copy_content=True)
        assert images_of_vda(domain) == {(str(back), "raw")}
    assert back.read_bytes() == content()


def test_record_keeps_the_role_and_has_the_id_of_the_new_volume(
    uri: str, connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    adopt_domain(connection, "a")
    for which in definitions(domain):
        record = new_record(disk(domain, which), role="root", image="/base", id="old", delete="yes")
        record_disk(looking(connection, domain.uuid), record, [which])
    done(uri, "disk", "swap", "a", "vda", f"{other(tmp_path).path},format=raw,id=new", "--copy-content")
    for which in definitions(domain):
        found = disk_record(parse(domain.xml(which)), disk(domain, which))
        assert found == new_record(disk(domain, which), role="root", image="/base", id="new")


def test_interrupted_copy_leaves_the_disk_where_it_was(connection: Connection, tmp_path: Path) -> None:
    domain, image = moving_domain(connection, tmp_path, start=True), other(tmp_path)
    with raising(disks.SWITCHED_OFF_WHILE_COPIED, image=tmp_path / "one.img"):
        swap_disk(connection, "a", "vda", image, copy_content=True, progress=in_the_middle(domain.destroy))
    assert images_of_vda(domain) == {(f"{tmp_path}/one.img", "raw")}
    assert (tmp_path / "other.img").exists(), "it is not ours to remove"
    domain.start(paused=True)
    wanted = disk_xml(tmp_path, "x").replace("x.img", "other.img")
    block.start_block_copy(domain, "vda", wanted)
    swap_disk(connection, "a", "vda", image, copy_content=True)
    assert images_of_vda(domain) == {(image.path, "raw")}, "repeating goes on where another command had stopped"


@pytest.mark.parametrize(
    ("spec", "condition"),
    [
        (DiskSpec(path="/nosuch", format="raw"), images.NO_IMAGE),
        (DiskSpec(size=SIZE), disks.NOT_AN_EXISTING_IMAGE),
        (DiskSpec(device="cdrom"), disks.NOT_AN_EXISTING_IMAGE),
    ],
)
def test_what_cannot_be_swapped_in_is_refused(
    connection: Connection, domain: Domain, spec: DiskSpec, condition: Condition[HoldfastError]
) -> None:
    before = images_of_vda(domain), without_image_of_vda(domain)
    with raising(condition):
        swap_disk(connection, "a", "vda", spec, copy_content=True)
    assert (images_of_vda(domain), without_image_of_vda(domain)) == before


def test_image_in_use_or_of_another_format_is_refused(connection: Connection, shut_off: Domain, tmp_path: Path) -> None:
    other(tmp_path)
    connection.define(domain_xml("b", extra=disk_xml(tmp_path, "x", "vda").replace("x.img", "other.img")))
    with raising(images.IN_USE, user="b"):
        swap_disk(connection, "a", "vda", DiskSpec(path=str(tmp_path / "other.img"), format="raw"))
    with raising(images.IN_USE, user="a"):
        swap_disk(connection, "a", "vda", DiskSpec(path=str(tmp_path / "two.img"), format="raw"))
    create_image(str(tmp_path / "q"), "qcow2", SIZE)
    with raising(images.NOT_RAW, found="qcow2"):
        swap_disk(connection, "a", "vda", DiskSpec(path=str(tmp_path / "q"), format="raw"))
    assert images_of_vda(shut_off) == {(f"{tmp_path}/one.img", "raw")}


def test_read_only_connection_copies_nothing(uri: str, domain: Domain, tmp_path: Path) -> None:
    image = other(tmp_path)
    result = run(uri, "-r", "disk", "swap", "a", "vda", f"{image.path},format=raw", "--copy-content")
    assert (result.exit_code, "read-only" in result.stderr) == (1, True)
    assert (tmp_path / "other.img").read_bytes() == b"\xaa" * SIZE
    assert images_of_vda(domain) == {(f"{tmp_path}/one.img", "raw")}
