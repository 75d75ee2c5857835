"""Images in storage pools, and networks: what only a libvirtd has."""

from __future__ import annotations

import json
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
from holdfast.errors import Failed, LibvirtRefused, NotFound, Refused, UsageError
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.make import Created
from holdfast.operations.domain.spec import DomainSpec

MIB = 1024 * 1024


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
    ("disk", "sentence"),
    [
        (DiskSpec(size=99999 << 40), "too large for qcow2"),
        (DiskSpec(size=MIB, pool="default", volume="n" * 256), "is too long: 256 bytes"),
    ],
)
def test_volume_that_no_pool_can_have_is_refused_before_it_is_made(
    host: Connection, pool: Path, disk: DiskSpec, sentence: str
) -> None:
    for dry_run in (True, False):
        with pytest.raises(UsageError, match=sentence):
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
    with pytest.raises(Refused, match="default/v was said to be raw, but libvirt takes it for qcow2"):
        create(host, DiskSpec(pool="default", volume="v", format="raw"))
    create(host, DiskSpec(pool="default", volume="v", format="raw", trust_format=True))


def test_volume_that_exists_is_not_made_again(host: Connection, pool: Path) -> None:
    create(host, DiskSpec(size=MIB, volume="v", pool="default"), name="first")
    before = (pool / "v").read_bytes()
    with pytest.raises(Refused, match="has a volume 'v' already"):
        create(host, DiskSpec(size=MIB, volume="v", pool="default"))
    assert (pool / "v").read_bytes() == before


@pytest.mark.parametrize(
    ("disk", "error", "sentence"),
    [
        (DiskSpec(pool="nope", volume="v", format="raw"), NotFound, "there is no storage pool 'nope'"),
        (DiskSpec(pool="default", volume="nope", format="raw"), NotFound, "no volume 'nope' in the pool 'default'"),
        (DiskSpec(size=MIB, pool="nope"), NotFound, "there is no storage pool 'nope'"),
        (DiskSpec(pool="default", copy_from="/nope", source_format="raw"), NotFound, "no image /nope"),
    ],
)
def test_missing_pool_or_volume_is_one_sentence(
    host: Connection, pool: Path, disk: DiskSpec, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        create(host, DiskSpec(size=MIB), disk)
    assert not list(pool.iterdir()) and not host.domains()


def test_volume_is_removed_when_the_domain_cannot_be_defined(host: Connection, pool: Path) -> None:
    with pytest.raises(LibvirtRefused, match="duplicated"):
        create(host, DiskSpec(size=MIB, target="vda"), DiskSpec(size=MIB, target="vda", pool="default", volume="two"))
    assert not list(pool.iterdir()) and not host.domains()


def test_without_a_pool_the_place_must_be_said(host: Connection) -> None:
    with pytest.raises(Exception, match="not said where the new image is to be"):
        create(host, DiskSpec(size=MIB))


def test_network_that_does_not_exist_is_not_found(host: Connection) -> None:
    spec = DomainSpec(memory=64 * MIB, interfaces=(InterfaceSpec(source="nope"),))
    with pytest.raises(NotFound, match="there is no network 'nope'"):
        operations.create_domain(host, "a", spec)
    assert not host.domains()


def test_pool_that_is_not_active_is_said(host: Connection, daemon_uri: str, tmp_path: Path) -> None:
    raw = libvirt.open(daemon_uri)
    defined = raw.storagePoolDefineXML(
        f"<pool type='dir'><name>idle</name><target><path>{tmp_path}</path></target></pool>"
    )
    try:
        with pytest.raises(Failed, match="the storage pool 'idle' is not active"):
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
    ("spec", "sentence"),
    [
        ({"disks": (DiskSpec(size=MIB, path="/x"),)}, "only on libvirt's own host"),
        ({"firmware": "uefi"}, "can be read only there"),
        ({"user_data": "/x"}, "only on libvirt's own host"),
    ],
)
def test_what_needs_files_of_a_remote_host_is_refused(remote: Connection, spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        operations.create_domain(remote, "a", DomainSpec(memory=64 * MIB, **spec))
    assert not remote.domains()
