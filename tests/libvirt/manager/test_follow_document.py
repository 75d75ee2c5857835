"""A domain follows what its manager generates, on real libvirt: what was asked for and no more, in its old places."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse, serialize, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import Adopted, DiskRecord
from holdfast.domainxml.metadata import fact, facts
from holdfast.errors.domains import IN_RESCUE, NO_DOMAIN, TRANSIENT
from holdfast.errors.manager import ANOTHER_DOMAINS_DOCUMENT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from tests.generated import DATA, INSTANCE, MAC, NAME, VOLUME, add, drop, generated, interface, put, volume
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, places, running
from tests.libvirt.manager.following import config, defined, follow, is_volume, lines, seats
from tests.raising import raising


def test_a_domain_that_was_defined_from_the_same_document_is_left_alone(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = defined(connection)
    before = domain.xml(CONFIG)
    monkeypatch.setattr(Connection, "define", lambda *args: pytest.fail("defined"))
    result = follow(connection, INSTANCE)
    assert (result.changes, result.host, result.attached, result.detached) == ((), (), (), ())
    assert domain.xml(CONFIG) == before


HOST_SIDE = [
    put("devices/disk/source@file", "/srv/nova/7f2c6f9a/disk"),
    put("devices/disk[2]/source/host@name", "10.0.0.12"),
    put("devices/disk[2]/auth/secret@uuid", "6e0be1dd-52ef-46eb-b5d6-65e2be9cb1be"),
    add("<iotune><total_iops_sec>500</total_iops_sec></iotune>", "devices/disk[2]"),
    drop("devices/interface/bandwidth"),
    put("devices/interface@type", "ethernet"),
    drop("devices/interface/source"),
    put("devices/interface/target@dev", "tap0009"),
    put("devices/graphics@listen", "10.0.0.2"),
    put("devices/serial@type", "tcp"),
    add("<source mode='bind' host='10.0.0.2' service='10005'/>", "devices/serial"),
    put("devices/serial/log@file", "/srv/nova/7f2c6f9a/console.log"),
    put("devices/channel/source@path", "/var/lib/libvirt/qemu/agent.sock"),
    put("devices/rng/backend", "/dev/random"),
    put("devices/memballoon/stats@period", "30"),
    put("cputune/shares", "1024"),
    add("<vcpupin vcpu='0' cpuset='0-1'/>", "cputune"),
    put("vcpu@cpuset", "0-1"),
    add("<numatune><memory mode='preferred' nodeset='0'/></numatune>", ""),
    add("<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>", ""),
    add("<iothreads>1</iothreads>", ""),
]


def test_the_host_side_follows_and_the_guest_sees_nothing_of_it(connection: Connection) -> None:
    domain = defined(connection)
    before = domain.xml(CONFIG)
    result = follow(connection, generated(*HOST_SIDE))
    assert result.changes == ()
    assert compare(before, domain.xml(CONFIG)) == []
    now = config(domain)
    disks, net = now.findall("devices/disk"), now.find("devices/interface")
    assert net is not None
    assert source_of(disks[0]) == "/srv/nova/7f2c6f9a/disk"
    assert value_at(disks[1], "source/host@name") == "10.0.0.12"
    assert value_at(disks[1], "auth/secret@uuid") == "6e0be1dd-52ef-46eb-b5d6-65e2be9cb1be"
    assert value_at(disks[1], "iotune/total_iops_sec") == "500"
    assert (net.get("type"), net.find("source"), net.find("bandwidth")) == ("ethernet", None, None)
    assert value_at(net, "target@dev") == "tap0009"
    assert value_at(now, "devices/graphics/listen@address") == "10.0.0.2"
    for port in ("serial", "console"):
        assert value_at(now, f"devices/{port}/source@service") == "10005"
        assert value_at(now, f"devices/{port}/log@file") == "/srv/nova/7f2c6f9a/console.log"
    assert value_at(now, "devices/channel/source@path") == "/var/lib/libvirt/qemu/agent.sock"
    assert value_at(now, "devices/memballoon/stats@period") == "30"
    assert value_at(now, "vcpu@cpuset") == "0-1"
    assert value_at(now, "cputune/vcpupin@cpuset") == "0-1"
    assert value_at(now, "memoryBacking/access@mode") == "shared"
    assert value_at(now, "iothreads") == "1"
    assert "disk vda: source (/srv/nova/7f2c6f9a/disk, was /var/lib/nova/instances/7f2c6f9a/disk)" in result.host


def test_the_host_side_goes_back_to_what_it_was(connection: Connection) -> None:
    domain = defined(connection)
    before = domain.xml(CONFIG)
    follow(connection, generated(*HOST_SIDE))
    assert lines(domain) != sorted(before.splitlines())
    follow(connection, INSTANCE)
    assert lines(domain) == sorted(before.splitlines())  # libvirt 9.0 orders controllers anew
    assert follow(connection, INSTANCE).host == ()


def test_what_was_followed_is_not_followed_again(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = generated(*HOST_SIDE)
    defined(connection)
    follow(connection, wanted)
    monkeypatch.setattr(Connection, "define", lambda *args: pytest.fail("defined"))
    assert follow(connection, wanted).host == ()


def test_a_dry_run_tells_and_changes_nothing(connection: Connection) -> None:
    domain = defined(connection)
    before = domain.xml(CONFIG)
    result = follow(connection, generated(add(volume(1, "vdc")), *HOST_SIDE), dry_run=True)
    assert result.attached == ("disk vdc",)
    assert result.host
    assert domain.xml(CONFIG) == before


def test_devices_that_moved_by_hot_plug_stay_while_the_manager_names_them_anew(connection: Connection) -> None:
    """The volume was attached while it ran: generated anew, it comes before the config drive, and all move."""
    domain = defined(connection, generated(drop("devices/disk[2]")))
    domain.attach(interface(2), CONFIG)
    domain.attach(volume(1, "vdd"), CONFIG)
    domain.attach(volume(2, "vde"), CONFIG)
    before = seats(domain)
    wanted = generated(
        drop("devices/disk[2]"),
        add(volume(2, "vdc", more=""), first=True),
        add(volume(1, "vdb", more=""), first=True),
        add(interface(2), first=True),
    )
    control = connection.define(wanted.replace(NAME, "control").replace("7f2c6f9a-4f0e", "00000000-4f0e"))
    assert seats(control)["fa:16:3e:00:00:02"] != before["fa:16:3e:00:00:02"]
    assert follow(connection, wanted).changes == ()
    assert seats(domain) == before


def test_a_volume_that_is_missing_is_attached_again_and_nothing_moves(connection: Connection) -> None:
    domain = defined(connection, generated(drop("devices/disk[2]")))
    before = places(domain, CONFIG)
    result = follow(connection, INSTANCE)
    assert result.attached == ("disk vdb",)
    assert [str(change) for change in result.changes] == ["disk vdb is added"]
    after = places(domain, CONFIG)
    assert after.pop("vdb") is not None
    assert {name: after[name] for name in before} == before


def test_what_the_manager_took_away_goes_and_what_an_operator_attached_stays(connection: Connection) -> None:
    domain = defined(connection)
    domain.attach(interface(2), CONFIG)
    domain.attach("<disk type='file'><source file='/srv/own.img'/><target dev='vdx' bus='virtio'/></disk>", CONFIG)
    before = places(domain, CONFIG)
    result = follow(connection, generated(drop("devices/disk[2]")))
    assert result.detached == ("disk vdb", "interface fa:16:3e:00:00:02")
    after = places(domain, CONFIG)
    assert before.keys() - after.keys() == {"vdb", "fa:16:3e:00:00:02"}
    assert {name: before[name] for name in after} == after


def test_a_volume_that_took_the_name_of_another_is_another_disk(connection: Connection) -> None:
    domain = defined(connection)
    result = follow(connection, generated(drop("devices/disk[2]"), add(volume(3, "vdb"))))
    assert (result.attached, result.detached) == (("disk vdb",), ("disk vdb",))
    assert VOLUME not in domain.xml(CONFIG)


def test_a_disk_of_an_operator_is_not_taken_for_one_of_the_same_name(connection: Connection) -> None:
    domain = defined(connection)
    domain.attach("<disk type='file'><source file='/srv/own.img'/><target dev='vdc' bus='virtio'/></disk>", CONFIG)
    path = "/var/lib/nova/instances/7f2c6f9a/disk.eph0"
    disk = f"<disk type='file'><source file='{path}'/><target dev='vdc' bus='virtio'/></disk>"
    assert follow(connection, generated(add(disk))).attached == ("disk vdc",)
    assert {"/srv/own.img", path} <= {source_of(each) for each in config(domain).iterfind("devices/disk")}


def test_a_domain_with_all_that_a_manager_knows_is_left_as_it_is(connection: Connection) -> None:
    """Not even what libvirt writes otherwise than the manager does is seen as something else."""
    domain = connection.define((DATA / "realtime-normalised.xml").read_text())
    before = lines(domain)
    wanted = (DATA / "realtime.xml").read_text()
    result = operations.follow_document(connection, domain.name, wanted, is_own=is_volume, old=wanted)
    assert (result.changes, result.attached, result.detached) == ((), (), ())
    assert lines(domain) == before


def test_limits_are_taken_in_the_order_that_libvirt_takes(connection: Connection) -> None:
    domain = defined(connection)
    names = ["read_bytes_sec", "read_iops_sec", "write_bytes_sec", "write_iops_sec"]
    tune = "".join(f"<{name}>5000</{name}>" for name in names)
    follow(connection, generated(add(f"<iotune>{tune}</iotune>", "devices/disk[2]")))
    assert [value_at(config(domain), f"devices/disk/iotune/{name}") for name in names] == [None] * 4
    assert [each.text for each in config(domain).iterfind("devices/disk/iotune/*")] == ["5000"] * 4


def test_on_an_i440fx_new_devices_find_places_behind_a_new_bridge(connection: Connection) -> None:
    machine = [
        put("os/type@machine", "pc-i440fx-7.2"),
        put("devices/disk[3]/target@dev", "hda"),
        put("devices/disk[3]/target@bus", "ide"),
        *[drop("devices/controller[@type='pci']")] * 3,
    ]
    domain = defined(connection, generated(*machine))
    before = places(domain, CONFIG)
    wanted = generated(*machine, *(add(volume(number, "vdc")) for number in range(1, 25)))
    assert len(follow(connection, wanted).attached) == 24
    after = places(domain, CONFIG)
    assert {name: after[name] for name in before} == before
    assert "pci-bridge" in domain.xml(CONFIG)


def test_block_devices_that_changed_their_names_are_the_same_disks(connection: Connection) -> None:
    """After a host boots, what was /dev/sdb may be /dev/sdc: the volume's id tells which disk has which now."""
    with_paths = [
        generated(add(volume(1, "vdc", path=one)), add(volume(2, "vdd", path=other)))
        for one, other in (("/dev/sdc", "/dev/sdd"), ("/dev/sdd", "/dev/sdc"))
    ]
    domain = defined(connection, with_paths[0])
    before = places(domain, CONFIG)
    result = follow(connection, with_paths[1])
    assert (result.changes, result.attached, result.detached) == ((), (), ())
    assert places(domain, CONFIG) == before
    found = {value_at(disk, "serial"): source_of(disk) for disk in config(domain).iterfind("devices/disk")}
    assert found["00000000-0000-4000-8000-000000000001"] == "/dev/sdd"


