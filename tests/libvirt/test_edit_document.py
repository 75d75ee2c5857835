"""The proved edit on real libvirt: what was asked for and nothing else, or nothing at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.domainxml.document import Element, parse, same, serialize
from holdfast.domainxml.fact import Rescue
from holdfast.errors.domains import IN_RESCUE, TRANSIENT
from holdfast.errors.guard import CHANGED_MEANWHILE, LIBVIRT_ADDS, UNASKED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.asked_of_libvirt import ask_libvirt
from holdfast.operations.facts import record_fact
from holdfast.operations.proved_edit import apply_edit, ask_of_edit, plan_edit
from holdfast.operations.session import looking
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, places, running
from tests.raising import raising

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"
GRAPHICS = "<graphics type='vnc' passwd='secret' listen='127.0.0.1'/>"


def set_backend(document: Element) -> None:
    document.find("devices/rng/backend").text = "/dev/random"  # type: ignore[union-attr]


def lose_a_device(document: Element) -> None:
    document.find("devices").remove(document.find("devices/rng"))  # type: ignore[union-attr,arg-type]


def forget_the_address(document: Element) -> None:
    rng = document.find("devices/rng")
    assert rng is not None
    rng.remove(rng.find("address"))  # type: ignore[arg-type]


def add_rngs(document: Element) -> None:
    for _ in range(2):
        document.find("devices").append(parse("<rng model='virtio'><backend model='builtin'/></rng>"))  # type: ignore[union-attr]


def test_host_side_is_edited_and_all_else_stays(connection: Connection) -> None:
    connection.define(domain_xml(extra=RNG))
    domain = looking(connection, "a")
    before = parse(domain.xml(CONFIG))
    assert domain.documents.config is not None
    edit = plan_edit(domain, set_backend)
    assert not edit.is_empty
    apply_edit(domain, edit)
    after = domain.documents.config
    assert after.findtext("devices/rng/backend") == "/dev/random"
    set_backend(before)
    assert same(before, after)


def test_running_domain_keeps_live_also_where_something_waits_for_the_next_start(connection: Connection) -> None:
    running(connection, extra=RNG).attach("<rng model='virtio'><backend model='builtin'/></rng>", CONFIG)
    domain = looking(connection, "a")
    apply_edit(domain, plan_edit(domain, set_backend))
    assert "/dev/urandom" in domain.xml(LIVE)
    assert "/dev/random" in domain.xml(CONFIG)


def test_change_the_guest_would_see_is_refused_unless_asked_for(connection: Connection) -> None:
    connection.define(domain_xml(extra=RNG))
    domain = looking(connection, "a")
    before = domain.xml(CONFIG)
    with raising(UNASKED, name="a", changes="rng ua-rng is removed, it was at pci 0000:02:00.0"):
        plan_edit(domain, lose_a_device)
    assert domain.xml(CONFIG) == before
    apply_edit(domain, plan_edit(domain, lose_a_device, lambda change: "rng" in change.what))
    assert "rng" not in domain.xml(CONFIG)


def test_edit_is_refused_when_somebody_changed_the_document_meanwhile(connection: Connection) -> None:
    connection.define(domain_xml(extra=RNG))
    domain = looking(connection, "a")
    edit = plan_edit(domain, set_backend)
    domain.attach("<sound model='ich6'/>", CONFIG)
    before = domain.xml(CONFIG)
    with raising(CHANGED_MEANWHILE, name="a"):
        apply_edit(domain, edit)
    assert domain.xml(CONFIG) == before


def test_what_libvirt_fills_in_beside_the_edit_is_taken_back(connection: Connection) -> None:
    """A device without an address gets one: the guest would see a place that the edit did not name."""
    connection.define(domain_xml(extra=RNG + GRAPHICS))
    domain = looking(connection, "a")
    before = domain.xml(CONFIG, secure=True)
    edit = plan_edit(domain, forget_the_address, lambda change: True)
    for deed in (ask_of_edit, apply_edit):
        with raising(LIBVIRT_ADDS, changes="rng ua-rng may move: its place was left open, it is pci 0000:02:00.0"):
            deed(domain, edit)
        assert domain.xml(CONFIG, secure=True) == before


def test_what_libvirt_was_asked_for_before_is_what_it_may_make_of_the_edit(connection: Connection) -> None:
    connection.define(domain_xml(extra=RNG))
    domain = looking(connection, "a")
    edit = plan_edit(domain, forget_the_address, lambda change: True)
    apply_edit(domain, replace(edit, expected=ask_libvirt(connection, edit.after).document))
    assert "ua-rng" in places(domain, CONFIG)


@pytest.mark.parametrize("ports", [1, 2], ids=["the_first_port_was_alone_in_its_slot", "the_first_port_was_not_alone"])
def test_libvirt_may_choose_the_place_of_what_is_added_and_more_buses_only_where_that_is_left_to_it(
    connection: Connection, ports: int
) -> None:
    connection.define(domain_xml(ports=ports))
    domain = looking(connection, "a")
    edit = plan_edit(domain, add_rngs, lambda change: True)
    with raising(LIBVIRT_ADDS) as refused:
        apply_edit(domain, edit)
    added = refused.value.fields["changes"]
    assert isinstance(added, list) and all("controller pci" in str(each) for each in added)
    assert domain.documents.config is not None and domain.documents.config.find("devices/rng") is None
    apply_edit(domain, replace(edit, left_open=frozenset({"rng"})))
    assert len(parse(domain.xml(CONFIG)).findall("devices/rng")) == 2


def test_a_device_that_was_there_gets_another_place_only_where_that_is_left_to_libvirt(connection: Connection) -> None:
    connection.define(domain_xml(extra=RNG))
    domain = looking(connection, "a")
    edit = plan_edit(domain, forget_the_address, lambda change: True)
    apply_edit(domain, replace(edit, left_open=frozenset({"rng ua-rng"})))
    assert "ua-rng" in places(domain, CONFIG)


def test_libvirt_is_not_asked_of_an_edit_that_is_none(connection: Connection) -> None:
    connection.define(domain_xml(extra=RNG))
    domain = looking(connection, "a")
    assert ask_of_edit(domain, plan_edit(domain, lambda document: None)).document is None
    answer = ask_of_edit(domain, plan_edit(domain, set_backend)).document
    assert answer is not None and answer.findtext("devices/rng/backend") == "/dev/random"


def test_domain_in_rescue_is_not_edited(connection: Connection) -> None:
    running(connection, extra=RNG)
    record_fact(looking(connection, "a"), Rescue("2026-01-01T00:00:00+00:00", "running", "disk vdb"), LIVE)
    with raising(IN_RESCUE):
        plan_edit(looking(connection, "a"), set_backend)


def test_transient_domain_has_nothing_to_edit(connection: Connection) -> None:
    running(connection, extra=RNG)
    domain = looking(connection, "a")
    domain.undefine()
    domain = looking(connection, "a")
    with raising(TRANSIENT):
        plan_edit(domain, set_backend)


def test_passwords_survive_an_edit(connection: Connection) -> None:
    connection.define(domain_xml(extra=RNG + GRAPHICS))
    domain = looking(connection, "a")
    apply_edit(domain, plan_edit(domain, set_backend))
    assert "passwd='secret'" in domain.xml(CONFIG, secure=True)
    assert "secret" not in serialize(parse(domain.xml(CONFIG)))
