"""Which image a disk is given by what mends the host side: the one its document names, or what the user says.

A record that is older than the document has lost: the file that it tells of is an older state of the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import libvirt
from holdfast import connect, operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors import disks, power
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DiskSpec
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.snapshots import create
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.libvirt.images import qcow2
from tests.libvirt.processes import crash
from tests.raising import raising


def pool(daemon: Connection, name: str, folder: Path) -> Any:
    document = f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>"
    return daemon._handle.storagePoolDefineXML(document)


def kept_in_pool(daemon: Connection, folder: Path) -> Domain:
    """An adopted domain whose vda is the volume store/one.qcow2, as is recorded; the pool is active."""
    folder.mkdir()
    pool(daemon, "store", folder).create()
    qcow2(folder, "one")
    daemon._handle.storagePoolLookupByName("store").refresh()
    daemon.define(domain_xml())
    operations.adopt_domain(daemon, "a")
    operations.attach_disk(daemon, "a", DiskSpec(pool="store", volume="one.qcow2", format="qcow2", role="root"))
    (kept,) = facts(parse(daemon.find_domain("a").xml(CONFIG)), DiskRecord)
    assert (kept.volume, kept.path) == ("store/one.qcow2", f"{folder}/one.qcow2")
    return daemon.find_domain("a")


def outside_snapshot(domain: Domain, folder: Path) -> str:
    """An external snapshot as virsh makes it, in ``folder``."""
    overlay = str(folder / "over.qcow2")
    disk = f"<disk name='vda' snapshot='external'><source file='{overlay}'/></disk>"
    document = f"<domainsnapshot><name>theirs</name><disks>{disk}</disks></domainsnapshot>"
    domain._handle.snapshotCreateXML(document, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
    return overlay


def outside_copy(domain: Domain, folder: Path) -> str:
    """A copy onto another file, and a pivot, as virsh makes them; the file has the name of the old one."""
    copy = qcow2(folder, "one")
    xml = f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{copy}'/></disk>"
    block.start_block_copy(domain, "vda", xml)
    wait_until(lambda: "ready='yes'" in domain.xml(LIVE), "the copy is not ready")
    block.pivot(domain, "vda")
    return str(copy)


def own_snapshot_killed(domain: Domain, folder: Path) -> str:
    """A snapshot of ours that was killed before it recorded which volume the disk has now."""

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(create, "follow_images", cut_off)
        with connect(domain_uri(domain)) as connection:
            operations.create_snapshot(connection, "a", "one", external=True, memory=False, folder=str(folder))
    return f"{folder}/a-vda.one.qcow2"


def domain_uri(domain: Domain) -> str:
    return str(domain._handle.connect().getURI())


@pytest.mark.parametrize("go_on", [outside_snapshot, outside_copy, own_snapshot_killed])
def test_recorded_volume_is_not_taken_where_the_document_names_a_newer_image(
    daemon: Connection, tmp_path: Path, go_on: Callable[[Domain, Path], str]
) -> None:
    domain = kept_in_pool(daemon, tmp_path / "pool")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    operations.start(daemon, "a", paused=True)
    newer = go_on(domain, mounted)
    (found,) = [
        finding.sentence
        for report in operations.audit_host(daemon).domains
        for finding in report.findings
        if finding.kind is FindingKind.RECORD
    ]
    assert (
        found == f"vda is recorded as the volume store/one.qcow2 at {tmp_path}/pool/one.qcow2, but its image is {newer}"
    )
    mounted.rename(tmp_path / "not mounted")
    both = (
        f"there is no image {newer}; the volume store/one.qcow2 recorded for it had the path {tmp_path}/pool/one.qcow2"
    )
    below = "" if go_on is outside_copy else f"; it rests on {tmp_path}/pool/one.qcow2"
    why = f"disk vda pci 0000:02:00.0: {both}, so it is not used{below}"
    with raising(disks.IMAGE_MISSING, missing=why):
        operations.reboot(daemon, "a", hard=True)
    crash(domain)
    before = domain.xml(CONFIG)
    (resumed,) = operations.resume_host(daemon)
    assert resumed.error is not None and both in resumed.error.message
    with raising(power.NOT_REPAIRED, why=why):
        operations.repair_domain(daemon, "a")
    assert "--source TARGET=" in run(daemon.uri, "repair", "a").stderr
    assert domain.xml(CONFIG) == before and not domain.is_active()
    (tmp_path / "not mounted").rename(mounted)
    assert operations.repair_domain(daemon, "a").mended == ()
    assert f"{newer}" in domain.xml(LIVE)
    if go_on is not own_snapshot_killed:
        operations.adopt_domain(daemon, "a")
        assert {each.volume for each in facts(parse(domain.xml(CONFIG)), DiskRecord)} == {""}


def test_place_that_is_said_is_taken_with_all_that_it_rests_on_which_is_told(
    daemon: Connection, tmp_path: Path
) -> None:
    """The document names a file that is gone, and the record another one: the user knows."""
    domain = kept_in_pool(daemon, tmp_path / "pool")
    operations.start(daemon, "a", paused=True)
    newer = Path(outside_snapshot(domain, tmp_path))
    domain.destroy()
    moved_to = newer.rename(tmp_path / "saved.qcow2")
    told = operations.repair_domain(daemon, "a", sources={"vda": str(moved_to)}, dry_run=True).mended
    assert told[0].endswith(f"its image is at {moved_to}, which rests on {tmp_path}/pool/one.qcow2")
    assert operations.repair_domain(daemon, "a", sources={"vda": str(moved_to)}).mended == told
    assert domain.is_active() and str(moved_to) in domain.xml(LIVE)
    (kept,) = facts(parse(domain.xml(CONFIG)), DiskRecord)
    assert (kept.volume, kept.path, kept.role) == ("", "", "root")


def test_volume_that_has_moved_is_found_again_after_each_move(daemon: Connection, tmp_path: Path) -> None:
    domain = kept_in_pool(daemon, tmp_path / "pool")
    store = daemon._handle.storagePoolLookupByName("store")
    for folder in (tmp_path / "second", tmp_path / "third"):
        (tmp_path / "pool" if folder.name == "second" else tmp_path / "second").rename(folder)
        store.destroy()
        store.undefine()
        store = pool(daemon, "store", folder)
        assert operations.repair_domain(daemon, "a", start=False).mended[-1].endswith(f"{folder}/one.qcow2")
        (kept,) = facts(parse(domain.xml(CONFIG)), DiskRecord)
        assert (kept.volume, kept.path) == ("store/one.qcow2", f"{folder}/one.qcow2")
