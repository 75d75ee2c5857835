"""Images in storage pools, and networks: what only a libvirtd has."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
import libvirt
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.disk import host_path
from holdfast.errors import Condition, HoldfastError
from holdfast.errors.files import NAME_TOO_LONG
from holdfast.errors.hosts import FIRMWARE_ELSEWHERE, NO_NETWORK, NO_POOL, POOL_NOT_ACTIVE
from holdfast.errors.images import (
    IMAGE_TOO_LARGE,
    MADE_ON_ITS_HOST,
    NO_IMAGE,
    NO_PLACE_FOR_IMAGE,
    NO_VOLUME,
    SEED_MADE_ON_ITS_HOST,
    VOLUME_EXISTS,
    VOLUME_OF_ANOTHER_FORMAT,
)
from holdfast.errors.libvirt import REFUSED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.make import Created
from holdfast.operations.domain.spec import DomainSpec
from tests.raising import raising

MIB = 1024 * 1024


def test_an_upload_says_how_far_it_is(host: Connection, pool: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = bytes(range(256)) * 12346
    spec = cloud_disk(tmp_path_factory.mktemp("home") / "cloud.raw", content)
    said: list[tuple[int, int]] = []
    operations.create_domain(host, "a", spec, progress=lambda *each: said.append(each))
    assert (pool / "a-vda.raw").read_bytes() == content
    assert said == sorted(said)
    assert said[-1] == (len(content), len(content))


def test_an_upload_that_is_interrupted_leaves_nothing(
    host: Connection, pool: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def interrupt(_done: int, _size: int) -> None:
        raise KeyboardInterrupt

    spec = cloud_disk(tmp_path_factory.mktemp("home") / "cloud.raw", bytes(3 * MIB))
    with pytest.raises(KeyboardInterrupt):
        operations.create_domain(host, "a", spec, progress=interrupt)
    assert not host.domains()
    assert not list(pool.iterdir())


def cloud_disk(path: Path, content: bytes) -> DomainSpec:
    """A domain whose disk is made of a raw image that no pool has."""
    path.write_bytes(content)
    return DomainSpec(memory=128 * MIB, disks=(DiskSpec(copy_from=str(path), source_format="raw", pool="default"),))


@pytest.fixture
def host(daemon_uri: str) -> Iterator[Connection]:
    """The private libvirtd without domains."""
    with holdfast.connect(daemon_uri) as connection:
        yield connection
        for domain in connection.domains():
            if domain.is_active():
                domain.destroy()
            domain.undefine()


@pytest.fixture
def pool(host: Connection, daemon_uri: str, tmp_path: Path) -> Iterator[Path]:
    """The folder of the active pool "default"."""
    raw = libvirt.open(daemon_uri)
    made = raw.storagePoolCreateXML(
        f"<pool type='dir'><name>default</name><target><path>{tmp_path}</path></target></pool>"
    )
    yield tmp_path
    made.destroy()
    raw.close()


def create(host: Connection, *disks: DiskSpec, name: str = "a", start: bool = False, dry_run: bool = False) -> Created:
    return operations.create_domain(host, name, DomainSpec(memory=64 * MIB, disks=disks), start=start, dry_run=dry_run)


def paths(created: Created) -> list[str | None]:
    return [host_path(disk) for disk in parse(created.document).iterfind("devices/disk")]


def test_new_image_without_a_place_goes_to_the_default_pool(host: Connection, pool: Path) -> None:
    would = create(host, DiskSpec(size=MIB), dry_run=True)
    assert not list(pool.iterdir())
    made = create(host, DiskSpec(size=MIB), DiskSpec(size=MIB, format="raw"), start=True)
    assert made.images == ("default/a-vda.qcow2", "default/a-vdb.raw")
    assert paths(made) == [str(pool / "a-vda.qcow2"), str(pool / "a-vdb.raw")]
    assert paths(would) == paths(made)[:1]


@pytest.mark.parametrize("place", ["pool", "path"])
def test_new_qcow2_image_is_of_the_version_that_qemu_makes_today(host: Connection, pool: Path, place: str) -> None:
    where = {"pool": "default", "volume": "new"} if place == "pool" else {"path": str(pool / "new")}
    create(host, DiskSpec(size=MIB, **where))  # type: ignore[arg-type]
    found = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", pool / "new"]))
    assert found["format-specific"]["data"]["compat"] == "1.1"


def test_longest_name_has_room_for_all_its_files(host: Connection, pool: Path) -> None:
    name = "n" * 240
    spec = DomainSpec(memory=64 * MIB, disks=(DiskSpec(size=MIB),), firmware="uefi")
    made = operations.create_domain(host, name, spec, start=True)
    assert made.images == (f"default/{name}-vda.qcow2",)


@pytest.mark.parametrize(
    ("disk", "condition"),
    [
        (DiskSpec(size=99999 << 40), IMAGE_TOO_LARGE),
        (DiskSpec(size=MIB, pool="default", volume="n" * 256), NAME_TOO_LONG),
    ],
)
def test_volume_that_no_pool_can_have_is_refused_before_it_is_made(
    host: Connection, pool: Path, disk: DiskSpec, condition: Condition[HoldfastError]
) -> None:
    for dry_run in (True, False):
        with raising(condition):
            create(host, disk, dry_run=dry_run)
    assert not list(pool.iterdir())


def test_volume_can_be_copied_and_overlaid(host: Connection, pool: Path) -> None:
    create(host, DiskSpec(size=MIB, pool="default", volume="base"), name="base")
    host.find_domain("base").undefine()
    base = str(pool / "base")
    made = create(
        host,
        DiskSpec(pool="default", volume="copy", copy_from=base, source_format="qcow2"),
        DiskSpec(pool="default", volume="over", overlay_of=base, source_format="qcow2"),
        DiskSpec(pool="default", volume="grown", overlay_of=base, source_format="qcow2", size=3 * MIB),
        start=True,
    )
    assert paths(made) == [str(pool / name) for name in ("copy", "over", "grown")]
    sizes = subprocess.check_output(["qemu-img", "info", "-U", pool / "grown"], text=True)
    assert "3 MiB" in sizes and "backing file format: qcow2" in sizes


def test_existing_volume_is_named_by_its_path(host: Connection, pool: Path) -> None:
    create(host, DiskSpec(size=MIB, volume="v", pool="default"), name="first")
    host.find_domain("first").undefine()
    made = create(host, DiskSpec(pool="default", volume="v", format="qcow2"), start=True)
    assert paths(made) == [str(pool / "v")] and made.images == ()


def test_volume_of_another_format_is_refused(host: Connection, pool: Path) -> None:
    create(host, DiskSpec(size=MIB, volume="v", pool="default"), name="first")
    host.find_domain("first").undefine()
    with raising(VOLUME_OF_ANOTHER_FORMAT, path="default/v", stated="raw", found="qcow2"):
        create(host, DiskSpec(pool="default", volume="v", format="raw"))
    create(host, DiskSpec(pool="default", volume="v", format="raw", trust_format=True))


def test_volume_that_exists_is_not_made_again(host: Connection, pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(host, DiskSpec(size=MIB, volume="v", pool="default"), name="first")
    before = (pool / "v").read_bytes()
    with raising(VOLUME_EXISTS, volume="v"):
        create(host, DiskSpec(size=MIB, volume="v", pool="default"))
    monkeypatch.setattr("holdfast.operations.disks.new.volume_named", lambda *_: None)  # it came after our look
    with raising(VOLUME_EXISTS, pool="default", volume="v"):
        create(host, DiskSpec(size=MIB, volume="v", pool="default"))
    assert (pool / "v").read_bytes() == before


@pytest.mark.parametrize(
    ("disk", "condition"),
    [
        (DiskSpec(pool="nope", volume="v", format="raw"), NO_POOL),
        (DiskSpec(pool="default", volume="nope", format="raw"), NO_VOLUME),
        (DiskSpec(size=MIB, pool="nope"), NO_POOL),
        (DiskSpec(pool="default", copy_from="/nope", source_format="raw"), NO_IMAGE),
    ],
)
def test_missing_pool_or_volume_is_one_sentence(
    host: Connection, pool: Path, disk: DiskSpec, condition: Condition[HoldfastError]
) -> None:
    with raising(condition):
        create(host, DiskSpec(size=MIB), disk)
    assert not list(pool.iterdir()) and not host.domains()


def test_volume_is_removed_when_the_domain_cannot_be_defined(host: Connection, pool: Path) -> None:
    with raising(REFUSED, reason=re.compile("XML error: target 'vda' duplicated for disk sources '.+' and '.+'")):
        create(host, DiskSpec(size=MIB, target="vda"), DiskSpec(size=MIB, target="vda", pool="default", volume="two"))
    assert not list(pool.iterdir()) and not host.domains()


def test_without_a_pool_the_place_must_be_said(host: Connection) -> None:
    with raising(NO_PLACE_FOR_IMAGE):
        create(host, DiskSpec(size=MIB))


def test_network_that_does_not_exist_is_not_found(host: Connection) -> None:
    spec = DomainSpec(memory=64 * MIB, interfaces=(InterfaceSpec(source="nope"),))
    with raising(NO_NETWORK, network="nope"):
        operations.create_domain(host, "a", spec)
    assert not host.domains()


def test_pool_that_is_not_active_is_said(host: Connection, daemon_uri: str, tmp_path: Path) -> None:
    raw = libvirt.open(daemon_uri)
    defined = raw.storagePoolDefineXML(
        f"<pool type='dir'><name>idle</name><target><path>{tmp_path}</path></target></pool>"
    )
    try:
        with raising(POOL_NOT_ACTIVE, pool="idle"):
            create(host, DiskSpec(size=MIB, pool="idle"))
    finally:
        defined.undefine()
        raw.close()


@pytest.fixture
def remote(host: Connection, remote_uri: str) -> Iterator[Connection]:
    """The same libvirtd over a URI that names another host."""
    with holdfast.connect(remote_uri) as connection:
        yield connection


def test_remote_host_makes_images_in_its_pools(remote: Connection, pool: Path) -> None:
    made = create(remote, DiskSpec(size=MIB), DiskSpec(path="/there/x.raw", format="raw"))
    assert paths(made) == [str(pool / "a-vda.qcow2"), "/there/x.raw"]


@pytest.mark.parametrize(
    ("spec", "condition"),
    [
        ({"disks": (DiskSpec(size=MIB, path="/x"),)}, MADE_ON_ITS_HOST),
        ({"firmware": "uefi"}, FIRMWARE_ELSEWHERE),
        ({"user_data": "/x"}, SEED_MADE_ON_ITS_HOST),
    ],
)
def test_what_needs_files_of_a_remote_host_is_refused(
    remote: Connection, spec: dict[str, Any], condition: Condition[HoldfastError]
) -> None:
    with raising(condition):
        operations.create_domain(remote, "a", DomainSpec(memory=64 * MIB, **spec))
    assert not remote.domains()