def test_the_record_of_a_disk_goes_with_it(connection: Connection) -> None:
    domain = defined(connection)
    operations.adopt_domain(connection, NAME)
    follow(connection, generated(drop("devices/disk[2]")))
    assert [record.target for record in facts(config(domain), DiskRecord)] == ["vda", "sda"]


def test_a_scsi_volume_brings_the_controller_that_the_manager_gives_it(connection: Connection) -> None:
    domain = defined(connection)
    before = places(domain, CONFIG)
    scsi = "<controller type='scsi' index='0' model='virtio-scsi'/>"
    address = "<address type='drive' controller='0' unit='0'/>"
    result = follow(connection, generated(add(scsi), add(volume(1, "sda", "scsi", address))))
    assert result.attached == ("disk sdb",)
    controller = config(domain).find("devices/controller[@type='scsi']")
    assert controller is not None
    assert controller.get("model") == "virtio-scsi"
    after = places(domain, CONFIG)
    assert {name: after[name] for name in before} == before


def test_many_new_devices_find_places_behind_all_others(connection: Connection) -> None:
    """Root ports that libvirt adds for them move nothing."""
    domain = defined(connection)
    before = places(domain, CONFIG)
    wanted = generated(*(add(volume(number, "vdc")) for number in range(1, 6)), add(interface(2)))
    assert len(follow(connection, wanted).attached) == 6
    after = places(domain, CONFIG)
    assert {name: after[name] for name in before} == before
    assert follow(connection, wanted).attached == ()


