"""What a resize, a rebuild or a recorded property asks for, followed on real libvirt: that, and nothing else."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.errors.changes import OTHER_KIND_OF_MACHINE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from tests.generated import ASKED, VOLUME, Edit, add, drop, generated, interface, put, volume
from tests.libvirt.domains import CONFIG, places
from tests.libvirt.manager.following import ROOT, config, defined, follow, lines, seats
from tests.raising import raising

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
BASE = [add(interface(2)), add(volume(1, "vda")), put("os/type@machine", "pc-q35-7.2")]
GONE = {
    "no rng": {"rng"},
    "no balloon": {"memballoon"},
    "no USB": {"usb 0"},
    "no volume": {f"rbd:volumes/volume-{VOLUME}"},
    "another bus": {ROOT},
    "no agent": {"org.qemu.guest_agent.0"},
}
"""What moves or goes by what is asked for."""


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
    before = seats(domain)
    bus = [put("devices/disk[2]/target@bus", "sata"), put("devices/disk[2]/target@dev", "sdb")]
    follow(connection, generated(*LATER, *bus), old=generated(*LATER))
    after = seats(domain)
    disk = next(disk for disk in config(domain).iterfind("devices/disk") if source_of(disk) == ROOT)
    assert (value_at(disk, "target@dev"), value_at(disk, "target@bus")) == ("sdb", "sata")
    assert value_at(disk, "address@type") == "drive"
    assert before.pop(ROOT) != after.pop(ROOT)
    assert after == before


def test_all_disks_on_another_bus_bring_its_controller(connection: Connection) -> None:
    domain = grown(connection)
    before = places(domain, CONFIG)
    bus = [edit for number in (1, 2, 3) for edit in (put(f"devices/disk[{number}]/target@bus", "scsi"),)]
    names = [put(f"devices/disk[{number}]/target@dev", f"sd{'cbd'[number - 1]}") for number in (1, 2, 3)]
    controller = add("<controller type='scsi' index='0' model='virtio-scsi'/>")
    follow(connection, generated(*LATER, *bus, *names, controller), old=generated(*LATER))
    after = places(domain, CONFIG)
    assert "scsi" in domain.xml(CONFIG)
    stay = [name for name in before if not name.startswith("vd")]
    assert {name: after[name] for name in stay} == {name: before[name] for name in stay}
    assert not [name for name in after if name.startswith("vd")]


ON_SATA = [put("devices/disk/target@bus", "sata"), put("devices/disk/target@dev", "sdb")]
ISO = [put("devices/disk@device", "cdrom"), *ON_SATA]


def root(domain: Domain) -> Element:
    return next(disk for disk in config(domain).iterfind("devices/disk") if source_of(disk) == ROOT)


@pytest.mark.parametrize("bus", [[], ON_SATA])
def test_an_instance_of_an_iso_is_rebuilt_of_a_disk_and_back(connection: Connection, bus: list[Edit]) -> None:
    """Also where both are on one bus: libvirt itself makes a CD read-only, and a disk must be written to."""
    domain = defined(connection, generated(*ISO))
    before = seats(domain)
    assert root(domain).find("readonly") is not None
    follow(connection, generated(*bus), old=generated(*ISO))
    disk = root(domain)
    assert (disk.get("device"), disk.find("readonly")) == ("disk", None)
    assert value_at(disk, "target@dev") == ("sdb" if bus else "vda")
    after = seats(domain)
    assert (before.pop(ROOT) == after.pop(ROOT)) is bool(bus)
    assert before.items() <= after.items()
    follow(connection, generated(*ISO), old=generated(*bus))
    disk = root(domain)
    assert (disk.get("device"), value_at(disk, "target@bus")) == ("cdrom", "sata")
    assert disk.find("readonly") is not None


KERNEL = [
    drop("os/boot"),
    add("<kernel>/i/kernel</kernel>", "os"),
    add("<initrd>/i/ramdisk</initrd>", "os"),
    add("<cmdline>root=/dev/vda</cmdline>", "os"),
]


def test_a_kernel_goes_and_comes_with_the_kind_of_the_image(connection: Connection) -> None:
    domain = defined(connection, generated(*KERNEL))
    before = lines(domain)
    follow(connection, generated(), old=generated(*KERNEL))
    now = config(domain)
    assert [value_at(now, f"os/{part}") for part in ("kernel", "initrd", "cmdline")] == [None] * 3
    assert value_at(now, "os/boot@dev") == "hd"
    follow(connection, generated(*KERNEL), old=generated())
    assert lines(domain) == before


HYPERV = ["relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies", "tlbflush", "ipi"]
WINDOWS = [
    add("<hyperv><spinlocks state='on' retries='8191'/></hyperv>", "features"),
    *(add(f"<{name} state='on'/>", "features/hyperv") for name in HYPERV),
    put("clock@offset", "localtime"),
    add("<timer name='hypervclock' present='yes'/>", "clock"),
]


def test_windows_comes_with_its_image_and_goes_with_it(connection: Connection) -> None:
    domain = defined(connection)
    before = lines(domain)
    follow(connection, generated(*WINDOWS), old=generated())
    now = config(domain)
    assert value_at(now, "features/hyperv/spinlocks@retries") == "8191"
    assert value_at(now, "clock@offset") == "localtime"
    follow(connection, generated(), old=generated(*WINDOWS))
    assert lines(domain) == before


@pytest.mark.parametrize("name", ASKED)
def test_libvirt_takes_what_a_flavor_or_an_image_asks_for(connection: Connection, name: str) -> None:
    """What is asked for is there afterwards, no other device is anywhere else, and it is asked for once."""
    domain = grown(connection)
    before = seats(domain)
    old, wanted = generated(*BASE), generated(*BASE, *ASKED[name])
    result = follow(connection, wanted, old=old)
    assert result.changes
    after = seats(domain)
    assert {device for device in before if after.get(device) != before[device]} <= GONE.get(name, set())
    again = follow(connection, wanted)
    assert (again.changes, again.attached, again.detached) == ((), (), ())


def test_a_machine_of_another_kind_is_told_and_nothing_is_changed(connection: Connection) -> None:
    domain = grown(connection)
    before = domain.xml(CONFIG)
    with raising(OTHER_KIND_OF_MACHINE):
        follow(connection, generated(*LATER, put("os/type@machine", "pc")), old=generated(*LATER))
    assert domain.xml(CONFIG) == before
