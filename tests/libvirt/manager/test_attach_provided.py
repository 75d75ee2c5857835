"""A manager's devices come to both documents at one address, also where these differ already."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.document import parse
from holdfast.domainxml.places.pci import hotplug_places
from holdfast.errors import LibvirtRefused
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.manager.attach_provided import attach_provided
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, place, places, running

MAC = "fa:16:3e:00:00:01"
PORT = f"<interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>"


def volume(folder: Path, number: int) -> str:
    """A volume as Nova attaches it, with its id as serial and alias, at a target of its own."""
    uuid = f"{number:08d}-0000-4000-8000-000000000000"
    named = f"<serial>{uuid}</serial><alias name='ua-{uuid}'/>"
    return disk_xml(folder, f"v{number}", f"vd{'abcdefghijkl'[number]}", named)


def lacking_one(connection: Connection, folder: Path) -> Domain:
    """A guest with volumes 1 to 3; config has lost the second one, as by an unanswered detach of stock Nova."""
    domain = running(connection)
    for number in (1, 2, 3):
        attach_provided(connection, "a", volume(folder, number))
    domain.detach(volume(folder, 2), CONFIG)
    return domain


def test_device_comes_to_one_address_where_config_lacks_one_that_the_guest_has(
    connection: Connection, tmp_path: Path
) -> None:
    domain = lacking_one(connection, tmp_path)
    attached = attach_provided(connection, "a", volume(tmp_path, 4))
    assert attached.address == f"pci {place(domain, 'vde')}"
    assert place(domain, "vde") != places(domain, LIVE)["vdc"]


def test_stock_attach_gives_it_two_addresses(connection: Connection, tmp_path: Path) -> None:
    domain = lacking_one(connection, tmp_path)
    for which in (LIVE, CONFIG):
        domain.attach(volume(tmp_path, 4), which)
    assert places(domain, CONFIG)["vde"] == places(domain, LIVE)["vdc"]
    assert places(domain, LIVE)["vde"] != places(domain, LIVE)["vdc"]


def test_device_that_config_has_comes_to_live_at_its_address_there_though_no_other_place_is_free(
    connection: Connection, tmp_path: Path
) -> None:
    domain = running(connection, ports=4)
    domain.attach(PORT, CONFIG)
    kept = places(domain, CONFIG)[MAC]
    for number in range(1, 3):
        attach_provided(connection, "a", volume(tmp_path, number))
    assert kept not in places(domain, LIVE).values()
    assert [each for each in hotplug_places(parse(domain.xml(LIVE))) if each != kept] == []
    before = domain.xml(CONFIG)
    assert attach_provided(connection, "a", PORT).definitions == (LIVE, CONFIG)
    assert place(domain, MAC) == kept
    assert domain.xml(CONFIG) == before


@pytest.mark.parametrize(
    ("kind", "source", "again"),
    [
        (
            "type='pci' managed='yes'",
            "<address domain='0' bus='0xfe' slot='3' function='1'/>",
            "<address domain='0x0000' bus='0xfe' slot='0x03' function='0x1'/>",
        ),
        ("type='mdev' model='vfio-pci'", "<address uuid='4b20d080-1b54-4048-85b3-a6a62d165c01'/>", ""),
    ],
)
def test_device_of_the_host_that_config_has_is_only_missing_in_live(
    connection: Connection, kind: str, source: str, again: str
) -> None:
    """This host has no such device: that live refuses it says that live was asked, and config was not."""
    domain = running(connection)
    hostdev = f"<hostdev mode='subsystem' {kind}><source>{source}</source></hostdev>"
    domain.attach(hostdev, CONFIG)
    before = domain.xml(CONFIG)
    with pytest.raises(LibvirtRefused, match=r"passthrough|VFIO|vfio|mediated"):
        attach_provided(connection, "a", hostdev.replace(source, again or source))
    assert domain.xml(CONFIG) == before


def test_what_is_behind_a_device_is_its_managers_business(connection: Connection, tmp_path: Path) -> None:
    """nova-compute, which is not root, may not read the image of a volume on a share."""
    connection.define(domain_xml())
    missing = volume(tmp_path, 1).replace(f"{tmp_path}/", "/nowhere/").replace("type='raw'", "type='qcow2'")
    assert attach_provided(connection, "a", missing).definitions == (CONFIG,)
