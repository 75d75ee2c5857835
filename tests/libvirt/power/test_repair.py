"""Repair: what the host provides is mended, the hardware stays to the byte, and what cannot be mended is named."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from errno import EACCES
from pathlib import Path
from typing import Any

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import canonical, devices, parse
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors import LibvirtRefused, disks, power
from holdfast.errors import libvirt as libvirt_errors
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.asked_of_libvirt import Answer
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.raising import raising

NETWORK = "<network><name>quiet</name><bridge name='hf-quiet'/></network>"
NIC = (
    "<interface type='network'><mac address='52:54:00:00:00:09'/><source network='quiet'/><model type='virtio'/>"
    "</interface>"
)
SECRET = "7c5a1b5e-0000-4000-8000-000000000001"
RBD = (
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/><auth username='u'>"
    f"<secret type='ceph' uuid='{SECRET}'/></auth><source protocol='rbd' name='p/i'><host name='127.0.0.1'/></source>"
    "<target dev='vdr' bus='virtio'/></disk>"
)


def pool(daemon: Connection, name: str, folder: Path) -> Any:
    folder.mkdir(exist_ok=True)
    document = f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>"
    return daemon._handle.storagePoolDefineXML(document)


def moved(folder: Path, place: Path) -> None:
    """Move every image in ``folder`` to ``place``."""
    place.mkdir(exist_ok=True)
    for file in folder.glob("*.img"):
        file.rename(place / file.name)


def others(domain: Domain, target: str) -> list[bytes]:
    """Every device of config but the disk ``target``."""
    config = parse(domain.xml(CONFIG))
    return [canonical(each) for each in devices(config) if f'dev="{target}"' not in canonical(each).decode()]


def test_networks_and_pools_are_started_and_then_the_domain(daemon: Connection, tmp_path: Path) -> None:
    daemon._handle.networkDefineXML(NETWORK)
    pool(daemon, "store", tmp_path / "store")
    image(tmp_path / "store", "vol")
    volume = "<disk type='volume'><source pool='store' volume='vol.img'/><target dev='vda' bus='virtio'/></disk>"
    domain = daemon.define(domain_xml(extra=NIC + volume))
    with pytest.raises(LibvirtRefused):
        operations.start(daemon, "a")
    document = domain.xml(CONFIG)
    planned = operations.repair_domain(daemon, "a", dry_run=True)
    assert planned.mended == ("start the network 'quiet'", "start the storage pool 'store'")
    assert not daemon._handle.networkLookupByName("quiet").isActive()
    assert done(daemon.uri, "repair", "a").splitlines() == [
        "a: mended: start the network 'quiet'",
        "a: mended: start the storage pool 'store'",
        "a: started",
    ]
    assert domain.is_active()
    assert domain.xml(CONFIG) == document
    assert done(daemon.uri, "repair", "a") == "a: nothing was found to mend\n"


def test_moved_image_is_found_by_the_volume_that_is_recorded(daemon: Connection, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    domain = daemon.define(domain_xml(extra=disk_xml(old, "one", "vda") + disk_xml(old, "two", "vdb")))
    operations.adopt_domain(daemon, "a")
    (kept,) = [each for each in facts(parse(domain.xml(CONFIG)), DiskRecord) if each.target == "vdb"]
    record_fact(looking(daemon, domain.uuid), replace(kept, volume="store/two.img", path=f"{old}/two.img"))
    (old / "two.img").rename(tmp_path / "two.img")
    new.mkdir()
    (tmp_path / "two.img").rename(new / "two.img")
    pool(daemon, "store", new)
    before, rest = domain.xml(CONFIG), others(domain, "vdb")
    repaired = operations.repair_domain(daemon, "a")
    assert repaired.mended[0] == "start the storage pool 'store'"
    assert repaired.mended[1].endswith(f"its image is at {new}/two.img")
    assert repaired.started
    after = domain.xml(CONFIG)
    assert f"{new}/two.img" in after
    assert visible(compare(before, after)) == []
    assert others(domain, "vdb") == rest
    assert visible(compare(domain.xml(LIVE), after)) == []


def test_image_is_at_a_place_that_is_said_whatever_its_kind(daemon: Connection, tmp_path: Path) -> None:
    domain = daemon.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda", "<serial>S1</serial>")))
    elsewhere = tmp_path / "elsewhere"
    moved(tmp_path, elsewhere)
    before = domain.xml(CONFIG)
    with raising(power.NOT_REPAIRED, why=f"disk vda pci 0000:01:00.0: there is no image {tmp_path}/one.img"):
        operations.repair_domain(daemon, "a")
    assert domain.xml(CONFIG) == before
    source = f"vda={elsewhere}/one.img"
    assert "its image is at" in done(daemon.uri, "repair", "a", "--source", source, "--dry-run")
    assert domain.xml(CONFIG) == before
    done(daemon.uri, "repair", "a", "--source", source, "--no-start")
    assert not domain.is_active()
    assert domain.xml(CONFIG) == before.replace(f"{tmp_path}/one.img", f"{elsewhere}/one.img")
    pool(daemon, "store", elsewhere).create()
    operations.repair_domain(daemon, "a", sources={"vda": "store/one.img"})
    image(elsewhere, "other")
    daemon._handle.storagePoolLookupByName("store").refresh()
    for other in (f"{elsewhere}/other.img", "store/other.img", "nbd://localhost/other"):
        with raising(power.IMAGE_IN_PLACE):
            operations.repair_domain(daemon, "a", sources={"vda": other})
    (elsewhere / "other.img").unlink()
    (elsewhere / "one.img").unlink()
    with raising(disks.NO_DISK, target="vdx"):
        operations.repair_domain(daemon, "a", sources={"vdx": "/x"})
    why = "disk vda pci 0000:01:00.0: its image is at /nowhere: there is no image /nowhere"
    with raising(power.NOT_REPAIRED, why=why):
        operations.repair_domain(daemon, "a", sources={"vda": "/nowhere"})


def test_image_that_this_user_may_not_look_at_is_not_said_to_be_missing(
    daemon: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    look = os.stat

    def denied(path: Any, **how: Any) -> os.stat_result:
        if str(path).startswith(str(tmp_path)):
            raise PermissionError(EACCES, os.strerror(EACCES))
        return look(path, **how)

    monkeypatch.setattr(os, "stat", denied)
    assert operations.repair_domain(daemon, "a", dry_run=True).mended == ()


def test_image_of_another_format_is_not_taken(daemon: Connection, tmp_path: Path) -> None:
    domain = daemon.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    (tmp_path / "one.img").unlink()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(tmp_path / "new"), "1M"], check=True)
    before = domain.xml(CONFIG)
    new = str(tmp_path / "new")
    why = f"disk vda pci 0000:01:00.0: its image is at {new}: {new} was declared raw, but looks like a qcow2 image"
    planned = operations.repair_domain(daemon, "a", sources={"vda": new}, dry_run=True)
    assert (planned.mended, planned.remains) == ((), (why,))
    with raising(power.NOT_REPAIRED, why=why):
        operations.repair_domain(daemon, "a", sources={"vda": new})
    assert domain.xml(CONFIG) == before


def test_permissions_of_an_image_are_mended(daemon: Connection, tmp_path: Path) -> None:
    cd = "<disk type='file' device='cdrom'><source file='{}'/><target dev='sda' bus='sata'/><readonly/></disk>"
    medium = image(tmp_path, "cd")
    daemon.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda") + cd.format(medium)))
    disk = tmp_path / "one.img"
    disk.chmod(0o444)
    medium.chmod(0o000)
    repaired = operations.repair_domain(daemon, "a")
    assert [sentence.split()[-1] for sentence in repaired.mended] == ["it", "it"]
    assert repaired.started
    assert (disk.stat().st_mode & 0o777, medium.stat().st_mode & 0o777) == (0o644, 0o400)


def test_missing_emulator_is_replaced_by_the_proved_edit(daemon: Connection, tmp_path: Path) -> None:
    qemu, other = Path("/usr/bin/qemu-system-x86_64"), tmp_path / "qemu-kvm"
    other.symlink_to(qemu)
    domain = daemon.define(domain_xml(extra=f"<emulator>{other}</emulator>"))
    before = domain.xml(CONFIG)
    other.unlink()
    planned = operations.repair_domain(daemon, "a", dry_run=True)
    repaired = operations.repair_domain(daemon, "a")
    assert planned.mended == repaired.mended
    assert repaired.mended == (f"use the emulator {qemu} in place of {other}",)
    assert domain.xml(CONFIG) == before.replace(str(other), str(qemu))


def test_what_libvirt_would_not_take_is_foretold(
    daemon: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    moved(tmp_path, tmp_path / "new")
    place = f"{tmp_path}/new/one.img"
    asked = []

    def ask(*given: object) -> Answer:
        asked.append(given)
        raise libvirt_errors.REFUSED(reason="not this one")

    assert operations.repair_domain(daemon, "a", sources={"vda": place}, dry_run=True).mended
    monkeypatch.setattr("holdfast.operations.power.mend_host_side.ask_of_steps", ask)
    planned = operations.repair_domain(daemon, "a", sources={"vda": place}, dry_run=True)
    assert asked and not planned.mended
    assert any(sentence.endswith("not this one") for sentence in planned.remains)


def test_what_nobody_can_mend_is_named_and_the_domain_is_left_as_it_is(daemon: Connection, tmp_path: Path) -> None:
    daemon._handle.networkDefineXML(NETWORK)
    gone = NIC.replace("quiet", "gone").replace("00:09", "00:0a")
    domain = daemon.define(domain_xml(extra=NIC + gone + disk_xml(tmp_path, "one", "vda") + RBD))
    (tmp_path / "one.img").unlink()
    before = domain.xml(CONFIG)
    result = run(daemon.uri, "repair", "a", "--dry-run", "-o", "json")
    remains = " ".join(json.loads(result.stdout)["remains"])
    for words in ("no network 'gone'", "there is no image", f"disk vdr: the host has no secret {SECRET}"):
        assert words in remains
    why = (
        "there is no network 'gone': define it, or put the interface on another one",
        f"disk vda pci 0000:03:00.0: there is no image {tmp_path}/one.img",
        f"disk vdr: the host has no secret {SECRET}",
    )
    with raising(power.NOT_WHOLLY_REPAIRED, mended="start the network 'quiet'", why="; ".join(why)):
        operations.repair_domain(daemon, "a")
    assert run(daemon.uri, "repair", "a").exit_code == 1, "the second time nothing is left to mend"
    assert domain.xml(CONFIG) == before
    assert not domain.is_active()


def test_hard_reboot_mends_first_and_does_not_switch_off_what_would_not_start(
    daemon: Connection, tmp_path: Path
) -> None:
    network = daemon._handle.networkDefineXML(NETWORK)
    network.create()
    domain = daemon.define(domain_xml(extra=NIC + disk_xml(tmp_path, "one", "vda")))
    domain.start(paused=True)
    first, document = domain.xml(LIVE), domain.xml(CONFIG)
    network.destroy()
    (tmp_path / "one.img").rename(tmp_path / "two.img")
    lacks = f"an image of the domain 'a' is missing: disk vda pci 0000:02:00.0: there is no image {tmp_path}/one.img"
    with raising(CHANGED_AND_THEN, cause=lacks, done="mended: start the network 'quiet'"):
        operations.reboot(daemon, "a", hard=True)
    assert domain.is_active()
    assert parse(domain.xml(LIVE)).get("id") == parse(first).get("id")
    (tmp_path / "two.img").rename(tmp_path / "one.img")
    network.destroy()
    assert "mended: start the network 'quiet'" in done(daemon.uri, "reboot", "a", "--hard")
    assert visible(compare(first, domain.xml(LIVE))) == []
    assert domain.xml(CONFIG) == document


def test_repair_of_what_cannot_be_repaired_is_refused(daemon: Connection) -> None:
    daemon._handle.createXML(domain_xml("transient"), 0)
    assert run(daemon.uri, "repair", "transient").exit_code == 3
    daemon._handle.lookupByName("transient").destroy()
    daemon.define(domain_xml())
    assert run(daemon.uri, "-r", "repair", "a").exit_code == 1
    assert run(daemon.uri, "repair", "nobody").exit_code == 4
    assert run(daemon.uri, "repair", "a", "--source", "vda").exit_code == 2


def test_network_disk_is_found_at_the_new_address_of_its_server(daemon: Connection, tmp_path: Path) -> None:
    image(tmp_path, "one")
    socket = tmp_path / "new.sock"
    stale = (
        "<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/>"
        f"<source protocol='nbd' name='x'><host transport='unix' socket='{tmp_path}/old.sock'/></source>"
        "<target dev='vda' bus='virtio'/><serial>S1</serial></disk>"
    )
    domain = daemon.define(domain_xml(extra=stale))
    before = domain.xml(CONFIG)
    with pytest.raises(LibvirtRefused, match=r"old\.sock"):
        operations.start(daemon, "a")
    server = ["qemu-nbd", "-t", "-f", "raw", "-x", "x", "-k", str(socket), str(tmp_path / "one.img")]
    with subprocess.Popen(server) as process:
        try:
            wait_until(socket.exists, "qemu-nbd does not listen")
            url = f"vda=nbd+unix:///x?socket={socket}"
            assert "a: started" in done(daemon.uri, "repair", "a", "--source", url)
            assert domain.xml(CONFIG) == before.replace("old.sock", "new.sock")
            domain.destroy()
        finally:
            process.terminate()
