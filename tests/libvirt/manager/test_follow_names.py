"""Disks have the names that their manager addresses them by: with a wrong one it would detach or copy another disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.device import alias as alias_of
from holdfast.domainxml.document import parse, serialize, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors.manager import ANOTHER_BOOT_DISK
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from tests.generated import Edit, add, drop, generated, put, volume
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, places, running
from tests.libvirt.manager.following import config, defined, follow, is_volume, lines, seats
from tests.raising import raising

ONE, TWO, THREE = (f"00000000-0000-4000-8000-{number:012d}" for number in (1, 2, 3))
ALONE = drop("devices/disk[2]")
SWAP = "/var/lib/nova/instances/7f2c6f9a/disk.swap"


def serials(domain: Domain, definition: Definition = CONFIG) -> dict[str | None, str | None]:
    """The volume, or else the image, behind each name."""
    disks = parse(domain.xml(definition)).iterfind("devices/disk")
    return {value_at(disk, "target@dev"): disk.findtext("serial") or source_of(disk) for disk in disks}


def swap(target: str, bus: str = "virtio") -> str:
    return f"<disk type='file'><source file='{SWAP}'/><target dev='{target}' bus='{bus}'/></disk>"


def test_a_volume_that_came_for_another_has_its_name(connection: Connection) -> None:
    """As after a revert to the document from before: the name is that of the volume that went."""
    domain = defined(connection, generated(ALONE, add(volume(1, "vdb"))))
    result = follow(connection, generated(ALONE, add(volume(2, "vdb"))))
    assert (result.attached, result.detached) == (("disk vdb",), ("disk vdb",))
    assert serials(domain)["vdb"] == TWO
    domain.detach(f"<disk><alias name='ua-{TWO}'/><target dev='vdb'/></disk>", CONFIG)
    assert set(serials(domain)) == {"vda", "sda"}


def test_names_are_crossed_and_no_disk_moves(connection: Connection) -> None:
    domain = defined(connection, generated(ALONE, add(volume(2, "vdc")), add(volume(3, "vdb"))))
    operations.adopt_domain(connection, domain.name)
    before, text = seats(domain), lines(domain)
    result = follow(connection, generated(ALONE, add(volume(2, "vdb")), add(volume(3, "vdc"))))
    assert (result.changes, result.attached, result.detached) == ((), (), ())
    assert {"disk vdb is called vdc now", "disk vdc is called vdb now"} <= set(result.host)
    assert (serials(domain)["vdb"], serials(domain)["vdc"]) == (TWO, THREE)
    assert seats(domain) == before
    records = {record.id: record.target for record in facts(config(domain), DiskRecord)}
    assert (records[TWO], records[THREE]) == ("vdb", "vdc")
    assert follow(connection, generated(ALONE, add(volume(2, "vdb")), add(volume(3, "vdc")))).host == ()
    follow(connection, generated(ALONE, add(volume(2, "vdc")), add(volume(3, "vdb"))))
    assert lines(domain) == text


def test_what_runs_has_the_names_from_its_next_start_on_and_disks_are_detached_by_alias(
    connection: Connection, tmp_path: Path
) -> None:
    alias = "<serial>{0}</serial><alias name='ua-{0}'/>"
    named = (ONE, "vda"), (TWO, "vdb"), (THREE, "vdc")
    disks = [disk_xml(tmp_path, uuid, name, alias.format(uuid)) for uuid, name in named]
    domain = running(connection, extra="".join(disks))
    wanted = parse(domain.xml(CONFIG))
    for disk, name in zip(wanted.iterfind("devices/disk"), ("vda", "vdc", "vdb"), strict=True):
        put("target@dev", name)(disk)
    before, live = seats(domain), domain.xml(LIVE)
    operations.follow_document(connection, "a", serialize(wanted), is_own=is_volume)
    assert domain.xml(LIVE) == live
    assert (serials(domain), seats(domain)) == ({"vda": ONE, "vdb": THREE, "vdc": TWO}, before)
    domain.destroy()
    domain.start(paused=True)
    assert serials(domain, LIVE) == {"vda": ONE, "vdb": THREE, "vdc": TWO}
    assert places(domain, LIVE) == places(domain, CONFIG)
    (found,) = [disk for disk in parse(domain.xml(LIVE)).iterfind("devices/disk") if alias_of(disk) == f"ua-{TWO}"]
    assert value_at(found, "target@dev") == "vdc"
    domain.detach(serialize(found), CONFIG)
    assert serials(domain) == {"vda": ONE, "vdb": THREE}


def test_no_name_lets_the_guest_boot_from_another_disk(connection: Connection, tmp_path: Path) -> None:
    """Where kinds of devices are booted, libvirt takes the first disk by name."""
    disks = [disk_xml(tmp_path, name, name) for name in ("vda", "vdb")]
    domain = connection.define(domain_xml(extra="".join(disks)))
    wanted = parse(domain.xml(CONFIG))
    for disk, name in zip(wanted.iterfind("devices/disk"), ("vdb", "vda"), strict=True):
        put("target@dev", name)(disk)
    before = domain.xml(CONFIG)
    with raising(ANOTHER_BOOT_DISK, found=f"{tmp_path}/vdb.img", booted=f"{tmp_path}/vda.img"):
        operations.follow_document(connection, "a", serialize(wanted), is_own=is_volume)
    assert domain.xml(CONFIG) == before
    operations.set_domain(connection, "a", operations.DomainSettings(boot=("vda",)))
    operations.follow_document(connection, "a", serialize(wanted), is_own=is_volume)
    assert value_at(next(config(domain).iterfind("devices/disk/boot/..")), "target@dev") == "vdb"


def test_a_volume_takes_the_name_of_the_swap_disk(connection: Connection) -> None:
    """Also their records: that of the swap disk, which has no alias, is known by the name alone."""
    domain = defined(connection, generated(ALONE, add(swap("vdb")), add(volume(1, "vdc"))))
    operations.adopt_domain(connection, domain.name)
    before, roles = seats(domain), {record.role: record.target for record in facts(config(domain), DiskRecord)}
    assert (roles["swap"], roles["volume"]) == ("vdb", "vdc")
    assert follow(connection, generated(ALONE, add(volume(1, "vdb")), add(swap("vdc")))).changes == ()
    assert (serials(domain)["vdb"], serials(domain)["vdc"]) == (ONE, SWAP)
    roles = {record.role: record.target for record in facts(config(domain), DiskRecord)}
    assert (roles["swap"], roles["volume"]) == ("vdc", "vdb")
    assert seats(domain) == before


def test_a_volume_takes_the_name_of_a_swap_disk_that_goes_with_its_flavor(connection: Connection) -> None:
    domain = defined(connection, generated(ALONE, add(swap("vdb")), add(volume(1, "vdc"))))
    before = seats(domain)
    result = follow(
        connection,
        generated(ALONE, add(volume(1, "vdb")), add(volume(2, "vdc"))),
        old=generated(ALONE, add(swap("vdb")), add(volume(1, "vdc"))),
    )
    assert (result.attached, result.detached) == (("disk vdc",), ("disk vdb",))
    assert (serials(domain)["vdb"], serials(domain)["vdc"], len(serials(domain))) == (ONE, TWO, 4)
    assert {source: place for source, place in seats(domain).items() if source in before}.items() <= before.items()


def test_a_local_disk_gives_its_name_to_a_volume(connection: Connection) -> None:
    """The two have neither name nor image in common, one of them not even a serial."""
    domain = defined(
        connection, generated(ALONE, add(swap("vdb").replace("</disk>", f"<serial>{THREE}</serial></disk>")))
    )
    follow(connection, generated(ALONE, add(f"{volume(1, 'vdb')}".replace(f"<serial>{ONE}</serial>", ""))))
    assert (len(serials(domain)), serials(domain)["vdb"]) == (3, f"rbd:volumes/volume-{ONE}")


OWN = "<disk type='file'><source file='/srv/own.img'/><target dev='vdc' bus='virtio'/></disk>"


def test_the_disk_of_an_operator_gives_way_where_the_manager_uses_its_name(connection: Connection) -> None:
    domain = defined(connection)
    domain.attach(OWN, CONFIG)
    before = seats(domain)
    result = follow(connection, generated(add(volume(1, "vdc"))))
    assert result.attached == ("disk vdc",)
    assert "disk vdc is called vdd now" in result.host
    assert (serials(domain)["vdc"], serials(domain)["vdd"]) == (ONE, "/srv/own.img")
    assert seats(domain)["/srv/own.img"] == before["/srv/own.img"]


def test_the_disk_of_an_operator_keeps_a_name_that_nobody_else_wants(connection: Connection) -> None:
    domain = defined(connection)
    domain.attach(OWN, CONFIG)
    follow(connection, generated(put("devices/disk[2]/target@dev", "vdd")))
    assert serials(domain)["vdc"] == "/srv/own.img"
    assert serials(domain)["vdd"] is not None


CONFIG_DRIVE = "devices/disk[@device='cdrom']/target@dev"
SCSI = add("<controller type='scsi' index='0' model='virtio-scsi'/>")


@pytest.mark.parametrize(("bus", "more"), [("sata", []), ("scsi", [SCSI])])
def test_where_the_name_would_decide_the_place_a_new_disk_gets_a_free_one(
    connection: Connection, bus: str, more: list[Edit]
) -> None:
    """The config drive is called sdb now and sits where sda would; the volume is called sda."""
    drive = [put("devices/disk[3]/target@bus", bus), *more]
    domain = defined(connection, generated(*drive))
    before = seats(domain)
    result = follow(connection, generated(*drive, put(CONFIG_DRIVE, "sdb"), add(volume(1, "sda", bus))))
    assert result.attached == ("disk sda",)
    after = seats(domain)
    assert {source: after[source] for source in before} == before
    disks = [source for source in after if "/" in source]
    assert len({after[source] for source in disks}) == len(disks) == 4
    assert follow(connection, generated(*drive, put(CONFIG_DRIVE, "sdb"), add(volume(1, "sda", bus)))).host == ()


def test_a_name_of_another_bus_is_followed_too(connection: Connection) -> None:
    """The bus is hardware and stays what it is; the name is what the manager asks for."""
    domain = defined(connection)
    before = seats(domain)
    put_bus = [put("devices/disk[2]/target@bus", "scsi"), put("devices/disk[2]/target@dev", "sdc"), SCSI]
    follow(connection, generated(*put_bus))
    assert "sdc" in serials(domain)
    assert seats(domain) == before
