"""What a manager records of what it did, from the documents that it saw: once, and as asked by one of its users."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import EntryKind, InterfaceSpec
from holdfast.operations.manager.deed_record import (
    Deed,
    HistoryPlace,
    ManagerAct,
    place_of_history,
    record_deed,
    record_met,
)
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, LIVE, domain_xml

MAC = "52:54:00:00:00:01"
ASKED = {"manager": "nova", "request": "req-1", "user": "u", "project": "p"}
ACT = ManagerAct(("nova", "attach", "volume"), ASKED)


@pytest.fixture
def place(connection: Connection) -> Iterator[HistoryPlace]:
    """A history, and a connection over which nothing is recorded by itself."""
    found = place_of_history(connection)
    assert found is not None
    found.folder.mkdir(parents=True)
    connection.records_changes = False
    yield found
    connection.records_changes = True
    shutil.rmtree(found.folder)


@pytest.fixture
def domain(connection: Connection) -> Domain:
    return connection.define(domain_xml())


def config(domain: Domain) -> str:
    return domain.xml(CONFIG, secure=True)


def deed(domain: Domain, before: str | None, after: str | None, live: str | None = None) -> Deed:
    return Deed(uuid=domain.uuid, act=ACT, before=before, after=after, live=live)


def attach(connection: Connection) -> None:
    operations.attach_interface(connection, "a", InterfaceSpec(kind="user", mac=MAC))


def kinds(connection: Connection, name: str = "a") -> list[EntryKind]:
    return [entry.kind for entry in reversed(operations.log_domain(connection, name))]


def test_log_names_who_asked_the_manager(connection: Connection, place: HistoryPlace, domain: Domain, uri: str) -> None:
    before = config(domain)
    record_met(place, domain.uuid, before)
    attach(connection)
    record_deed(place, deed(domain, before, config(domain)))
    first, *rest = done(uri, "log", "a").splitlines()
    assert first.endswith("nova attach volume")
    assert rest[0].strip() == "nova: request req-1, user u, project p"
    assert rest[1].strip() == f"interface {MAC} is added at pci 0000:02:00.0"
    assert kinds(connection) == [EntryKind.FIRST_SEEN, EntryKind.CHANGED]
    assert operations.log_domain(connection, "a")[0].asked == ASKED


def test_what_the_operations_do_for_a_manager_is_no_entry_of_its_own(
    connection: Connection, place: HistoryPlace, domain: Domain
) -> None:
    attach(connection)
    assert operations.log_host(connection) == ()


def test_what_others_had_changed_before_is_theirs(connection: Connection, place: HistoryPlace, domain: Domain) -> None:
    record_met(place, domain.uuid, config(domain))
    domain.set_max_memory(128 * 1024)
    before = config(domain)
    record_met(place, domain.uuid, before)
    record_deed(place, deed(domain, before, before))
    assert kinds(connection) == [EntryKind.FIRST_SEEN, EntryKind.OUTSIDE]


def test_what_a_timer_has_found_meanwhile_is_still_said_to_be_the_managers(
    connection: Connection, place: HistoryPlace, domain: Domain
) -> None:
    before = config(domain)
    attach(connection)
    operations.record_host(connection)
    record_deed(place, deed(domain, before, config(domain)))
    last = operations.log_domain(connection, "a")[0]
    assert (last.kind, last.asked) == (EntryKind.CHANGED, ASKED)
    assert f"interface {MAC} is added at pci 0000:02:00.0" in last.sentences


def test_start_is_recorded_with_what_it_gave(connection: Connection, place: HistoryPlace, domain: Domain) -> None:
    before = config(domain)
    record_met(place, domain.uuid, before)
    operations.start(connection, "a", paused=True)
    record_deed(place, deed(domain, before, config(domain), domain.xml(LIVE)))
    assert operations.log_domain(connection, "a")[0].started["firmware"] == "BIOS"


def test_creation_and_deletion_are_the_managers(connection: Connection, place: HistoryPlace, domain: Domain) -> None:
    now = config(domain)
    record_deed(place, deed(domain, None, now))
    domain.undefine()
    for _ in range(2):  # Nova destroys, then cleans up
        record_deed(place, deed(domain, now, None))
    assert kinds(connection) == [EntryKind.CHANGED, EntryKind.DELETED]
