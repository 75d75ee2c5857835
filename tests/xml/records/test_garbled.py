"""Facts that somebody edited: told one by one, and no end to anything."""

from __future__ import annotations

import pytest

from holdfast.domainxml import fact
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import AnyFact, Started
from holdfast.domainxml.metadata import set_facts, tag_of
from holdfast.domainxml.records.garbled import garbled_facts, recorded_cpu

NOW = "2026-01-01T00:00:00+00:00"
FACTS: tuple[AnyFact, ...] = (
    fact.Adopted(NOW, "nova", "p1"),
    fact.Started("<cpu mode='custom'><model>qemu64</model></cpu>", "0" * 64),
    fact.Started("", ""),
    fact.DiskRecord("vda", "ua-a", "root", place="/x.qcow2", format="qcow2", size="1024", old="/y.qcow2"),
    fact.DiskRecord("vdb", delete="yes"),
    fact.Releasing("disk", "vdb", "ua-b"),
    fact.Attaching("interface", "ua-c", "0" * 32, "pci 0, usb 0", ""),
    fact.Detaching("watchdog", "ua-d", ""),
    fact.RunAgain(NOW),
    fact.Snapshotting("s", ""),
    fact.KeptNvram("firmware", NOW, "/x_VARS.fd", "<os><loader>/x</loader></os>"),
    fact.Creating(NOW),
    fact.Deleting(NOW),
    fact.Rescue(NOW, "running", "disk vdb"),
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
        (fact.Started, "cpu", "<cpu"),
        (fact.Started, "cpu", "<domain/>"),
        (fact.Started, "cpu", "x" * 5000),
        (fact.Started, "firmware", "²"),
        (fact.Adopted, "since", "long ago"),
        (fact.Adopted, "origin", ""),
        (fact.DiskRecord, "target", ""),
        (fact.DiskRecord, "role", "boot"),
        (fact.DiskRecord, "delete", "Yes"),
        (fact.DiskRecord, "size", "1 GiB"),
        (fact.Releasing, "device", "a b"),
        (fact.Releasing, "alias", ""),
        (fact.Attaching, "alias", ""),
        (fact.Detaching, "device", "a b"),
        (fact.RunAgain, "since", ""),
        (fact.Snapshotting, "snapshot", ""),
        (fact.KeptNvram, "upgrade", "machine"),
        (fact.KeptNvram, "since", "²"),
        (fact.KeptNvram, "os", "<loader/>"),
        (fact.Creating, "since", "²"),
        (fact.Deleting, "since", "²"),
        (fact.Rescue, "brought", ""),
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