def test_new_defaults_of_the_manager_are_not_followed(connection: Connection) -> None:
    domain = defined(connection)
    before = domain.xml(CONFIG)
    defaults = [
        put("memory", "4194304"),
        put("devices/video/model@type", "vga"),
        put("devices/controller[@type='usb']@model", "none"),
        put("sysinfo/system/entry[@name='version']", "35.0.0"),
        put("devices/memballoon@model", "none"),
        add("<input type='tablet' bus='usb'/>"),
        drop("devices/rng"),
        drop("features/vmcoreinfo"),
    ]
    assert visible(compare(INSTANCE, generated(*defaults)))
    assert follow(connection, generated(*defaults)).changes == ()
    follow(connection, INSTANCE)
    assert lines(domain) == sorted(before.splitlines())


def test_another_kind_of_interface_keeps_its_place(connection: Connection) -> None:
    domain = defined(connection)
    before = places(domain, CONFIG)
    address = "<address type='pci' domain='0x0000' bus='0x81' slot='0x00' function='0x1'/>"
    net = f"<interface type='hostdev' managed='yes'><mac address='{MAC}'/><source>{address}</source></interface>"
    result = follow(connection, generated(drop("devices/interface"), add(net)))
    assert f"interface {MAC}: type is hostdev, was bridge" in map(str, result.changes)
    assert places(domain, CONFIG) == before
    assert value_at(config(domain), "devices/interface/source/address@bus") == "0x81"


