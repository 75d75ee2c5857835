"""``holdfast disk set`` and ``holdfast interface set``: what was asked for of one device, which never moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli import hints
from holdfast.domainxml.document import Element, parse, same
from holdfast.errors.guard import UNASKED_SETTING
from holdfast.errors.hosts import NO_NETWORK
from holdfast.errors.settings import NOT_IN_CONFIG, SET_OTHERWISE, SETTING_NOT_TAKEN
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import DiskSettings, InterfaceSettings, set_disk, set_interface, show_domain
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, places
from tests.raising import raising

MAC = "52:54:00:00:00:01"
INTERFACE = f"<interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>"
OTHER = "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000e'/></interface>"


@pytest.fixture
def domain(connection: Connection, tmp_path: Path) -> Domain:
    """A running, paused domain with two disks and two interfaces."""
    disks = disk_xml(tmp_path, "one", "vda") + disk_xml(tmp_path, "two", "vdb", "<serial>two</serial>")
    found = connection.define(domain_xml(extra=disks + INTERFACE + OTHER))
    found.start(paused=True)
    return found


def device(domain: Domain, definition: Definition, number: int, tag: str = "disk") -> Element:
    return parse(domain.xml(definition)).findall(f"devices/{tag}")[number]


def test_limits_hold_at_once_and_after_the_next_start(domain: Domain, connection: Connection, uri: str) -> None:
    before = {each: parse(domain.xml(each)) for each in (LIVE, CONFIG)}
    change = set_disk(connection, "a", "vdb", DiskSettings(read_iops_sec=500, total_bytes_sec=10 << 20))
    assert [(setting.name, setting.changed) for setting in change.settings] == [
        ("total-bytes-sec", (LIVE, CONFIG)),
        ("read-iops-sec", (LIVE, CONFIG)),
    ]
    assert change.changes == ()
    for definition, document in before.items():
        after = parse(domain.xml(definition))
        tune = after.findall("devices/disk")[1].find("iotune")
        assert {each.tag: each.text for each in tune} == {"total_bytes_sec": "10485760", "read_iops_sec": "500"}  # type: ignore[union-attr]
        tune.getparent().remove(tune)  # type: ignore[union-attr,arg-type]
        assert same(document, after)
    assert "read-iops-sec is 500 already" in done(uri, "disk", "set", "a", "vdb", "--read-iops-sec", "500")


def test_limit_beside_another_leaves_that_and_zero_takes_one_away(domain: Domain, connection: Connection) -> None:
    """libvirt's own call drops the limits of a group that it is not told (9.0)."""
    handle = domain._handle
    handle.setBlockIoTune("vda", {"read_iops_sec": 500}, 2)
    handle.setBlockIoTune("vda", {"write_iops_sec": 300}, 2)
    assert device(domain, CONFIG, 0).find("iotune/read_iops_sec") is None  # so does stock
    for parameters in ({"read_iops_sec": 500}, {"read_iops_sec": 500, "read_iops_sec_max": 900}):
        for flag in (1, 2):
            handle.setBlockIoTune("vda", parameters, flag)
    set_disk(connection, "a", "vda", DiskSettings(write_iops_sec=300))
    for definition in (LIVE, CONFIG):
        tune = device(domain, definition, 0).find("iotune")
        wanted = {"read_iops_sec": "500", "write_iops_sec": "300", "read_iops_sec_max": "900"}
        assert {each.tag: each.text for each in tune} == wanted  # type: ignore[union-attr]
    set_disk(connection, "a", "vda", DiskSettings(read_iops_sec=0))
    for definition in (LIVE, CONFIG):
        assert [each.tag for each in device(domain, definition, 0).find("iotune")] == ["write_iops_sec"]  # type: ignore[union-attr]
    set_disk(connection, "a", "vda", DiskSettings(write_iops_sec=0))
    assert [device(domain, each, 0).find("iotune") for each in (LIVE, CONFIG)] == [None, None]


def test_cache_and_discard_wait_for_the_next_start(domain: Domain, connection: Connection, uri: str) -> None:
    before, running, addresses = parse(domain.xml(CONFIG)), domain.xml(LIVE), places(domain, CONFIG)
    text = done(uri, "disk", "set", "a", "vdb", "--cache", "writethrough", "--discard", "unmap")
    assert "a disk vdb: cache is writethrough, was default, in config" in text
    assert "for the guest: disk vdb: driver discard is set to unmap (was not given)" in text
    assert "cache writethrough waits" in text
    assert domain.xml(LIVE) == running
    driver = before.findall("devices/disk/driver")[1]
    driver.set("cache", "writethrough")
    driver.set("discard", "unmap")
    assert same(before, parse(domain.xml(CONFIG)))
    assert places(domain, CONFIG) == addresses
    done(uri, "disk", "set", "a", "vdb", "--cache", "default", "--discard", "ignore")
    assert [device(domain, CONFIG, 1).find("driver").get(key) for key in ("cache", "discard")] == [None, "ignore"]  # type: ignore[union-attr]


