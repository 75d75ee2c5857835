"""What waits for the next cold start, and what a device still waits for: both follow from the two documents."""

from __future__ import annotations

import pytest

from holdfast.domainxml import metadata
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import DiskRecord, Releasing, Rescue
from holdfast.domainxml.metadata import Fact
from holdfast.operations.documents import Documents
from holdfast.operations.waiting import (
    device_notes,
    disks_being_copied,
    is_asked_for,
    unreleased,
    waiting,
    waiting_host_changes,
    waiting_since,
)

RESCUE = Rescue("2026-01-01T00:00:00+00:00", "running", "disk vdz")
RELEASING = Releasing("disk", "vda", "ua-vda")
PLACE = "<address type='pci' domain='0' bus='{}' slot='0' function='0'/>"
RNG = "<rng model='virtio'><alias name='ua-rng'/>{}</rng>"
NIC = "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='{}'/></interface>"
LEASE = "<lease><lockspace>a</lockspace><key>b</key><target path='/l'/></lease>"


def disk(target: str = "vda", source: str = "<source file='/{}'/>", alias: str = "", serial: str = "") -> str:
    return (
        f"<disk type='file' device='cdrom'>{source.format(target)}<target dev='{target}' bus='sata'/>{serial}"
        f"<alias name='ua-{alias or target}'/></disk>"
    )


def document(devices: str | None, *facts: Fact) -> Element | None:
    if devices is None:
        return None
    ours = None
    for each in facts:
        ours = metadata.with_fact(ours, each)
    return metadata.with_ours(parse(f"<domain type='qemu'><devices>{devices}</devices></domain>"), ours)


def documents(live: str | None, config: str | None, *facts: Fact, mark: Rescue | None = None) -> Documents:
    """Documents with these devices; ``facts`` are in config, or in live where that is all, the ``mark`` is in live."""
    alone = facts if config is None else ()
    of_live = document(live, *alone) if mark is None else document(live, mark)
    return Documents(of_live, document(config, *facts))


def test_nothing_waits_for_a_domain_with_one_document() -> None:
    for one in (documents(disk(), None), documents(None, disk())):
        assert waiting(one) == waiting_host_changes(one) == []
        assert device_notes(one) == {}


def test_what_the_guest_will_see_waits_and_not_what_a_rescue_brought() -> None:
    changes = ["disk vdz is removed", "disk vda is added"]
    assert sorted(map(str, waiting(documents(disk("vdz"), disk())))) == sorted(changes)
    assert [str(each) for each in waiting(documents(disk("vdz"), disk(), mark=RESCUE))] == changes[1:]


def test_only_what_did_not_wait_before_an_operation_is_told_of_it() -> None:
    before, after = documents(disk(), disk() + disk("vdb")), documents(disk(), disk("vdb"))
    assert waiting_since(before, after) == ("disk vda is removed",)
    assert waiting_since(after, documents(disk(), disk())) == ()
    assert waiting_since(documents(None, disk()), before) == ("disk vdb is added",)


def test_what_the_host_will_do_otherwise_is_told_but_not_in_a_rescue() -> None:
    other = NIC.format("br1")
    (change,) = waiting_host_changes(documents(NIC.format("br0"), other))
    assert (change.before, change.after) == ("bridge br0", "bridge br1")
    assert waiting_host_changes(documents(NIC.format("br0"), other, mark=RESCUE)) == []


def test_devices_that_the_guest_has_not_released_were_asked_for() -> None:
    both = disk() + disk("vdb")
    for found in (documents(both, "", RELEASING), documents(both, None, RELEASING)):
        assert [label(device) for device in unreleased(found)] == ["vda"]
    assert unreleased(documents(both, "")) == unreleased(documents(None, both, RELEASING)) == []
    asked = is_asked_for(documents(both, "", RELEASING))
    gone = {change.what: asked(change) for change in waiting(documents(both, ""))}
    assert gone == {"disk vda": True, "disk vdb": False}
    assert not any(asked(change) for change in waiting(documents("", both)))


def test_a_copy_is_told_unless_config_tells_of_a_move() -> None:
    copied = disk(source="<source file='/{}'/><mirror type='file'><source file='/new'/></mirror>")
    sentence = "the disk vda is being copied to /new, or was interrupted"
    assert list(disks_being_copied(documents(copied + disk("vdb"), disk()))) == [sentence]
    assert list(disks_being_copied(documents(copied, None))) == [sentence]
    record = DiskRecord("vda", "ua-vda", place="/new", format="raw")
    other = DiskRecord("vdb", "ua-vdb", place="/b", format="raw")
    assert list(disks_being_copied(documents(copied, disk(), other))) == [sentence]
    assert list(disks_being_copied(documents(copied, disk(), other, record))) == []
    assert list(disks_being_copied(documents(None, disk()))) == []


COPIED = "<source file='/{}'/><mirror type='file'><source file='/new'/></mirror>"


@pytest.mark.parametrize(
    ("live", "config", "notes"),
    [
        (disk(), disk(), []),
        ("", disk(), ["in config only: comes with the next start"]),
        (disk(), "", ["detached; the guest has not released it"]),
        (disk("vdb"), "", ["in live only: gone at the next start"]),
        (disk("vdz"), "", ["of the rescue: gone with it"]),
        (disk(), disk(source=""), ["has nothing at the next start"]),
        (disk(), disk(source="<source file='/b'/>"), ["has /b at the next start"]),
        (disk(source=COPIED), disk(), ["is being copied to /new"]),
        (
            disk(serial="<serial>A</serial>", source=""),
            disk(serial="<serial>B</serial>", source="", alias="other"),
            ["another one at the next start", "in config only: comes with the next start"],
        ),
        (RNG.format(PLACE.format(1)), RNG.format(PLACE.format(2)), ["moves to pci 0000:02:00.0 at the next start"]),
        (RNG.format(PLACE.format(1)), RNG.format(PLACE.format(1)), []),
        (RNG.format(""), RNG.format(PLACE.format(2)), []),
        (RNG.format(PLACE.format(1)), RNG.format(""), []),
        (NIC.format("br0"), NIC.format("br1"), []),
        (LEASE, "", ["in live only: gone at the next start"]),
        ("", LEASE, ["in config only: comes with the next start"]),
        (LEASE, LEASE, []),
        (
            disk("vda", "<source file='/x'/>", "one") + NIC.format("br0"),
            disk("vdb", "<source file='/x'/>", "two") + NIC.format("br0"),
            [],
        ),
    ],
)
def test_a_device_has_a_note_on_what_still_becomes_of_it(live: str, config: str, notes: list[str]) -> None:
    found = device_notes(documents(live, config, RELEASING, mark=RESCUE))
    assert sorted(found.values()) == notes
