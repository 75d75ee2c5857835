"""The record of a disk on a real domain: kept with its disk, in each document that has it, and true after a failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.disks.keep_record import (
    begin_making,
    disk_record,
    forget_disk,
    image_in_making,
    left_in_making,
    new_record,
    record_disk,
)
from holdfast.operations.session import looking
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running

ALIAS = "<alias name='ua-one'/>"


def records(domain: Domain, definition: Definition = CONFIG) -> list[DiskRecord]:
    return facts(parse(domain.xml(definition)), DiskRecord)


def test_each_document_keeps_the_records_of_its_own_disks(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, "a", extra=disk_xml(tmp_path, "one", "vda", ALIAS))
    disk = parse(domain.xml(LIVE)).find("devices/disk")
    assert disk is not None
    record = new_record(disk, role="root", id="1-2")
    record_disk(looking(connection, "a"), record, (LIVE, CONFIG))
    forget_disk(looking(connection, "a"), disk, [CONFIG])
    assert (records(domain, LIVE), records(domain)) == ([record], [])
    document = parse(domain.xml(LIVE))
    found = document.find("devices/disk")
    assert found is not None and disk_record(document, found) == record


def test_image_in_making_is_recorded_until_the_disk_has_it(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml())
    domain = looking(connection, "a")
    settled, place = DiskRecord("vdb", "ua-one", "volume", image="/base"), str(tmp_path / "new.img")
    with image_in_making(domain, settled, place=place, format="raw", size=1024 * 1024):
        making = left_in_making(parse(domain.xml(CONFIG)))
        assert [(each.place, each.format, each.size) for each in making] == [(place, "raw", "1048576")]
        domain.attach(disk_xml(tmp_path, "new", "vdb", ALIAS), CONFIG)
    assert records(domain) == [settled]


@pytest.mark.parametrize("removed", [True, False])
def test_failure_is_looked_at(connection: Connection, tmp_path: Path, removed: bool) -> None:
    """What was recorded before comes back when the new image is gone; one that lies around stays known."""
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "old", "vdb", ALIAS)))
    before, place = DiskRecord("vdb", "ua-one", "volume"), tmp_path / "copy.img"
    record_disk(looking(connection, "a"), before, [CONFIG])
    after = DiskRecord("vdb", "ua-one", "volume", image="/base")
    with (
        pytest.raises(KeyboardInterrupt),
        image_in_making(looking(connection, "a"), after, place=str(place), format="raw"),
    ):
        place.touch()
        if removed:
            place.unlink()
        raise KeyboardInterrupt
    left = left_in_making(parse(domain.xml(CONFIG)))
    assert [record.place for record in left] == ([] if removed else [str(place)])
    assert (records(domain) == [before]) is removed


@pytest.mark.parametrize("everywhere", [True, False])
def test_failure_after_the_attach_settles_the_record_where_nothing_is_left_to_do(
    connection: Connection, tmp_path: Path, everywhere: bool
) -> None:
    domain = running(connection, "a")
    settled, place = DiskRecord("vdb", "ua-one", "volume"), str(tmp_path / "new.img")
    with (
        pytest.raises(KeyboardInterrupt),
        image_in_making(looking(connection, "a"), settled, place=place, format="raw"),
    ):
        for definition in (LIVE, CONFIG) if everywhere else (CONFIG,):
            domain.attach(disk_xml(tmp_path, "new", "vdb", ALIAS), definition)
        raise KeyboardInterrupt
    [record] = records(domain)
    assert record.in_making is not everywhere
    assert records(domain, LIVE) == [settled] * everywhere
    document = parse(domain.xml(CONFIG))
    disk = document.find("devices/disk")
    assert disk is not None and disk_record(document, disk) == settled, "who reads it sees it settled in any case"


def test_who_gives_up_late_leaves_alone_what_somebody_else_has_begun(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    settled = DiskRecord("vdb", "ua-one", "volume")
    first = begin_making(looking(connection, "a"), replace(settled, place="/one", format="raw"), settled)
    second = replace(settled, place="/two", format="raw")
    begin_making(looking(connection, "a"), second, settled)
    first.conclude(finished=False)
    assert records(domain) == [second]