def test_cable_is_pulled_and_put_in_again(domain: Domain, connection: Connection, uri: str) -> None:
    before = {each: parse(domain.xml(each)) for each in (LIVE, CONFIG)}
    addresses = places(domain, LIVE)
    change = set_interface(connection, "a", MAC, InterfaceSettings(link="down"))
    assert [str(each) for each in change.changes] == [f"interface {MAC}: link state is set to down (was not given)"]
    for definition, document in before.items():
        after = parse(domain.xml(definition))
        link = after.find("devices/interface/link[@state='down']")
        assert link is not None
        link.getparent().remove(link)  # type: ignore[union-attr]
        assert same(document, after)
    assert places(domain, LIVE) == places(domain, CONFIG) == addresses
    done(uri, "interface", "set", "a", MAC, "--link", "up")
    assert [device(domain, each, 0, "interface").find("link").get("state") for each in (LIVE, CONFIG)] == ["up", "up"]  # type: ignore[union-attr]


def test_cable_that_qemu_cannot_put_elsewhere_leaves_all_as_it_was(domain: Domain, connection: Connection) -> None:
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(SETTING_NOT_TAKEN, settings="link, bridge") as caught:
        set_interface(connection, "a", MAC, InterfaceSettings(link="down", bridge="lo"))
    assert "--config" in hints.hint(caught.value)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before
    change = set_interface(connection, "a", MAC, InterfaceSettings(bridge="lo"), config_only=True)
    assert change.settings[0].before == {CONFIG: "user"}
    assert places(domain, CONFIG) == places(domain, LIVE)
    assert device(domain, CONFIG, 0, "interface").find("source").get("bridge") == "lo"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "command", [["disk", "set", "a", "vda", "--read-iops-sec", "5"], ["interface", "set", "a", MAC, "--link", "down"]]
)
def test_dry_run_and_config_and_json(domain: Domain, uri: str, command: list[str]) -> None:
    before, running = domain.xml(CONFIG), domain.xml(LIVE)
    would = json.loads(done(uri, *command, "--dry-run", "-o", "json"))
    assert would["settings"][0]["changed"] == ["live", "config"]
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == (before, running)
    assert "nothing was changed" in done(uri, *command, "--dry-run")
    assert json.loads(done(uri, *command, "--config", "-o", "json"))["settings"][0]["changed"] == ["config"]
    assert (domain.xml(CONFIG) == before, domain.xml(LIVE)) == (False, running)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["disk", "set", "a", "vdz", "--cache", "none"], 4, "has no disk 'vdz'"),
        (["interface", "set", "a", "vda", "--link", "down"], 4, "has no interface 'vda'"),
        (["disk", "set", "nosuch", "vda", "--cache", "none"], 4, "there is no domain 'nosuch'"),
        (["disk", "set", "a", "vda"], 2, "no setting was given"),
        (["disk", "set", "a", "vda", "--cache", "fast"], 2, "there is no disk cache mode 'fast'"),
        (["disk", "set", "a", "vda", "--read-iops-sec", "-1"], 2, "read-iops-sec cannot be -1"),
        (["disk", "set", "a", "vda", "--read-iops-sec", str(10**16)], 2, "it is at most"),
        (["disk", "set", "a", "vda", "--read-bytes-sec", "5"], 2, "is not a size"),
        (["disk", "set", "a", "vda", "--read-iops-sec", "5", "--total-iops-sec", "5"], 1, "at the same time"),
        (["interface", "set", "a", MAC], 2, "no setting was given"),
        (["interface", "set", "a", MAC, "--network", "x", "--bridge", "y"], 2, "or on a bridge, not on both"),
        (["interface", "set", "a", MAC, "--bridge", ""], 2, "must have a name"),
    ],
)
def test_bad_requests_change_nothing(domain: Domain, uri: str, command: list[str], code: int, words: str) -> None:
    before = domain.xml(CONFIG), domain.xml(LIVE)
    result = run(uri, *command)
    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_device_that_only_config_has_is_set_there(domain: Domain, connection: Connection, tmp_path: Path) -> None:
    domain.attach(disk_xml(tmp_path, "three", "vdc"), CONFIG)
    change = set_disk(connection, "a", "vdc", DiskSettings(read_iops_sec=5))
    assert change.settings[0].changed == (CONFIG,)
    domain.detach(disk_xml(tmp_path, "three", "vdc"), CONFIG)
    with raising(NOT_IN_CONFIG, device="vdc"):
        set_disk(connection, "a", "vdc", DiskSettings(read_iops_sec=5), config_only=True)


