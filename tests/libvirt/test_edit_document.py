"""The proved edit on real libvirt: what was asked for and nothing else, or nothing at all."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import Element, parse, same, serialize
from holdfast.errors import Failed, NotFound, Refused
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.proved_edit import apply_edit, plan_edit
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, running

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"


def set_backend(document: Element) -> None:
    document.find("devices/rng/backend").text = "/dev/random"  # type: ignore[union-attr]


def lose_a_device(document: Element) -> None:
    document.find("devices").remove(document.find("devices/rng"))  # type: ignore[union-attr,arg-type]


def test_host_side_is_edited_and_all_else_stays(connection: Connection) -> None:
    domain = connection.define(domain_xml(extra=RNG))
    before = parse(domain.xml(CONFIG))
    edit = plan_edit(domain, set_backend)
    assert not edit.is_empty
    apply_edit(connection, domain, edit)
    after = parse(domain.xml(CONFIG))
    assert after.findtext("devices/rng/backend") == "/dev/random"
    set_backend(before)
    assert same(before, after)


def test_running_domain_keeps_live(connection: Connection) -> None:
    domain = running(connection, extra=RNG)
    apply_edit(connection, domain, plan_edit(domain, set_backend))
    assert "/dev/urandom" in domain.xml(LIVE)
    assert "/dev/random" in domain.xml(CONFIG)


def test_change_the_guest_would_see_is_refused_unless_asked_for(connection: Connection) -> None:
    domain = connection.define(domain_xml(extra=RNG))
    before = domain.xml(CONFIG)
    with pytest.raises(Refused, match="rng ua-rng is removed"):
        plan_edit(domain, lose_a_device)
    assert domain.xml(CONFIG) == before
    apply_edit(connection, domain, plan_edit(domain, lose_a_device, lambda change: "rng" in change.what))
    assert "rng" not in domain.xml(CONFIG)


def test_edit_is_refused_when_somebody_changed_the_document_meanwhile(connection: Connection) -> None:
    domain = connection.define(domain_xml(extra=RNG))
    edit = plan_edit(domain, set_backend)
    domain.attach("<sound model='ich6'/>", CONFIG)
    before = domain.xml(CONFIG)
    with pytest.raises(Refused, match="somebody else changed"):
        apply_edit(connection, domain, edit)
    assert domain.xml(CONFIG) == before


def test_what_libvirt_fills_in_beside_the_edit_is_taken_back(connection: Connection) -> None:
    """A device without an address gets one: the guest would see a place that the edit did not name."""
    domain = connection.define(domain_xml(extra=RNG))
    before = domain.xml(CONFIG)

    def forget_the_address(document: Element) -> None:
        rng = document.find("devices/rng")
        assert rng is not None
        rng.remove(rng.find("address"))  # type: ignore[arg-type]

    edit = plan_edit(domain, forget_the_address, lambda change: True)
    with pytest.raises(Failed, match="more than was asked for"):
        apply_edit(connection, domain, edit)
    assert domain.xml(CONFIG) == before


def test_transient_domain_has_nothing_to_edit(connection: Connection) -> None:
    domain = running(connection, extra=RNG)
    domain.undefine()
    with pytest.raises(NotFound, match="transient"):
        plan_edit(domain, set_backend)


def test_passwords_survive_an_edit(connection: Connection) -> None:
    graphics = "<graphics type='vnc' passwd='secret' listen='127.0.0.1'/>"
    domain = connection.define(domain_xml(extra=RNG + graphics))
    apply_edit(connection, domain, plan_edit(domain, set_backend))
    assert "passwd='secret'" in domain.xml(CONFIG, secure=True)
    assert "secret" not in serialize(parse(domain.xml(CONFIG)))
