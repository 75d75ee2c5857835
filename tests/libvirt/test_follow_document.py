"""A domain follows what its manager generates, on real libvirt: what was asked for and no more, in its old places."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.change import visible
from holdfast.domainxml.disk import source_of
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.guest_view import compare
from holdfast.domainxml.metadata import Adopted, DiskRecord, fact, facts
from holdfast.domainxml.sides import value_at
from holdfast.errors import NotFound, OtherMachine, Refused
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.device_spec import DiskSpec
from holdfast.operations.follow_document import Followed
from tests.generated import INSTANCE, MAC, NAME, VOLUME, Edit, add, drop, generated, interface, put, volume
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, places, running

ROOT = "/var/lib/nova/instances/7f2c6f9a/disk"


def is_volume(device: Element) -> bool:
    """Nova knows its volumes by the serial, its interfaces by their MAC."""
    mac = device.find("mac")
    return device.find("serial") is not None or (mac is not None and mac.get("address", "").startswith("fa:16:3e"))


def follow(connection: Connection, wanted: str, old: str | None = None, dry_run: bool = False) -> Followed:
    return operations.follow_document(connection, NAME, wanted, is_own=is_volume, old=old, dry_run=dry_run)


def defined(connection: Connection, document: str = INSTANCE) -> Domain:
    return connection.define(document)


def config(domain: Domain) -> Element:
    return parse(domain.xml(CONFIG))


def lines(domain: Domain) -> list[str]:
    return sorted(domain.xml(CONFIG).splitlines())


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
    before = places(domain, CONFIG)
    wanted = generated(
        drop("devices/disk[2]"),
        add(volume(2, "vdb", more=""), first=True),
        add(volume(1, "vda", more=""), first=True),
        put("devices/disk[3]/target@dev", "vdc"),
        add(interface(2), first=True),
    )
    control = connection.define(wanted.replace(NAME, "control").replace("7f2c6f9a-4f0e", "00000000-4f0e"))
    assert places(control, CONFIG)["fa:16:3e:00:00:02"] != before["fa:16:3e:00:00:02"]
    assert follow(connection, wanted).changes == ()
    assert places(domain, CONFIG) == before


def test_a_volume_that_is_missing_is_attached_again_and_nothing_moves(connection: Connection) -> None:
    domain = defined(connection, generated(drop("devices/disk[2]")))
    before = places(domain, CONFIG)
    result = follow(connection, INSTANCE)
    assert result.attached == ("disk vdb",)
    assert [str(change) for change in result.changes] == ["disk vdb is added"]
    after = places(domain, CONFIG)
    assert after.pop("vdb") is not None
    assert {name: after[name] for name in before} == before


def test_a_new_disk_takes_a_name_that_is_free(connection: Connection) -> None:
    domain = defined(connection)
    domain.attach(volume(1, "vdc"), CONFIG)
    result = follow(connection, generated(add(volume(1, "vdd")), add(volume(2, "vdc"))))
    assert result.attached == ("disk vdd",)
    disks = {value_at(disk, "target@dev"): value_at(disk, "serial") for disk in config(domain).iterfind("devices/disk")}
    assert disks["vdc"] == "00000000-0000-4000-8000-000000000001"
    assert disks["vdd"] == "00000000-0000-4000-8000-000000000002"


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
    assert (result.attached, result.detached) == (("disk vdc",), ("disk vdb",))
    assert VOLUME not in domain.xml(CONFIG)


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
    assert f"interface {MAC}: type is set to hostdev (was not given)" in map(str, result.changes)
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
    with pytest.raises(Refused, match="in rescue"):
        operations.follow_document(connection, "a", config, is_own=is_volume)
    assert domain.xml(CONFIG) == config


RESIZED = [
    put("memory", "4194304"),
    put("vcpu", "4"),
    put("cpu/topology@sockets", "4"),
    put("cputune/shares", "4096"),
]


def grown(connection: Connection) -> Domain:
    """The instance with hardware that came later: generated anew, all of it would be elsewhere."""
    domain = defined(connection)
    domain.attach(interface(2), CONFIG)
    domain.attach(volume(1, "vdc"), CONFIG)
    return domain


LATER = [add(interface(2), first=True), add(volume(1, "vda"), first=True)]


def test_a_resize_is_memory_and_vcpus_and_every_address_stays(connection: Connection) -> None:
    domain = grown(connection)
    before = places(domain, CONFIG)
    result = follow(connection, generated(*LATER, *RESIZED), old=generated(*LATER))
    assert {str(change) for change in result.changes} == {
        "memory is 4 GiB, was 2 GiB",
        "vcpu is 4, was 2",
        "cpu: topology sockets is 4, was 2",
    }
    assert places(domain, CONFIG) == before
    now = config(domain)
    assert [value_at(now, path) for path in ("memory", "currentMemory", "vcpu")] == ["4194304", "4194304", "4"]
    assert value_at(now, "cputune/shares") == "4096"


def test_a_resize_back_gives_what_was(connection: Connection) -> None:
    domain = grown(connection)
    before = lines(domain)
    large, small = generated(*LATER, *RESIZED), generated(*LATER)
    follow(connection, large, old=small)
    follow(connection, small, old=large)
    assert lines(domain) == before


def test_a_resize_to_numa_pins_and_huge_pages_is_a_whole(connection: Connection) -> None:
    domain = grown(connection)
    before = places(domain, CONFIG)
    cells = "<cell id='0' cpus='0-1' memory='2097152'/><cell id='1' cpus='2-3' memory='2097152'/>"
    wanted = generated(
        *LATER,
        *RESIZED,
        add(f"<numa>{cells}</numa>", "cpu"),
        add("<memoryBacking><hugepages><page size='2048' unit='KiB' nodeset='0'/></hugepages></memoryBacking>", ""),
        add("<numatune><memory mode='strict' nodeset='0'/></numatune>", ""),
        *(add(f"<vcpupin vcpu='{number}' cpuset='{number}'/>", "cputune") for number in range(4)),
    )
    follow(connection, wanted, old=generated(*LATER))
    assert places(domain, CONFIG) == before
    assert value_at(config(domain), "memory") == "4194304"
    assert len(config(domain).findall("cputune/vcpupin")) == 4
    follow(connection, generated(*LATER), old=wanted)
    assert config(domain).find("cputune/vcpupin") is None
    assert config(domain).find("memoryBacking") is None


def test_what_the_manager_would_build_otherwise_today_is_no_part_of_a_resize(connection: Connection) -> None:
    domain = grown(connection)
    today = [put("devices/video/model@type", "vga"), drop("devices/rng"), put("devices/memballoon@model", "none")]
    result = follow(connection, generated(*LATER, *today, *RESIZED), old=generated(*LATER, *today))
    assert len(result.changes) == 3
    assert config(domain).find("devices/rng") is not None


def test_persistent_memory_comes_with_its_flavor_and_goes_with_it(connection: Connection) -> None:
    domain = grown(connection)
    before = lines(domain)
    module = (
        "<memory model='nvdimm' access='shared'><source><path>/dev/dax0.0</path><alignsize>2048</alignsize><pmem/>"
        "</source><target><size>1048576</size><node>0</node><label><size>2048</size></label></target></memory>"
    )
    cell = "<numa><cell id='0' cpus='0-1' memory='2097152'/></numa>"
    old = generated(*LATER)
    wanted = generated(
        *LATER,
        add("<maxMemory slots='1'>3145728</maxMemory>", ""),
        add(cell, "cpu"),
        add(module),
        add("<nothing/>", "os"),
    ).replace("<nothing/>", "")
    result = follow(connection, wanted, old=old)
    assert result.attached == ("memory ua-memory0",)
    assert value_at(config(domain), "memory") == "3145728"
    assert follow(connection, wanted).changes == ()
    assert follow(connection, old, old=wanted).detached == ("memory ua-memory0",)
    assert lines(domain) == before


def test_a_disk_on_another_bus_takes_a_place_there_and_all_others_stay(connection: Connection) -> None:
    domain = grown(connection)
    before = places(domain, CONFIG)
    bus = [put("devices/disk[2]/target@bus", "sata"), put("devices/disk[2]/target@dev", "sdb")]
    follow(connection, generated(*LATER, *bus), old=generated(*LATER))
    after = places(domain, CONFIG)
    disk = next(disk for disk in config(domain).iterfind("devices/disk") if source_of(disk) == ROOT)
    assert (value_at(disk, "target@dev"), value_at(disk, "target@bus")) == ("sdb", "sata")
    assert value_at(disk, "address@type") == "drive"
    assert before.keys() - after.keys() == {"vda"}
    assert {name: after[name] for name in before if name in after} == {n: p for n, p in before.items() if n != "vda"}


def test_all_disks_on_another_bus_bring_its_controller(connection: Connection) -> None:
    domain = grown(connection)
    before = places(domain, CONFIG)
    bus = [edit for number in (1, 2, 3) for edit in (put(f"devices/disk[{number}]/target@bus", "scsi"),)]
    names = [put(f"devices/disk[{number}]/target@dev", f"sd{'bcd'[number - 1]}") for number in (1, 2, 3)]
    controller = add("<controller type='scsi' index='0' model='virtio-scsi'/>")
    follow(connection, generated(*LATER, *bus, *names, controller), old=generated(*LATER))
    after = places(domain, CONFIG)
    assert "scsi" in domain.xml(CONFIG)
    stay = [name for name in before if not name.startswith("vd")]
    assert {name: after[name] for name in stay} == {name: before[name] for name in stay}
    assert not [name for name in after if name.startswith("vd")]


@pytest.mark.parametrize(
    "edits",
    [
        [put("devices/video/model@type", "qxl")],
        [put("devices/interface[2]/model@type", "e1000")],
        [put("devices/controller[@type='usb']@model", "none")],
        [put("devices/memballoon@model", "none"), drop("devices/memballoon/stats")],
        [put("os/type@machine", "pc-q35-6.2")],
        [put("devices/rng@model", "virtio-non-transitional")],
        [add("<watchdog model='i6300esb' action='reset'/>")],
        [add("<input type='tablet' bus='usb'/>")],
        [add("<sound model='ich9'/>")],
        [
            put("devices/graphics@type", "spice"),
            add("<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"),
            add("<redirdev bus='usb' type='spicevmc'/>"),
        ],
        [drop("devices/channel")],
        [drop("devices/rng")],
        [add("<kvm><hidden state='on'/></kvm>", "features")],
        [put("clock@offset", "localtime")],
        [put("cpu/model", "Westmere")],
        [put("cpu@mode", "host-model"), drop("cpu/model")],
        [put("os/boot@dev", "network"), add("<bootmenu enable='yes'/>", "os")],
        [add("<driver name='vhost' queues='2'/>", "devices/interface[2]")],
        [drop("cpu/topology")],
    ],
)
def test_libvirt_takes_what_a_flavor_or_an_image_asks_for(connection: Connection, edits: list[Edit]) -> None:
    """What is asked for is there afterwards, and no other device is anywhere else."""
    domain = grown(connection)
    before = places(domain, CONFIG)
    old, wanted = generated(*LATER), generated(*LATER, *edits)
    result = follow(connection, wanted, old=old)
    assert {change.where for change in result.changes} >= {
        change.where for change in visible(compare(old, wanted)) if change.where not in ("devices/input",)
    }
    after = places(domain, CONFIG)
    gone = {name for name in before if after.get(name) != before[name]}
    assert gone <= {"rng", "memballoon", "controller usb 0", "usb 0"}
    again = follow(connection, wanted)
    assert (again.changes, again.attached, again.detached) == ((), (), ())


def test_a_machine_of_another_kind_is_told_and_nothing_is_changed(connection: Connection) -> None:
    domain = grown(connection)
    before = domain.xml(CONFIG)
    with pytest.raises(OtherMachine):
        follow(connection, generated(*LATER, put("os/type@machine", "pc")), old=generated(*LATER))
    assert domain.xml(CONFIG) == before


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
    with pytest.raises(Refused, match="of another domain"):
        follow(connection, INSTANCE.replace("7f2c6f9a-4f0e", "00000000-4f0e"))


def test_a_domain_that_is_gone_is_not_found(connection: Connection) -> None:
    with pytest.raises(NotFound):
        follow(connection, INSTANCE)
