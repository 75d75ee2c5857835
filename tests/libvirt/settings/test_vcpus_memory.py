"""vCPUs and memory: plugged in where the guest can follow, predicted, refused with what to do, and proved."""

from __future__ import annotations

import pytest

from holdfast.cli import hints
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import same
from holdfast.errors import Condition, HoldfastError
from holdfast.errors.changes import WOULD_NOT_START
from holdfast.errors.settings import (
    BEYOND_MAX_MEMORY,
    BEYOND_MAX_VCPUS,
    BEYOND_MODULES,
    MEMORY_IN_CELLS,
    MODULES_TOO_LARGE,
    NO_BALLOON,
    NO_BOOT_DEVICE,
    NO_GRAPHICS,
    NO_MODULE_SLOT,
    NOT_BOOTABLE,
    ODD_MODULE,
    OTHER_TOPOLOGY,
    SETTING_NOT_TAKEN,
    TOPOLOGY_DOES_NOT_FIT,
    VCPUS_IN_CELLS,
)
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DomainSettings, Topology, set_domain, show_domain
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, LIVE, places
from tests.libvirt.settings.changed import MIB, config, document, live, only, started
from tests.raising import raising


def test_vcpus_and_memory_change_in_both_documents_and_nothing_else_does(connection: Connection, uri: str) -> None:
    domain = started(connection)
    before, was_live, addresses = config(domain), domain.xml(LIVE), places(domain, CONFIG)
    change = set_domain(connection, "a", DomainSettings(vcpus=3, memory=128 * MIB))
    assert [(setting.name, setting.changed, setting.later) for setting in change.settings] == [
        ("vcpus", (LIVE, CONFIG), None),
        ("memory", (LIVE, CONFIG), None),
    ]
    assert change.settings[1].before == {LIVE: 256 * MIB, CONFIG: 256 * MIB}
    assert change.waits == ()
    assert [str(each) for each in change.changes] == ["vcpu: current is 3, was 2"]
    assert only(before, config(domain), ("vcpu@current", "3"), ("currentMemory", str(128 * 1024)))
    assert [str(each) for each in visible(compare(was_live, domain.xml(LIVE)))] == ["vcpu: current is 3, was 2"]
    assert places(domain, LIVE) == places(domain, CONFIG) == addresses
    assert not show_domain(connection, "a").changes
    assert "vcpus is 3 already" in done(uri, "set", "a", "--vcpus", "3")
    domain.destroy()
    assert "memory    128 MiB of 256 MiB" in done(uri, "show", "a")


def test_listed_vcpus_are_predicted_as_libvirt_chooses_them(connection: Connection) -> None:
    listed = "".join(
        f"<vcpu id='{number}' enabled='{enabled}' hotpluggable='{'no' if number == 0 else 'yes'}'/>"
        for number, enabled in enumerate(("yes", "no", "yes", "no"))
    )
    connection.define(document(f"<vcpu current='2'>4</vcpu><vcpus>{listed}</vcpus>"))
    for count in (3, 4, 2, 1, 3):
        assert set_domain(connection, "a", DomainSettings(vcpus=count)).settings[0].changed == (CONFIG,)
    for count in (6, 2, 3):
        set_domain(connection, "a", DomainSettings(max_vcpus=count))
    connection.find_domain("a").start(paused=True)
    set_domain(connection, "a", DomainSettings(vcpus=3))
    assert show_domain(connection, "a").identity.vcpus == 3


def test_vcpus_plugged_one_after_the_other_are_predicted_too(connection: Connection) -> None:
    started(connection, "<vcpu current='1'>4</vcpu>")
    for count in (2, 4):
        assert set_domain(connection, "a", DomainSettings(vcpus=count)).settings[0].changed == (LIVE, CONFIG)
    assert not show_domain(connection, "a").changes


def test_vcpus_it_was_started_with_wait(connection: Connection, uri: str) -> None:
    domain = started(connection, "<vcpu>4</vcpu>")
    assert "vcpus 2 waits: the running guest keeps the 4" in done(uri, "set", "a", "--vcpus", "2")
    assert (len(config(domain).findall("vcpu[@current='2']")), live(domain).find("vcpu[@current]")) == (1, None)


