"""A domain that its manager moves to another host has there, once libvirt has defined it, the hardware it had."""

from __future__ import annotations

import pytest

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import parse
from holdfast.errors.hosts import CANNOT_BE_THERE
from holdfast.errors.manager import ANOTHER_DOMAINS_DOCUMENT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.manager.arriving_document import arriving_document
from holdfast.operations.manager.seal import seal_document
from tests.generated import NAME, add, generated, interface, put, volume
from tests.libvirt.domains import CONFIG
from tests.libvirt.manager.following import config, defined, follow, seats
from tests.raising import raising

ELSEWHERE = [
    put("devices/disk/source@file", "/srv/instances/7f2c6f9a/disk"),
    put("devices/graphics@listen", "10.0.0.2"),
]
"""What the manager says of another host."""


@pytest.fixture
def source(connection: Connection) -> str:
    """The config document of an instance with a day behind it: devices came and went, so that its places have gaps."""
    defined(connection, seal_document(connection, generated(), root_ports=4).document)
    three = [add(volume(number, f"vd{'cde'[number - 1]}")) for number in (1, 2, 3)]
    follow(connection, generated(*three, add(interface(7))))
    follow(connection, generated(three[0], three[2], add(interface(7))))
    return connection.find_domain(NAME).xml(CONFIG)


def test_it_has_there_the_hardware_it_had(connection: Connection, source: str) -> None:
    """The control: what the manager generates there has other places."""
    before = parse(source)
    today = [add(volume(1, "vdc")), add(volume(3, "vde")), add(interface(7))]
    connection.find_domain(NAME).undefine()
    here = generated(*today, *ELSEWHERE)
    stock = defined(connection, here)
    assert visible(compare_documents(before, config(stock))) != []
    stock.undefine()
    arriving = arriving_document(connection, source, here)
    assert (arriving.changes, arriving.left_out) == ((), ())
    there = defined(connection, arriving.document)
    assert visible(compare_documents(before, config(there))) == []
    assert "/srv/instances/7f2c6f9a/disk" in seats(there)
    assert there.xml(CONFIG).count("10.0.0.2") == 2


def test_a_volume_that_was_detached_meanwhile_leaves_the_others_where_they_are(
    connection: Connection, source: str
) -> None:
    before = seats(connection.find_domain(NAME))
    connection.find_domain(NAME).undefine()
    arriving = arriving_document(connection, source, generated(add(volume(3, "vdc")), add(interface(7))))
    assert len(arriving.left_out) == 1
    after = seats(defined(connection, arriving.document))
    assert {name: place for name, place in after.items() if before[name] != place} == {}


def test_a_cpu_that_this_host_cannot_give_is_refused_before_anything_is_defined(
    connection: Connection, source: str
) -> None:
    """EPYC has what no emulated CPU has."""
    coming = source.replace("Nehalem", "EPYC")
    assert coming != source
    with raising(CANNOT_BE_THERE):
        arriving_document(connection, coming, generated(put("cpu@check", "partial")))


def test_a_machine_version_that_this_host_does_not_have_is_refused(connection: Connection, source: str) -> None:
    machine = parse(source).find("os/type").get("machine")  # type: ignore[union-attr]
    with raising(CANNOT_BE_THERE):
        arriving_document(connection, source.replace(f"'{machine}'", "'pc-q35-99.0'"), generated())


def test_the_document_of_another_domain_is_refused(connection: Connection, source: str) -> None:
    with raising(ANOTHER_DOMAINS_DOCUMENT):
        arriving_document(connection, source.replace("7f2c6f9a-4f0e", "7f2c6f9a-4f0f"), generated())


def test_a_bigger_flavor_there_changes_what_it_asks_for_and_nothing_else(connection: Connection, source: str) -> None:
    today = [add(volume(1, "vdc")), add(volume(3, "vde")), add(interface(7))]
    bigger = generated(*today, put("memory", "4194304"), put("vcpu", "4"), put("cpu/topology@sockets", "4"))
    before = seats(connection.find_domain(NAME))
    connection.find_domain(NAME).undefine()
    arriving = arriving_document(connection, source, bigger, old=generated(*today))
    assert arriving.changes == ()
    there = defined(connection, arriving.document)
    changed = {change.where for change in visible(compare_documents(parse(source), config(there)))}
    assert changed == {"memory", "vcpu", "cpu/topology@sockets"}
    assert seats(there) == before


def test_a_volume_that_came_meanwhile_gets_a_free_place(connection: Connection, source: str) -> None:
    before = seats(connection.find_domain(NAME))
    connection.find_domain(NAME).undefine()
    here = generated(add(volume(1, "vdc")), add(volume(3, "vde")), add(volume(8, "vdf")), add(interface(7)))
    after = seats(defined(connection, arriving_document(connection, source, here).document))
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1
