"""A lease is named by its lockspace and key: of all that can be attached, libvirt (9.0) keeps no alias of it alone."""

from __future__ import annotations

import pytest

from holdfast.domainxml.device import label
from holdfast.domainxml.document import parse
from holdfast.errors import devices
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import attach_device, detach_device
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, running, text_of
from tests.raising import raising

LEASE = "<lease><lockspace>{}</lockspace><key>key</key><target path='/nowhere' offset='1024'/></lease>"


def leases(domain: Domain, definition: Definition) -> list[str]:
    return [label(each) for each in parse(domain.xml(definition)).iterfind("devices/lease")]


@pytest.mark.parametrize("is_running", [True, False])
def test_a_lease_is_attached_and_detached_as_promised(connection: Connection, is_running: bool) -> None:
    domain = running(connection) if is_running else connection.define(domain_xml())
    here = (LIVE, CONFIG) if is_running else (CONFIG,)
    before = [domain.xml(definition) for definition in here]
    for space in ("one", "two"):
        would = attach_device(connection, "a", LEASE.format(space), dry_run=True)
        made = attach_device(connection, "a", LEASE.format(space))
        assert (would.label, would.definitions, would.device) == (made.label, made.definitions, made.device)
        assert made.definitions == here
    assert [leases(domain, definition) for definition in here] == [["one:key", "two:key"]] * len(here)
    with raising(devices.TAKEN, what="the lease one:key"):
        attach_device(connection, "a", LEASE.format("one"))
    for name in ("one:key", LEASE.format("two")):
        assert detach_device(connection, "a", name, dry_run=True).definitions == here
        assert detach_device(connection, "a", name).definitions == here
    assert [text_of(domain, definition) for definition in here] == before


def test_a_lease_that_waits_in_config_comes_to_live_when_the_attach_is_repeated(connection: Connection) -> None:
    domain = running(connection)
    domain.attach(LEASE.format("one"), CONFIG)
    assert attach_device(connection, "a", LEASE.format("one")).definitions == (LIVE, CONFIG)
    assert leases(domain, LIVE) == leases(domain, CONFIG) == ["one:key"]
