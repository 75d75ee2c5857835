"""Facts that somebody edited: told one by one, and no end to anything."""

from __future__ import annotations

import pytest

from holdfast.domainxml import metadata
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.metadata import AnyFact, Started, set_facts, tag_of
from holdfast.domainxml.records.garbled import garbled_facts, recorded_cpu

NOW = "2026-01-01T00:00:00+00:00"
FACTS: tuple[AnyFact, ...] = (
    metadata.Adopted(NOW, "nova", "p1"),
    metadata.Started("<cpu mode='custom'><model>qemu64</model></cpu>", "0" * 64),
    metadata.Started("", ""),
    metadata.DiskRecord("vda", "ua-a", "root", place="/x.qcow2", format="qcow2", size="1024", old="/y.qcow2"),
    metadata.DiskRecord("vdb", delete="yes"),
    metadata.Releasing("disk", "vdb", "ua-b"),
    metadata.Attaching("interface", "ua-c", "0" * 32, "pci 0, usb 0", ""),
    metadata.Detaching("watchdog", "ua-d", ""),
    metadata.RunAgain(NOW),
    metadata.Snapshotting("s", ""),
    metadata.KeptNvram("firmware", NOW, "/x_VARS.fd", "<os><loader>/x</loader></os>"),
    metadata.Creating(NOW),
    metadata.Deleting(NOW),
    metadata.Rescue(NOW, "running", "disk vdb"),
)


def recording(*facts: AnyFact) -> Element:
    domain = parse("<domain/>")
    set_facts(domain, *facts)
    return domain


def test_what_holdfast_writes_can_be_read() -> None:
    assert list(garbled_facts(recording(*FACTS))) == []


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (metadata.Started, "cpu", "<cpu"),
        (metadata.Started, "cpu", "<domain/>"),
        (metadata.Started, "cpu", "x" * 5000),
        (metadata.Started, "firmware", "²"),
        (metadata.Adopted, "since", "long ago"),
        (metadata.Adopted, "origin", ""),
        (metadata.DiskRecord, "target", ""),
        (metadata.DiskRecord, "role", "boot"),
        (metadata.DiskRecord, "delete", "Yes"),
        (metadata.DiskRecord, "size", "1 GiB"),
        (metadata.Releasing, "device", "a b"),
        (metadata.Releasing, "alias", ""),
        (metadata.Attaching, "alias", ""),
        (metadata.Detaching, "device", "a b"),
        (metadata.RunAgain, "since", ""),
        (metadata.Snapshotting, "snapshot", ""),
        (metadata.KeptNvram, "upgrade", "machine"),
        (metadata.KeptNvram, "since", "²"),
        (metadata.KeptNvram, "os", "<loader/>"),
        (metadata.Creating, "since", "²"),
        (metadata.Deleting, "since", "²"),
        (metadata.Rescue, "brought", ""),
    ],
)
def test_fact_that_somebody_edited_is_told(kind: type[AnyFact], field: str, value: str) -> None:
    domain = recording(*FACTS)
    found = domain.find(f".//{tag_of(kind)}")
    assert found is not None
    found.set(field, value)
    told = list(garbled_facts(domain))
    assert told == [
        f"<holdfast:{tag_of(kind).rpartition('}')[2]}> in its metadata cannot be read: {field}={value[:40]!r}"
    ]


@pytest.mark.parametrize("cpu", ["<cpu", "<domain/>", "²", " "])
def test_cpu_that_cannot_be_read_is_unknown(cpu: str) -> None:
    assert recorded_cpu(Started(cpu, "")) is None