def test_vcpu_that_qemu_does_not_take_back_leaves_all_as_it_was(connection: Connection) -> None:
    """No guest has booted, so QEMU has nobody to ask (7.2: the ACPI interface is not switched on)."""
    domain = started(connection)
    set_domain(connection, "a", DomainSettings(vcpus=3))
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(SETTING_NOT_TAKEN, settings="vcpus") as caught:
        set_domain(connection, "a", DomainSettings(vcpus=2))
    assert "--config" in hints.hint(caught.value)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_what_can_only_be_at_the_next_start_waits_and_is_said(connection: Connection, uri: str) -> None:
    domain = started(connection)
    before, running = config(domain), domain.xml(LIVE)
    settings = DomainSettings(max_vcpus=8, vcpus=6, max_memory=512 * MIB, memory=300 * MIB)
    would = set_domain(connection, "a", settings, dry_run=True)
    text = done(uri, "set", "a", "--max-vcpus", "8", "--vcpus", "6", "--max-memory", "512MiB", "--memory", "300MiB")
    for line in (
        "a: max-vcpus is 8, was 4, in config",
        "max-vcpus 8 waits: the running guest gets it at its next start",
        "vcpus 6 waits: the running guest can have 4 at most",
        "max-memory is 512 MiB, was 256 MiB, in config",
        "memory 300 MiB waits: the running guest is built with 256 MiB",
        "for the guest: memory is 512 MiB, was 256 MiB",
    ):
        assert line in text
    assert domain.xml(LIVE) == running
    waiting = tuple(map(str, show_domain(connection, "a").changes))
    assert set(waiting) == {"memory is 512 MiB, was 256 MiB", "vcpu is 8, was 4", "vcpu: current is 6, was 2"}
    assert would.waits == waiting
    wanted = ("memory", str(512 * 1024)), ("currentMemory", str(300 * 1024)), ("vcpu", "8"), ("vcpu@current", "6")
    assert only(before, config(domain), *wanted)
    domain.destroy()
    domain.start(paused=True)
    assert (live(domain).findtext("vcpu"), live(domain).find("vcpu").get("current")) == ("8", "6")  # type: ignore[union-attr]


def test_topology_and_number_go_together(connection: Connection) -> None:
    cpu = "<cpu mode='custom'><model>qemu64</model><topology sockets='1' dies='1' cores='4' threads='1'/></cpu>"
    domain = connection.define(document(f"<vcpu>4</vcpu>{cpu}<cputune><vcpupin vcpu='3' cpuset='0'/></cputune>"))
    before = config(domain)
    with raising(OTHER_TOPOLOGY, topology="sockets=1,dies=1,cores=4,threads=1", made=4, asked=8) as caught:
        set_domain(connection, "a", DomainSettings(max_vcpus=8))
    assert "--cpu-topology cores=8" in hints.hint(caught.value)
    with raising(TOPOLOGY_DOES_NOT_FIT, made=8, asked=4):
        set_domain(connection, "a", DomainSettings(cpu_topology=Topology(cores=8)))
    with raising(TOPOLOGY_DOES_NOT_FIT, made=1, asked=4) as caught:
        set_domain(connection, "a", DomainSettings(cpu_topology=Topology()))
    assert "makes 1 vCPU," in caught.value.message
    assert same(before, config(domain))
    set_domain(connection, "a", DomainSettings(max_vcpus=8, vcpus=8, cpu_topology=Topology(cores=4, threads=2)))
    assert only(before, config(domain), ("vcpu", "8"), ("cpu/topology@threads", "2"))
    change = set_domain(connection, "a", DomainSettings(max_vcpus=2, cpu_topology=Topology(sockets=2)))
    assert change.notes == ("the pinning of vCPU 3 goes with it",)
    assert (config(domain).findtext("vcpu"), config(domain).find("cputune")) == ("2", None)
    set_domain(connection, "a", DomainSettings(cpu_topology=Topology(cores=2)))
    domain.start(paused=True)


def test_pinning_of_vcpus_that_go_goes_with_them(connection: Connection) -> None:
    pins = "".join(f"<vcpupin vcpu='{number}' cpuset='0'/>" for number in range(4))
    domain = connection.define(document(f"<vcpu>4</vcpu><cputune>{pins}</cputune>"))
    assert set_domain(connection, "a", DomainSettings(max_vcpus=2)).notes == ("the pinning of vCPU 2, 3 goes with it",)
    assert len(config(domain).findall("cputune/vcpupin")) == 2


def test_topology_changes_where_vcpus_are_listed_and_scheduled_one_by_one(connection: Connection) -> None:
    listed = "".join(f"<vcpu id='{number}' enabled='yes' hotpluggable='no'/>" for number in range(4))
    cpu = "<cpu mode='custom'><model>qemu64</model><topology sockets='4' cores='1' threads='1'/></cpu>"
    tune = "<cputune><vcpusched vcpus='0-3' scheduler='batch'/></cputune>"
    domain = connection.define(document(f"<vcpu>4</vcpu><vcpus>{listed}</vcpus>{cpu}{tune}"))
    set_domain(connection, "a", DomainSettings(max_vcpus=6, cpu_topology=Topology(sockets=6)))
    assert len(config(domain).findall("vcpus/vcpu")) == 6
    set_domain(connection, "a", DomainSettings(max_vcpus=2, cpu_topology=Topology(sockets=2)))
    assert [len(config(domain).findall(path)) for path in ("vcpus/vcpu", "cputune/vcpusched")] == [2, 2]
    domain.start(paused=True)


CELLS = (
    "<vcpu>4</vcpu><cpu><numa><cell id='0' cpus='0-1' memory='131072'/><cell id='1' cpus='2-3' memory='131072'/>"
    "</numa></cpu>"
)


