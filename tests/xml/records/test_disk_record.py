"""The record of a disk: to which disk it belongs, what an empty field is, and which images are left in making."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.make.aliases import name_devices
from holdfast.domainxml.metadata import URI, set_facts, with_fact
from holdfast.domainxml.records.disk_record import (
    disagreements,
    disk_record,
    is_of,
    left_in_making,
    new_record,
    recorded_disk,
    unfinished,
)

OURS = DiskRecord("vdb", "ua-one", "volume", image="/base.qcow2", delete="yes")
OTHERS = DiskRecord("vdb", role="root")
MAKING = replace(OURS, place="/images/new.qcow2", format="qcow2", size="1048576")


def disk(target: str, alias: str = "", source: str = "/images/x") -> str:
    named = f"<alias name='{alias}'/>" if alias else ""
    return f"<disk type='file'><source file='{source}'/><target dev='{target}'/>{named}</disk>"


def domain(*disks: str, records: tuple[DiskRecord, ...] = ()) -> Element:
    document = parse(f"<domain><devices>{''.join(disks)}</devices></domain>")
    set_facts(document, *records)
    return document


def test_record_follows_the_alias_when_somebody_gives_the_disk_another_target() -> None:
    document = domain(disk("vdc", "ua-one"), records=(OURS,))
    found = document.find("devices/disk")
    assert found is not None
    assert disk_record(document, found) == OURS
    assert recorded_disk(document, OURS) is found


def test_another_disk_at_the_same_target_is_not_taken_for_the_recorded_one() -> None:
    for other in (disk("vdb"), disk("vdb", "ua-two")):
        document = domain(other, records=(OURS,))
        assert recorded_disk(document, OURS) is None


def test_sealing_gives_no_disk_an_alias_that_the_record_of_another_names() -> None:
    document = domain(disk("vdb"), records=(DiskRecord("vdb", "ua-vdb", delete="yes"),))
    name_devices(document)
    found = document.find("devices/disk")
    assert found is not None and disk_record(document, found) is None


def test_record_without_an_alias_goes_by_the_target_also_once_the_disk_is_sealed() -> None:
    for sealed in (disk("vdb"), disk("vdb", "ua-two")):
        assert is_of(OTHERS, parse(sealed))
    assert not is_of(OTHERS, parse(disk("vdc")))


def test_newer_record_of_a_disk_replaces_the_older_and_leaves_those_of_others() -> None:
    text = with_fact(None, OTHERS)
    text = with_fact(text, OURS)
    assert text.count("<disk ") == 1, "the same target, and the older has no alias"
    text = with_fact(text, DiskRecord("vdb", "ua-two"))
    assert text.count("<disk ") == 2, "two aliases are two disks"
    text = with_fact(text, replace(OURS, target="vdc"))
    assert text.count("<disk ") == 2 and 'target="vdc" alias="ua-one"' in text


def test_empty_fields_are_not_written() -> None:
    assert with_fact(None, OTHERS).split("<disk ")[1].startswith('target="vdb" role="root"/>')


def test_image_is_left_in_making_until_a_disk_has_it() -> None:
    assert left_in_making(domain(records=(MAKING, OTHERS))) == [MAKING]
    assert left_in_making(domain(disk("vdb", "ua-one"), records=(MAKING,))) == [MAKING], "the copy of a move"
    assert left_in_making(domain(disk("vdb", "ua-one", MAKING.place), records=(MAKING,))) == []
    assert left_in_making(domain(records=(OURS,))) == []


def test_new_record_names_its_disk() -> None:
    assert new_record(parse(disk("vdb", "ua-one")), role="swap") == DiskRecord("vdb", "ua-one", "swap")
    assert new_record(parse(disk("vdb", "virtio-disk1"))) == DiskRecord("vdb"), "libvirt's own alias is live's only"


ADOPTED = '<holdfast:adopted since="2026-01-01T00:00:00+00:00" origin="nova" owner=""/>'


def printed(*parts: str | DiskRecord) -> str:
    """A config document as libvirt prints it: its own attributes in single quotes, those of metadata in double ones."""
    disks, facts = "", ""
    for part in parts:
        if isinstance(part, DiskRecord):
            said = (f'{name}="{text}"' for name, text in asdict(part).items() if text)
            facts += f"<holdfast:disk {' '.join(said)}/>"
        elif part.startswith("<disk"):
            disks += part
        else:
            facts += part
    metadata = f'<metadata><holdfast:domain xmlns:holdfast="{URI}">{facts}</holdfast:domain></metadata>'
    return f"<domain>{metadata if facts else ''}<devices>{disks}</devices></domain>"


def reported(document: str) -> list[str]:
    """All that there is to report of its records, from the document as it is parsed."""
    return [*unfinished(parse(document)), *disagreements(parse(document))]


@pytest.mark.parametrize(
    "document",
    [
        printed(disk("vda"), disk("vdb", "ua-one")),
        printed(disk("vdb", "ua-one"), OURS, ADOPTED),
        printed(disk("vdc", "ua-one"), OURS, ADOPTED),
        printed(disk("vdb"), OTHERS, ADOPTED),
        printed(disk("vdb", "ua-one"), disk("vda", "ua-two"), OURS, DiskRecord("vda"), ADOPTED),
    ],
)
def test_records_that_agree_with_their_disks_are_not_reported(document: str) -> None:
    assert reported(document) == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (printed(disk("vdb", "ua-one"), MAKING), "the disk vdb is being moved"),
        (printed(disk("vdb", "ua-one", MAKING.place), replace(MAKING, old="/old")), "/old was to be removed"),
        (printed(MAKING), "an image for vdb is being made"),
        (printed(disk("vdb", "ua-one"), replace(OURS, id="a-volume"), ADOPTED), "recorded as the volume a-volume"),
        (printed(disk("vdb"), OURS), "has no such disk"),
        (printed(disk("vdc"), OTHERS), "has no such disk"),
        (printed(OURS, ADOPTED), "has no such disk"),
        (printed(disk("vdb"), DiskRecord("vd&amp;b")), "vd&b is recorded"),
        (printed(disk("vdb", "ua-one"), OURS, DiskRecord("vd&amp;b")), "vd&b is recorded"),
        (printed(disk("vda"), disk("vdb", "ua-one"), OURS, ADOPTED), "nothing is recorded about vda"),
        (printed('<holdfast:creating since="now"/>'), "its creation, begun at now, is not finished"),
        (printed('<holdfast:snapshotting snapshot="s" file=""/>'), "the snapshot 's' is being made"),
    ],
)
def test_what_is_unfinished_or_disagrees_is_reported(document: str, words: str) -> None:
    assert words in "".join(reported(document))
