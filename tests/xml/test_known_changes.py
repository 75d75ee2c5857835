"""The table of what versions of QEMU and libvirt are known to change though a document stays the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.corpus import CORPUS

from holdfast.domainxml.document import child, parse
from holdfast.domainxml.host.known_changes import KNOWN_CHANGES, known_changes, memory_lost, oddities
from holdfast.domainxml.versions import Versions, dotted, read_version

DEBIAN_12, DEBIAN_13, SID = (
    Versions((7, 2, 22), (9, 0, 0)),
    Versions((10, 0, 13), (11, 3, 0)),
    Versions((11, 1, 3), (12, 8, 0)),
)
BETWEEN = Versions((8, 2, 2), (10, 0, 0))
"""Ubuntu 24.04's, of which few things were measured."""
QUEUES = KNOWN_CHANGES[0]


def test_a_version_that_nobody_has_measured_changes_nothing_for_its_own_guests() -> None:
    assert ("acpi", "unknown") in said("q35-many-devices", DEBIAN_12, BETWEEN)
    assert said("q35-many-devices", BETWEEN, BETWEEN) == []


def said(name: str, before: Versions, after: Versions) -> list[tuple[str, str]]:
    """Part and effect of each outlook for a domain of the corpus."""
    return [(each.part, str(each.effect)) for each in known_changes(parse(CORPUS[name].document()), before, after)]


def test_a_version_between_two_that_differ_is_not_known_and_one_between_two_that_agree_is() -> None:
    own, large = QUEUES.given_by((7, 2, 22)), QUEUES.given_by((10, 0, 13))
    assert own != large and None not in (own, large)
    assert [QUEUES.given_by(version) for version in ((6, 2, 0), (8, 2, 2), (12, 0, 0))] == [own] * 3
    assert [QUEUES.given_by(version) for version in ((10, 0, 7), (10, 1, 0), None)] == [None] * 3


@pytest.mark.parametrize("name", ["q35-many-devices", "disk-virtio", "interface-virtio"])
def test_virtio_queues_change_with_debian_13_and_back_with_what_comes_after_it(name: str) -> None:
    assert ("virtio", "changes") in said(name, DEBIAN_12, DEBIAN_13)
    assert ("virtio", "changes") in said(name, DEBIAN_13, SID)
    assert "virtio" not in dict(said(name, DEBIAN_12, SID))
    assert ("virtio", "unknown") in said(name, Versions((10, 0, 7), (11, 3, 0)), SID)


def test_where_the_version_of_before_is_not_known_only_an_oddity_is_told() -> None:
    assert said("disk-virtio", Versions(), DEBIAN_13) == [("virtio", "unknown")]
    assert said("disk-virtio", Versions(), SID) == said("disk-virtio", Versions(), BETWEEN) == []
    assert said("disk-virtio", DEBIAN_12, Versions()) == []


def test_what_a_domain_does_not_have_is_not_told_of_it() -> None:
    without = "<domain type='qemu'><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><devices/></domain>"
    assert [each.part for each in known_changes(parse(without), DEBIAN_12, DEBIAN_13)] == ["smbios"]
    assert ("disk", "changes") in said("disk-usb-cdrom", DEBIAN_13, SID)
    assert "disk" not in dict(said("disk-usb", DEBIAN_13, SID))


def test_the_watchdog_of_q35_works_from_libvirt_9_1_on() -> None:
    assert ("watchdog", "changes") in said("q35-nothing-chosen", DEBIAN_12, SID)
    assert "watchdog" not in dict(said("q35-nothing-chosen", DEBIAN_13, SID))


def test_the_tables_that_qemu_writes_change_with_it_and_slots_only_where_there_are_root_ports() -> None:
    tables = {("acpi", "changes"), ("smbios", "changes")}
    assert tables <= set(said("q35-many-devices", DEBIAN_12, DEBIAN_13)) & set(
        said("i440fx-many-devices", DEBIAN_12, SID)
    )
    assert ("pci", "changes") in said("q35-many-devices", DEBIAN_12, SID)
    assert "pci" not in dict(said("i440fx-many-devices", DEBIAN_12, SID))
    assert {"smbios", "pci"}.isdisjoint(dict(said("q35-many-devices", DEBIAN_13, SID)))
    assert ("acpi", "unknown") in said("q35-many-devices", BETWEEN, DEBIAN_13)


def test_a_feature_that_follows_from_the_topology_is_told_of_where_the_topology_does_not_give_it() -> None:
    cpu = "<domain><cpu><feature policy='{}' name='ht'/>{}</cpu></domain>"
    flat, several = "<topology sockets='2' cores='1' threads='1'/>", "<topology sockets='1' cores='2' threads='1'/>"
    told = [
        [each.part for each in known_changes(parse(cpu.format(*words)), DEBIAN_13, SID)]
        for words in (("require", ""), ("require", flat), ("require", several), ("disable", ""))
    ]
    assert told == [["topology"], ["topology"], [], []]


def test_memory_is_lost_only_on_the_way_from_an_oddity() -> None:
    domain = parse(CORPUS["disk-virtio"].document())
    reason = memory_lost(domain, DEBIAN_13, SID)
    assert reason is not None and "QEMU 10.0.13" in reason and "11.1.3" in reason
    assert [memory_lost(domain, *pair) for pair in ((DEBIAN_12, DEBIAN_13), (DEBIAN_12, SID), (SID, DEBIAN_13))] == [
        None
    ] * 3


def test_memory_goes_on_under_an_older_qemu_but_not_with_packed_rings() -> None:
    domain = parse(CORPUS["disk-virtio"].document())
    assert memory_lost(domain, DEBIAN_13, DEBIAN_12) is None
    assert memory_lost(domain, DEBIAN_13, BETWEEN) is not None
    (disk,) = domain.iterfind("devices/disk")
    child(disk, "driver").set("packed", "on")
    assert memory_lost(domain, DEBIAN_13, DEBIAN_12) is not None


def test_only_a_host_with_an_oddity_is_told_of() -> None:
    assert len(list(oddities(DEBIAN_13))) == 1
    assert [list(oddities(each)) for each in (DEBIAN_12, SID, Versions())] == [[], [], []]


def test_a_version_is_read_as_it_is_written() -> None:
    assert read_version(dotted((10, 0, 13))) == (10, 0, 13)
    assert [read_version(text) for text in ("", "ten", "1..2", "1.٢", "1." + "9" * 30)] == [None] * 5


def test_the_documentation_has_every_row_of_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "plan.md").read_text()
    for known in KNOWN_CHANGES:
        versions = "; ".join(f"{dotted(version)}: {given}" for version, given in known.given.items())
        assert f"| {known.program} | {versions} | {known.how} |" in text
