"""Before a manager switches a guest off, config takes over where its devices are, and nothing else."""

from __future__ import annotations

from pathlib import Path

from holdfast.domainxml.compare.guest_view import compare
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.manager.addresses import KeptAddresses, keep_addresses
from holdfast.operations.manager.attach_provided import attach_provided
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, place, places, running
from tests.libvirt.manager.test_attach_provided import MAC, PORT, lacking_one, volume


def diverged(connection: Connection, folder: Path) -> Domain:
    """A guest whose volume 4 stands at two addresses: config has it where live still has volume 2."""
    domain = lacking_one(connection, folder)
    for which in (LIVE, CONFIG):
        domain.attach(volume(folder, 4), which)
    return domain


def test_device_at_two_addresses_stays_where_the_guest_has_it(connection: Connection, tmp_path: Path) -> None:
    domain = diverged(connection, tmp_path)
    was = places(domain, LIVE)
    kept = keep_addresses(connection, "a")
    (change,) = kept.changes
    assert str(change) == f"disk vde moved from pci {was['vdc']} to pci {was['vde']}"
    assert kept.stay == ()
    assert place(domain, "vde") == was["vde"]
    assert "vdc" not in places(domain, CONFIG)
    assert keep_addresses(connection, "a") == KeptAddresses()
    domain.destroy()
    domain.start(paused=True)
    assert places(domain, LIVE) == {name: at for name, at in was.items() if name != "vdc"}


def test_without_that_it_moves_at_the_next_start(connection: Connection, tmp_path: Path) -> None:
    domain = diverged(connection, tmp_path)
    was = places(domain, LIVE)["vde"]
    domain.destroy()
    domain.start(paused=True)
    assert places(domain, LIVE)["vde"] != was


def test_what_was_asked_for_and_waits_stays(connection: Connection, tmp_path: Path) -> None:
    domain = diverged(connection, tmp_path)
    config = domain.xml(CONFIG)
    waiting = config.replace("<memory unit='KiB'>65536", "<memory unit='KiB'>98304").replace(
        "<clock offset='utc'/>", "<clock offset='localtime'/>"
    )
    assert waiting != config
    connection.define(waiting)
    before = domain.xml(CONFIG)
    (change,) = keep_addresses(connection, "a").changes
    assert [str(each) for each in compare(before, domain.xml(CONFIG))] == [str(change)]
    assert "98304" in domain.xml(CONFIG)


def test_device_that_waits_to_come_gives_way_to_one_that_the_guest_has(connection: Connection, tmp_path: Path) -> None:
    domain = diverged(connection, tmp_path)
    taken = places(domain, LIVE)["vde"]
    assert taken is not None
    domain.attach(PORT.replace("</interface>", f"{_address(str(taken))}</interface>"), CONFIG)
    moved = {change.what for change in keep_addresses(connection, "a").changes}
    assert moved == {"disk vde", f"interface {MAC}"}
    assert place(domain, "vde") == taken
    assert places(domain, CONFIG)[MAC] not in (None, taken)


def test_place_that_config_does_not_have_is_told_and_everything_stays(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, ports=4)
    domain.attach(volume(tmp_path, 1).replace("</disk>", f"{_address('0000:04:00.0')}</disk>"), LIVE)
    last = "<controller type='pci' index='4' model='pcie-root-port'>"
    above, _, below = domain.xml(CONFIG).partition(last)
    connection.define(above + below.partition("</controller>")[2])
    domain.attach(volume(tmp_path, 1), CONFIG)
    before = domain.xml(CONFIG)
    assert last not in before
    assert keep_addresses(connection, "a") == KeptAddresses(stay=("disk vdb",))
    assert domain.xml(CONFIG) == before


def test_on_another_kind_of_machine_no_address_is_taken_over(connection: Connection, tmp_path: Path) -> None:
    domain = diverged(connection, tmp_path)
    uuid = f"<uuid>{domain.uuid}</uuid>"
    connection.define(domain_xml(machine="pc", extra=volume(tmp_path, 4)).replace("<memory", f"{uuid}<memory"))
    before = domain.xml(CONFIG)
    assert keep_addresses(connection, "a") == KeptAddresses()
    assert domain.xml(CONFIG) == before


def test_of_a_domain_that_is_off_nothing_is_taken_over(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml())
    attach_provided(connection, "a", volume(tmp_path, 1))
    assert keep_addresses(connection, "a") == KeptAddresses()


def _address(place: str) -> str:
    bus = place.split(":")[1]
    return f"<address type='pci' domain='0x0000' bus='0x{bus}' slot='0x00' function='0x0'/>"