def test_the_mtu_of_a_network_is_followed(connection: Connection) -> None:
    domain = defined(connection)
    result = follow(connection, generated(put("devices/interface/mtu@size", "9000")))
    assert [str(change) for change in result.changes] == [f"interface {MAC}: mtu size is 9000, was 1450"]
    assert value_at(config(domain), "devices/interface/mtu@size") == "9000"


def test_an_image_that_was_made_anew_in_another_format_is_read_as_what_it_is(connection: Connection) -> None:
    domain = defined(connection)
    result = follow(connection, generated(put("devices/disk/driver@type", "raw")))
    assert [str(change) for change in result.changes] == ["disk vda: driver type is raw, was qcow2"]
    assert value_at(config(domain), "devices/disk/driver@type") == "raw"


def test_a_running_guest_keeps_what_it_has_until_its_next_start(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    live, wanted = domain.xml(LIVE), parse(domain.xml(CONFIG))
    add(disk_xml(tmp_path, "data", "vda"))(wanted)
    result = operations.follow_document(connection, "a", serialize(wanted), is_own=is_volume)
    assert result.attached == ("disk vda",)
    assert domain.xml(LIVE) == live
    assert places(domain, CONFIG)["vda"] is not None


def test_a_rescue_is_left_before_anything_is_followed(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml())
    config = domain.xml(CONFIG)
    operations.rescue(connection, "a", DiskSpec(path=str(image(tmp_path, "rescue")), format="raw"))
    with raising(IN_RESCUE):
        operations.follow_document(connection, "a", config, is_own=is_volume)
    assert domain.xml(CONFIG) == config


def test_metadata_of_the_manager_follows_and_ours_stays(connection: Connection) -> None:
    domain = defined(connection)
    operations.adopt_domain(connection, NAME)
    ours = facts(config(domain), DiskRecord)
    assert ours
    follow(connection, INSTANCE.replace("<nova:name>web", "<nova:name>db"))
    assert "<nova:name>db<" in domain.xml(CONFIG)
    assert facts(config(domain), DiskRecord) == ours
    assert fact(config(domain), Adopted) is not None


def test_the_document_of_another_domain_is_refused(connection: Connection) -> None:
    defined(connection)
    with raising(ANOTHER_DOMAINS_DOCUMENT):
        follow(connection, INSTANCE.replace("7f2c6f9a-4f0e", "00000000-4f0e"))


def test_a_domain_that_is_gone_is_not_found(connection: Connection) -> None:
    with raising(NO_DOMAIN, TRANSIENT):
        follow(connection, INSTANCE)