def test_device_that_somebody_takes_away_meanwhile_is_told(
    domain: Domain, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Domain.set_io_limits

    def meanwhile(self: Domain, target: str, parameters: dict[str, int], definition: Definition) -> None:
        call(self, target, parameters, definition)
        if definition is CONFIG:
            domain.detach(disk_xml(tmp_path, "two", "vdb"), CONFIG)

    monkeypatch.setattr(Domain, "set_io_limits", meanwhile)
    differences = (
        "config changed elsewhere too: disk vdb is removed, it was at pci 0000:04:00.0",
        "config has another read-iops-sec than was asked for",
    )
    with raising(SET_OTHERWISE, differences=differences):
        set_disk(connection, "a", "vdb", DiskSettings(read_iops_sec=5))


def test_interface_that_is_no_cable_does_not_become_one(connection: Connection) -> None:
    """A device of the host that is passed through is other hardware."""
    hostdev = (
        f"<interface type='hostdev'><source><address type='pci' bus='9'/></source><mac address='{MAC}'/></interface>"
    )
    domain = connection.define(domain_xml(extra=hostdev))
    before = domain.xml(CONFIG)
    with raising(UNASKED_SETTING, changes=f"interface {MAC}: type is bridge, was hostdev") as caught:
        set_interface(connection, "a", MAC, InterfaceSettings(bridge="br0"))
    assert "holdfast edit a" in hints.hint(caught.value)
    assert domain.xml(CONFIG) == before


@pytest.fixture
def networked(daemon_uri: str) -> Iterator[Connection]:
    """A private libvirtd with two networks, and a running domain on one of them."""
    with open_connection(daemon_uri) as connection:
        networks = [
            connection._handle.networkCreateXML(f"<network><name>{name}</name><bridge name='hf{name}'/></network>")
            for name in ("one", "two")
        ]
        interface = INTERFACE.replace("'user'>", "'network'><source network='one'/>")
        domain = connection.define(domain_xml("net", extra=interface))
        domain.start(paused=True)
        yield connection
        domain.destroy()
        domain.undefine()
        for network in networks:
            network.destroy()


def test_cable_goes_into_another_network_while_it_runs(networked: Connection) -> None:
    domain = networked.find_domain("net")
    before, addresses = parse(domain.xml(CONFIG)), places(domain, LIVE)
    tap = device(domain, LIVE, 0, "interface").find("target").get("dev")  # type: ignore[union-attr]
    change = set_interface(networked, "net", MAC, InterfaceSettings(network="two"))
    assert (change.settings[0].changed, change.changes) == ((LIVE, CONFIG), ())
    live = device(domain, LIVE, 0, "interface")
    assert (live.find("source").get("bridge"), live.find("target").get("dev")) == ("hftwo", tap)  # type: ignore[union-attr]
    before.find("devices/interface/source").set("network", "two")  # type: ignore[union-attr]
    assert same(before, parse(domain.xml(CONFIG)))
    set_interface(networked, "net", MAC, InterfaceSettings(bridge="hfone"))
    assert device(domain, LIVE, 0, "interface").find("source").get("bridge") == "hfone"  # type: ignore[union-attr]
    assert places(domain, LIVE) == places(domain, CONFIG) == addresses
    assert show_domain(networked, "net").changes == ()


def test_network_that_is_not_there_or_not_started_changes_nothing(networked: Connection) -> None:
    domain = networked.find_domain("net")
    network = networked._handle.networkDefineXML("<network><name>off</name><bridge name='hfoff'/></network>")
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(NO_NETWORK, network="three"):
        set_interface(networked, "net", MAC, InterfaceSettings(network="three"))
    why = "Requested operation is not valid: network 'off' is not active"
    with raising(SETTING_NOT_TAKEN, cause=why):
        set_interface(networked, "net", MAC, InterfaceSettings(network="off"))
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before
    network.undefine()
