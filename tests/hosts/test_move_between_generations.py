"""A guest that runs moves between hosts with libvirts and QEMUs of three generations, as an upgrade of hosts has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse, serialize
from holdfast.errors import LibvirtRefused
from holdfast.errors.hosts import CANNOT_BE_THERE, POST_COPY_CRASHES
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.migration import Transfer
from holdfast.operations.hosts.destination import DestinationHost
from holdfast_lab.cable import two_hosts
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.libvirt.hosts.moving_guest import break_off_post_copy, states, writing_guest
from tests.raising import raising

NETWORK = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
OLDER = Path("/")


@pytest.mark.parametrize(
    ("before", "after"),
    [("older", "system"), ("older", "sid"), ("sid", "older"), ("sid", "system"), ("system", "older")],
)
def test_a_guest_goes_on_with_the_hardware_that_it_has(
    request: pytest.FixtureRequest, tmp_path: Path, before: str, after: str
) -> None:
    with two_hosts("kelp", "rock", systems=(_system(request, before), _system(request, after))) as cable:
        one, other = cable.hosts
        with open_connection(one.uri) as here, open_connection(other.uri) as there:
            if (before, after) == ("older", "sid") and here.hypervisor_version()[:2] == (10, 0):
                pytest.skip("this machine has Debian 13's QEMU: see the next test")
            guest = here.define(writing_guest(tmp_path, NETWORK).replace("machine='q35'", "machine='pc-q35-7.2'"))
            operations.start(here, "a")
            documents = [guest.xml(definition) for definition in (LIVE, CONFIG)]
            operations.migrate_domain(here, "a", there)
            arrived = there.find_domain("a")
            assert arrived.state() == "running"
            for old, definition in zip(documents, (LIVE, CONFIG), strict=True):
                assert not visible(compare(old, arrived.xml(definition)))
            arrived.destroy()


def test_that_debian_13_cannot_hand_over_a_guest_with_virtio_to_sid_is_foretold(
    system: Path, sid: Path, tmp_path: Path
) -> None:
    """QEMU 11.1 refuses its queues of 1024."""
    with two_hosts("kelp", "rock", systems=(system, sid)) as cable:
        one, other = cable.hosts
        with open_connection(one.uri) as here, open_connection(other.uri) as there:
            guest = here.define(writing_guest(tmp_path, NETWORK).replace("machine='q35'", "machine='pc-q35-7.2'"))
            operations.start(here, "a")
            with raising(CANNOT_BE_THERE) as refused:
                operations.migrate_domain(here, "a", there)
            assert "does not take it over while it runs" in str(refused.value)
            _refused_by_libvirt(guest, there)
            assert [domain.state() for domain in here.domains()] == ["running"] and not there.domains()
            guest.destroy()


def test_a_post_copy_that_broke_off_goes_on_once_a_libvirt_that_would_crash_is_upgraded(
    system: Path, sid: Path, tmp_path: Path
) -> None:
    with two_hosts("kelp", "rock", systems=(system, system)) as cable, open_connection(cable.hosts[0].uri) as here:
        guest = here.define(writing_guest(tmp_path))
        operations.start(here, "a")
        with open_connection(cable.hosts[1].uri) as there:
            break_off_post_copy(here, guest, there)
            with raising(POST_COPY_CRASHES, name="a", uri=there.uri, version="11.3.0"):
                operations.migrate_domain(here, "a", there)
        cable.hosts[1].upgrade(sid)
        with open_connection(cable.hosts[1].uri) as there:
            operations.migrate_domain(here, "a", there)
            assert states(here, there) == [[], ["running"]]
            there.find_domain("a").destroy()


def test_a_guest_of_debian_13_without_virtio_goes_on_under_sid(system: Path, sid: Path) -> None:
    document = domain_xml(machine="pc-q35-7.2").replace("<memballoon model='virtio'/>", "<memballoon model='none'/>")
    with two_hosts("kelp", "rock", systems=(system, sid)) as cable:
        one, other = cable.hosts
        with open_connection(one.uri) as here, open_connection(other.uri) as there:
            here.define(document)
            operations.start(here, "a")
            operations.migrate_domain(here, "a", there)
            (arrived,) = there.domains()
            assert (arrived.state(), here.domains()) == ("running", [])
            arrived.destroy()


def _refused_by_libvirt(guest: Domain, there: Connection) -> None:
    destination = DestinationHost(there)
    live, config = (
        serialize(destination.document(parse(text)))
        for text in (migration.migratable_xml(guest), guest.xml(CONFIG, secure=True))
    )
    with pytest.raises(LibvirtRefused, match="virtio"):
        migration.migrate(guest, there, Transfer(live=live, config=config))


def _system(request: pytest.FixtureRequest, name: str) -> Path:
    if name == "older":
        return OLDER
    found = request.getfixturevalue(name)
    assert isinstance(found, Path)
    return found