@pytest.mark.parametrize(
    ("top", "settings", "condition", "words", "hint"),
    [
        (
            "<vcpu>2</vcpu>",
            DomainSettings(vcpus=3),
            BEYOND_MAX_VCPUS,
            "cannot have 3 vCPUs: at most 2",
            "add --max-vcpus 3",
        ),
        ("", DomainSettings(memory=512 * MIB), BEYOND_MAX_MEMORY, "built with 256 MiB", "add --max-memory 512MiB"),
        (CELLS, DomainSettings(max_memory=512 * MIB), MEMORY_IN_CELLS, "NUMA cells", "holdfast edit a"),
        (CELLS, DomainSettings(max_vcpus=8), VCPUS_IN_CELLS, "NUMA cells", "holdfast edit a"),
        ("", DomainSettings(max_vcpus=5000), WOULD_NOT_START, "with 5000 vCPUs, the domain 'a'", "choose"),
        ("", DomainSettings(boot=("vdz",)), NO_BOOT_DEVICE, "no device 'vdz'", "device list a"),
        ("", DomainSettings(boot=("memballoon",)), NOT_BOOTABLE, "booted from memballoon", ": disk, interface"),
        ("", DomainSettings(graphics_password="x"), NO_GRAPHICS, "'a' has no graphics", "vnc, spice"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    connection: Connection,
    top: str,
    settings: DomainSettings,
    condition: Condition[HoldfastError],
    words: str,
    hint: str,
) -> None:
    domain = connection.define(document(top))
    before = domain.xml(CONFIG)
    for dry_run in (True, False):
        with raising(condition) as caught:
            set_domain(connection, "a", settings, dry_run=dry_run)
        assert words in caught.value.message
        assert hint in hints.hint(caught.value)
    assert domain.xml(CONFIG) == before


def test_balloon_is_needed_to_take_memory_back(connection: Connection) -> None:
    connection.define(document().replace("memballoon model='virtio'", "memballoon model='none'"))
    with raising(NO_BALLOON):
        set_domain(connection, "a", DomainSettings(memory=128 * MIB))


SLOTS = (
    "<maxMemory slots='2' unit='MiB'>1024</maxMemory><vcpu>1</vcpu>"
    "<cpu><numa><cell id='0' cpus='0' memory='262144'/></numa></cpu>"
)


def test_memory_grows_by_a_module_in_one_slot_of_both_documents(connection: Connection, uri: str) -> None:
    domain = started(connection, SLOTS)
    before = config(domain)
    would = set_domain(connection, "a", DomainSettings(max_memory=384 * MIB, memory=384 * MIB), dry_run=True)
    change = set_domain(connection, "a", DomainSettings(max_memory=384 * MIB, memory=384 * MIB))
    assert [(setting.name, setting.changed, setting.later) for setting in change.settings] == [
        ("max-memory", (LIVE, CONFIG), None),
        ("memory", (LIVE, CONFIG), None),
    ]
    assert (would.changes, would.settings) == (change.changes, change.settings)
    assert [str(each) for each in change.changes] == [
        "memory is 384 MiB, was 256 MiB",
        "memory ua-memory0 is added at dimm slot=0",
    ]
    for document_ in (config(domain), live(domain)):
        (module,) = document_.findall("devices/memory")
        assert (module.find("address").get("slot"), module.findtext("target/size")) == ("0", str(128 * 1024))  # type: ignore[union-attr]
    assert not show_domain(connection, "a").changes
    assert "max-memory is 384 MiB already" in done(uri, "set", "a", "--max-memory", "384MiB")
    domain.detach("<memory model='dimm'><target><size unit='KiB'>131072</size><node>0</node></target></memory>", CONFIG)
    assert same(before, config(domain))
    again = set_domain(connection, "a", DomainSettings(max_memory=384 * MIB))
    assert again.settings[0].changed == (CONFIG,)
    assert not show_domain(connection, "a").changes


@pytest.mark.parametrize(
    ("size", "condition", "words"),
    [
        (300, ODD_MODULE, "a module of 44 MiB would be of no use"),
        (2048, BEYOND_MODULES, "can grow to 1 GiB, not 2 GiB"),
        (128, MODULES_TOO_LARGE, "has 256 MiB, memory modules included"),
    ],
)
def test_module_that_cannot_be_is_refused(
    connection: Connection, size: int, condition: Condition[HoldfastError], words: str
) -> None:
    domain = started(connection, SLOTS)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(condition) as caught:
        set_domain(connection, "a", DomainSettings(max_memory=size * MIB))
    assert words in caught.value.message
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_full_slots_are_said(connection: Connection) -> None:
    started(connection, SLOTS)
    for size in (384, 512):
        set_domain(connection, "a", DomainSettings(max_memory=size * MIB))
    with raising(NO_MODULE_SLOT):
        set_domain(connection, "a", DomainSettings(max_memory=640 * MIB))
