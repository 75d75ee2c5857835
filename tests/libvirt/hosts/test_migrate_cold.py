"""A domain that is shut off moves to another host: with all that it has, or not at all."""

from __future__ import annotations

import itertools
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.host.volume import folder_pool
from holdfast.domainxml.records.disk_record import unfinished
from holdfast.errors import Condition, HoldfastError
from holdfast.errors.changes import HAS_SNAPSHOTS
from holdfast.errors.disks import IMAGE_MISSING
from holdfast.errors.domains import ARRIVING
from holdfast.errors.files import EXISTS
from holdfast.errors.firmware import STATE_GONE
from holdfast.errors.hosts import (
    ALREADY_THERE,
    CANNOT_BE_THERE,
    FOR_RUNNING_GUEST,
    MOVE_CUT_OFF,
    NO_FOLDER_THERE,
    NOT_MOVED,
    RESTS_ON_OTHER,
    UUID_THERE,
)
from holdfast.errors.libvirt import CONNECTION_LOST
from holdfast.errors.power import MANAGED_SAVE
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.hosts.cold import move_cold
from holdfast.operations.hosts.cold.carried import read_files, write_files
from holdfast_lab.daemon import Host
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.hosts.cold_moves import COPIED, MIB, maps
from tests.libvirt.killed import run_killed
from tests.raising import raising


def put(host: Host, path: str, data: bytes) -> None:
    """Write a file as the host has it, below its /var/lib/libvirt."""
    file = host.folder / "lib" / Path(path).relative_to("/var/lib/libvirt")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def got(host: Host, path: str) -> bytes | None:
    file = host.folder / "lib" / Path(path).relative_to("/var/lib/libvirt")
    return file.read_bytes() if file.exists() else None


@pytest.fixture
def web(source: Connection, host: Host, folder: Path) -> str:
    """A domain with UEFI, a TPM and two images, and something written in each; returns its UUID."""
    disks = (
        DiskSpec(path=str(folder / "a.qcow2"), size=4 * MIB, format="qcow2"),
        DiskSpec(path=str(folder / "b.raw"), size=64 * MIB, format="raw"),
    )
    spec = DomainSpec(memory=64 * MIB, disks=disks, graphics="none", firmware="uefi", tpm=True)
    uuid = operations.create_domain(source, "a", spec).uuid
    with (folder / "b.raw").open("r+b") as image:
        image.seek(5 * MIB)
        image.write(b"data" * 1024)
    operations.start(source, "a", paused=True)  # that makes the variables and the TPM's state
    operations.destroy(source, "a")
    return uuid


def test_a_domain_moves_with_images_variables_and_tpm(
    source: Connection, target: Connection, host: Host, other: Host, web: str, folder: Path
) -> None:
    document = source.find_domain("a").xml(CONFIG, secure=True)
    source.find_domain("a").set_autostart(True)
    nvram, tpm = nvram_of(parse(document)) or "", f"/var/lib/libvirt/swtpm/{web}/tpm2/tpm2-00.permall"
    before = [got(host, path) for path in (nvram, tpm)]
    assert all(before)
    new = maps(folder).paths[str(folder)]
    words = ["migrate", "a", target.uri, "--copy-storage", "--map-path", f"{folder}={new}"]
    assert "would be moved" in done(source.uri, *words, "--dry-run")
    assert not target.domains()
    assert "a: is moved" in done(source.uri, *words)
    assert not source.domains()
    there = target.find_domain("a")
    after = there.xml(CONFIG, secure=True)
    assert not visible(compare(document, after))
    assert f"{new}/a.qcow2" in after and "arriving" not in after
    assert there.autostart()
    for name in ("a.qcow2", "b.raw"):
        assert (folder / name).read_bytes() == Path(new, name).read_bytes()
    takes_holes = not (9, 1, 0) <= target.libvirt_version() < (11, 3, 0)  # 10.0 hangs
    assert (Path(new, "b.raw").stat().st_blocks * 512 < 2 * MIB) == takes_holes
    assert [got(other, path) for path in (nvram, tpm)] == before
    assert got(host, nvram) is None
    assert not (host.folder / "lib/swtpm" / web).exists()
    assert [pool.name() for each in (source, target) for pool in each._handle.listAllStoragePools()] == []
    operations.start(target, "a", paused=True)
    operations.destroy(target, "a")
    with raising(ALREADY_THERE, name="a"):
        operations.migrate_domain(source, "a", target)


@pytest.mark.parametrize("error", [CONNECTION_LOST, EXISTS], ids=["killed", "refused"])
def test_state_that_the_source_has_lost_already_is_not_taken_back(
    source: Connection,
    target: Connection,
    host: Host,
    other: Host,
    web: str,
    folder: Path,
    error: Condition[HoldfastError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """libvirt removes the NVRAM first, and is killed before it undefines the domain."""
    nvram = nvram_of(parse(source.find_domain("a").xml(CONFIG))) or ""
    before = got(host, nvram)

    def dies(*_: object, **__: object) -> None:
        (host.folder / "lib" / Path(nvram).relative_to("/var/lib/libvirt")).unlink()
        raise error(reason="it is killed", path=nvram)

    with monkeypatch.context() as patch:
        patch.setattr(Domain, "undefine", dies)
        with pytest.raises(HoldfastError):
            operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert got(other, nvram) == before
    assert operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED, dry_run=True).dry_run
    assert [domain.name for domain in source.domains()] == ["a"]
    operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert (source.domains(), got(other, nvram)) == ([], before)
    operations.start(target, "a", paused=True)
    operations.destroy(target, "a")


def test_a_half_made_copy_is_never_taken_for_the_domain(
    source: Connection, target: Connection, host: Host, web: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its images are not there yet, and somebody has removed the NVRAM here meanwhile."""

    def dies(*_: object) -> None:
        raise CONNECTION_LOST(reason="it is killed")

    with monkeypatch.context() as patch:
        patch.setattr(move_cold, "carry_image", dies)
        patch.setattr(move_cold, "take_back", lambda *_: None)
        with raising(CONNECTION_LOST, MOVE_CUT_OFF, NOT_MOVED):
            operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert [domain.name for domain in target.domains()] == ["a"]
    nvram = nvram_of(parse(source.find_domain("a").xml(CONFIG))) or ""
    (host.folder / "lib" / Path(nvram).relative_to("/var/lib/libvirt")).unlink()
    with raising(STATE_GONE):
        operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert [domain.name for domain in source.domains()] == ["a"]


def test_a_dry_run_says_what_the_deed_then_does_and_changes_nothing(
    source: Connection, target: Connection, web: str, folder: Path
) -> None:
    document, there = source.find_domain("a").xml(CONFIG), Path(maps(folder).paths[str(folder)])
    would = operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED, dry_run=True)
    with open_connection(source.uri, readonly=True) as reader, open_connection(target.uri, readonly=True) as other:
        read = operations.migrate_domain(reader, "a", other, maps=maps(folder), options=COPIED, dry_run=True)
    assert replace(read, notes=()) == replace(would, notes=())
    assert source.find_domain("a").xml(CONFIG) == document
    assert not target.domains() and not list(there.iterdir())
    assert not any(connection._handle.listAllStoragePools() for connection in (source, target))
    moved = operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert replace(moved, dry_run=True) == would


def test_shared_images_stay_where_they_are(source: Connection, target: Connection, folder: Path) -> None:
    disk = DiskSpec(path=str(folder / "a.qcow2"), size=MIB, format="qcow2")
    operations.create_domain(source, "a", DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none"))
    moved = operations.migrate_domain(source, "a", target)
    assert not moved.live and not moved.copied
    assert not source.domains()
    operations.start(target, "a", paused=True)


def test_a_volume_goes_into_the_pool_of_the_other_host(source: Connection, target: Connection, folder: Path) -> None:
    folders = [folder / name for name in ("here", "there")]
    for each, name, connection in zip(folders, ("old", "new"), (source, target), strict=True):
        each.mkdir()
        pool = f"<pool type='dir'><name>{name}</name><target><path>{each}</path></target></pool>"
        connection._handle.storagePoolCreateXML(pool)
    try:
        (folders[0] / "data.img").write_bytes(b"data" * (1 << 18))
        source._handle.storagePoolLookupByName("old").refresh()
        volume = "<source pool='old' volume='data.img'/><target dev='vda' bus='virtio'/>"
        source.define(domain_xml(extra=f"<disk type='volume'><driver name='qemu' type='raw'/>{volume}</disk>"))
        with raising(CANNOT_BE_THERE):
            operations.migrate_domain(source, "a", target, maps=operations.HostMaps(pools={"old": "new"}))
        words = ["a", target.uri, "--copy-storage", "--map-pool", "old=new"]
        done(source.uri, "plan", "hosts", target.uri, "--copy-storage", "--map-pool", "old=new")
        assert "copied: vda" in done(source.uri, "migrate", *words)
        assert (folders[1] / "data.img").read_bytes() == b"data" * (1 << 18)
        assert "pool='new' volume='data.img'" in target.find_domain("a").xml(CONFIG)
    finally:
        for connection in (source, target):
            for left in connection._handle.listAllStoragePools():
                left.destroy()


def test_what_cannot_move_is_refused_and_nothing_has_changed(
    source: Connection, target: Connection, other: Host, web: str, folder: Path
) -> None:
    document = source.find_domain("a").xml(CONFIG)

    def refused() -> None:
        assert source.find_domain("a").xml(CONFIG) == document
        assert not target.domains()

    with raising(FOR_RUNNING_GUEST, options=["overwrite", "tls"]):
        options = operations.MoveOptions(copy_storage=True, overwrite=True, tls=True)
        operations.migrate_domain(source, "a", target, maps=maps(folder), options=options)
    refused()
    nowhere = operations.HostMaps(paths={str(folder): "/nowhere"})
    with raising(NO_FOLDER_THERE, place="/nowhere/a.qcow2"):
        operations.migrate_domain(source, "a", target, maps=nowhere, options=COPIED)
    refused()
    there = Path(maps(folder).paths[str(folder)])
    (there / "b.raw").write_text("somebody's")
    with raising(EXISTS, CANNOT_BE_THERE):
        operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    refused()
    (there / "b.raw").unlink()
    nvram = nvram_of(parse(document)) or ""
    put(other, nvram, b"somebody's")
    with raising(EXISTS, path=nvram):
        operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    refused()
    assert got(other, nvram) == b"somebody's"
    (other.folder / "lib" / Path(nvram).relative_to("/var/lib/libvirt")).unlink()
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", folder / "base.raw", "4M"], check=True)
    over = ["-b", str(folder / "base.raw"), "-F", "raw", str(folder / "a.qcow2")]
    (folder / "a.qcow2").unlink()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *over], check=True)
    with raising(RESTS_ON_OTHER, target="vda", below=folder / "base.raw"):
        operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    refused()


def test_a_domain_with_snapshots_or_saved_memory_stays(source: Connection, target: Connection, folder: Path) -> None:
    disk = DiskSpec(path=str(folder / "a.qcow2"), size=MIB, format="qcow2")
    operations.create_domain(source, "a", DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none"))
    operations.create_snapshot(source, "a", "s")
    with raising(HAS_SNAPSHOTS):
        operations.migrate_domain(source, "a", target)
    operations.delete_snapshot(source, "a", "s")
    operations.start(source, "a", paused=True)
    operations.save_domain(source, "a")
    with raising(MANAGED_SAVE):
        operations.migrate_domain(source, "a", target)
    assert source.domains() and not target.domains()


def test_a_copy_that_is_arriving_does_not_start_and_a_repeated_move_finishes(
    source: Connection, target: Connection, web: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        os._exit(9)

    for step in ("_leave", "_settle"):
        child = os.fork()
        if not child:
            try:
                monkeypatch.setattr(move_cold, step, killed)
                with open_connection(source.uri) as one, open_connection(target.uri) as two:
                    operations.migrate_domain(one, "a", two, maps=maps(folder), options=COPIED)
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        with raising(ARRIVING, name="a"):
            operations.start(target, "a", paused=True)
        assert any("is not finished" in each for each in unfinished(parse(target.find_domain("a").xml(CONFIG))))
    assert not source.domains()
    with raising(ARRIVING):
        operations.start(target, "a", paused=True)
    before = target.find_domain("a").xml(CONFIG)
    done(target.uri, "start", "a", "--arrived", "--dry-run")
    image, away = folder / "there" / "a.qcow2", folder / "away"
    image.rename(away)
    with raising(IMAGE_MISSING):
        operations.start(target, "a", arrived=True)
    away.rename(image)
    assert target.find_domain("a").xml(CONFIG) == before  # the mark as well: a repeated move can still finish
    done(target.uri, "start", "a", "--paused", "--arrived")
    assert not list(unfinished(parse(target.find_domain("a").xml(CONFIG))))


def starts(connection: Connection) -> bool:
    """True where Holdfast would start the domain "a" there."""
    try:
        operations.start(connection, "a", paused=True, dry_run=True)
    except HoldfastError:
        return False
    return True


def is_arriving(connection: Connection) -> bool:
    """True where the start of the domain "a" there says that it is arriving."""
    try:
        operations.start(connection, "a", paused=True, dry_run=True)
    except HoldfastError as error:
        return error.code == ARRIVING.code
    return False


def test_killed_after_any_step_one_copy_starts_and_a_repeated_move_finishes(
    source: Connection, target: Connection, folder: Path
) -> None:
    there = Path(maps(folder).paths[str(folder)])
    words = ["migrate", "a", target.uri, "--copy-storage", "--map-path", f"{folder}={there}"]
    codes = []
    for step in itertools.count(2, 2):  # right after each change; before the next one nothing is otherwise
        disk = DiskSpec(path=str(folder / f"{step}.raw"), size=MIB, format="raw")
        operations.create_domain(source, "a", DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none"))
        document = source.find_domain("a").xml(CONFIG)
        code = run_killed(step, source.uri, *words)
        assert starts(source) != (starts(target) or (is_arriving(target) and not source.domains())), step
        result = run(source.uri, *words)
        assert result.exit_code in (0, 3), result.output
        codes.append((code, result.exit_code))
        assert not source.domains()
        (domain,) = target.domains()
        after = domain.xml(CONFIG)
        assert not visible(compare(document, after)) and "arriving" not in after, step
        assert (there / f"{step}.raw").read_bytes() == (folder / f"{step}.raw").read_bytes()
        assert sorted(there.iterdir()) == [there / f"{step}.raw"]
        assert not target._handle.listAllStoragePools()
        domain.undefine()
        (there / f"{step}.raw").unlink()
        if code == 0:
            break
    assert codes.count((-9, 0)) >= 5, codes


def test_a_pool_that_a_killed_move_left_over_a_folder_that_is_gone_hinders_nothing(
    target: Connection, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    target._handle.storagePoolCreateXML(folder_pool("holdfast-left", str(folder)))
    folder.rmdir()
    assert read_files(target, str(folder), is_folder=True) == {}
    write_files(target, str(folder), {"state": b"written"}, make_folder=True)
    assert (folder / "state").read_bytes() == b"written"
    assert not target._handle.listAllStoragePools()


def test_a_copy_of_another_move_is_left_alone(source: Connection, target: Connection, web: str, folder: Path) -> None:
    document = source.find_domain("a").xml(CONFIG, secure=True)
    target.define(document)
    with raising(UUID_THERE):
        operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert target.domains() and source.domains()
