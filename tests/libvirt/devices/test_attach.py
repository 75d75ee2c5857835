"""Attach: live and config end with the device at one address, whatever stands beside it. On q35 and on i440fx.

Each case has the stock call beside it, which diverges or leaves something behind.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import holdfast
from holdfast.cli import hints
from holdfast.domainxml.document import parse, same
from holdfast.errors import (
    Failed,
    HoldfastError,
    LibvirtRefused,
    NoFreePlace,
    NotFound,
    devices,
    documents,
    domains,
    hosts,
)
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.devices.attach import attach_device
from holdfast.operations.devices.detach import detach_device
from holdfast.operations.devices.list import list_devices
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, place, places, running, text_of
from tests.libvirt.moments import a_lock_waited_for
from tests.raising import raising

MACHINES = ["q35", "pc"]
both_machines = pytest.mark.parametrize("machine", MACHINES)


def assert_agree(domain: Domain) -> None:
    assert places(domain, LIVE) == places(domain, CONFIG)


@both_machines
def test_attached_disk_has_one_address_and_serial_in_both(connection: Connection, tmp_path: Path, machine: str) -> None:
    domain = running(connection, machine=machine)
    attached = attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert attached.label == "vda"
    assert attached.definitions == (LIVE, CONFIG)
    assert f"pci {place(domain, 'vda')}" == attached.address
    serials = {parse(domain.xml(which)).findtext("devices/disk/serial") for which in (LIVE, CONFIG)}
    assert len(serials) == 1
    assert serials != {None}


@both_machines
def test_attached_interface_has_one_mac_in_both(connection: Connection, machine: str) -> None:
    domain = running(connection, machine=machine)
    attached = attach_device(connection, "a", "<interface type='user'><model type='virtio'/></interface>")
    assert place(domain, attached.label)


@both_machines
def test_config_only_neighbour_does_not_make_the_next_attach_diverge(
    connection: Connection, tmp_path: Path, machine: str
) -> None:
    domain = running(connection, machine=machine)
    attach_device(connection, "a", disk_xml(tmp_path, "one"), config_only=True)
    attach_device(connection, "a", disk_xml(tmp_path, "two"))
    assert place(domain, "vdb")
    assert "vda" not in places(domain, LIVE)


@both_machines
def test_stock_attach_beside_a_config_only_neighbour_diverges(
    connection: Connection, tmp_path: Path, machine: str
) -> None:
    domain = running(connection, machine=machine)
    domain.attach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    for which in (LIVE, CONFIG):
        domain.attach(disk_xml(tmp_path, "two", "vdb"), which)
    assert places(domain, LIVE)["vdb"] != places(domain, CONFIG)["vdb"]


@both_machines
def test_live_only_neighbour_does_not_make_the_next_attach_diverge(
    connection: Connection, tmp_path: Path, machine: str
) -> None:
    domain = running(connection, machine=machine)
    domain.attach(disk_xml(tmp_path, "one", "vda"), LIVE)
    attached = attach_device(connection, "a", disk_xml(tmp_path, "two"))
    assert attached.label == "vdb"
    assert place(domain, "vdb") != places(domain, LIVE)["vda"]


@both_machines
def test_unreleased_neighbour_keeps_its_place(connection: Connection, tmp_path: Path, machine: str) -> None:
    domain = running(connection, machine=machine)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    unreleased = place(domain, "vda")
    domain.detach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    attached = attach_device(connection, "a", disk_xml(tmp_path, "two"))
    assert attached.label == "vdb"
    assert place(domain, "vdb") != unreleased


def test_last_slot_of_i440fx_is_used_without_a_stray_bridge(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, machine="pc")
    count = 0
    with pytest.raises(NoFreePlace) as refused:
        while True:
            before = domain.xml(CONFIG)
            attach_device(connection, "a", disk_xml(tmp_path, f"disk{count}"))
            count += 1
    assert count == 29
    assert_agree(domain)
    assert "0 of them free" in refused.value.message
    assert same(parse(before), parse(domain.xml(CONFIG)))
    assert "pci-bridge" not in domain.xml(CONFIG)


def test_stock_attach_to_the_last_slot_of_i440fx_diverges(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, machine="pc")
    for count in range(28):
        attach_device(connection, "a", disk_xml(tmp_path, f"disk{count}"))
    domain.attach(disk_xml(tmp_path, "last", "vdzz"), CONFIG)
    assert "pci-bridge" in domain.xml(CONFIG)


def test_without_a_free_port_nothing_changes(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, ports=3)
    for count in range(2):
        attach_device(connection, "a", disk_xml(tmp_path, f"disk{count}"))
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with pytest.raises(NoFreePlace) as refused:
        attach_device(connection, "a", disk_xml(tmp_path, "more"))
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before
    assert refused.value.exit_code == 3
    assert "live has 3, 0 of them free" in refused.value.message
    assert "--config" in hints.hint(refused.value)
    attach_device(connection, "a", disk_xml(tmp_path, "more"), config_only=True)


def test_stock_attach_without_a_free_port_leaves_a_stray_port(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, ports=2)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    before = len(places(domain, CONFIG))
    domain.attach(disk_xml(tmp_path, "more", "vdb"), CONFIG)
    with pytest.raises(LibvirtRefused, match="Only PCI buses up to 2 are available"):
        domain.attach(
            disk_xml(tmp_path, "more", "vdb", "<address type='pci' bus='0x03' slot='0x00'/>"),
            LIVE,
        )
    domain.detach(disk_xml(tmp_path, "more", "vdb"), CONFIG)
    assert len(places(domain, CONFIG)) == before + 1


@pytest.mark.parametrize("machine", MACHINES)
def test_device_whose_controller_live_cannot_get_is_refused_without_a_trace(
    connection: Connection, machine: str
) -> None:
    domain = running(connection, machine=machine)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    channel = "<channel type='null'><target type='virtio' name='org.example.0'/></channel>"
    with pytest.raises(HoldfastError) as refused:
        attach_device(connection, "a", channel)
    assert refused.value.exit_code in (1, 3)
    assert "--config" in hints.hint(refused.value)
    assert (text_of(domain, CONFIG), text_of(domain, LIVE)) == before
    attached = attach_device(connection, "a", channel, config_only=True)
    assert any("virtio-serial" in controller for controller in attached.brought)


def test_scsi_disk_brings_its_controller_to_both_at_one_address(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    promised = attach_device(connection, "a", disk_xml(tmp_path, "one", bus="scsi"), dry_run=True)
    attached = attach_device(connection, "a", disk_xml(tmp_path, "one", bus="scsi"))
    assert (attached.label, promised.brought) == ("sda", attached.brought)
    assert attached.brought[0].startswith("controller scsi 0 virtio-scsi, pci ")
    assert_agree(domain)
    assert parse(domain.xml(LIVE)).find("devices/controller[@type='scsi']").get("model") == "virtio-scsi"  # type: ignore[union-attr]


def test_a_disk_that_libvirt_refuses_takes_its_controller_back_with_it(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml())
    before = domain.xml(CONFIG)
    floppy = disk_xml(tmp_path, "one", bus="scsi").replace("'disk'", "'floppy'")
    with pytest.raises(LibvirtRefused, match="floppy"):
        attach_device(connection, "a", floppy, config_only=True)
    assert text_of(domain, CONFIG) == before


@both_machines
@pytest.mark.parametrize("model", ["isa-serial", "usb-serial", "pci-serial"])
def test_a_first_serial_port_brings_a_console_and_takes_it_along(
    connection: Connection, machine: str, model: str
) -> None:
    domain = connection.define(domain_xml(machine=machine).replace(" model='none'", ""))
    before = domain.xml(CONFIG)
    serial = f"<serial type='pty'><target type='{model}'/><alias name='ua-port'/></serial>"
    promised = attach_device(connection, "a", serial, dry_run=True)
    attached = attach_device(connection, "a", serial)
    assert attached.brought == promised.brought
    assert any("console" in each for each in attached.brought)
    detach_device(connection, "a", "ua-port", tag="serial")
    assert sorted(text_of(domain, CONFIG).splitlines()) == sorted(before.splitlines())


def test_a_dry_run_names_an_element_that_is_no_device_as_the_attach_does(connection: Connection) -> None:
    connection.define(domain_xml())
    for dry_run in (True, False):
        with raising(documents.UNKNOWN_DEVICE):
            attach_device(connection, "a", "<foo/>", dry_run=dry_run)


def test_refusal_by_qemu_undoes_config(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    before = domain.xml(CONFIG)
    broken = image(tmp_path, "broken")
    xml = disk_xml(tmp_path, "one").replace("raw", "qcow2").replace(str(tmp_path / "one.img"), str(broken))
    with pytest.raises(Failed):
        attach_device(connection, "a", xml, trust_format=True)
    assert domain.xml(CONFIG) == before
    assert "vda" not in places(domain, LIVE)


def test_repeating_an_attach_that_stopped_after_config_finishes_it(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"), config_only=True)
    attached = attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert attached.label == "vda"
    assert place(domain, "vda")
    with raising(devices.TAKEN):
        attach_device(connection, "a", disk_xml(tmp_path, "one"))


def test_explicit_address_is_used_in_both(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one", "vda", "<address type='pci' bus='0x07' slot='0x00'/>"))
    assert str(place(domain, "vda")) == "0000:07:00.0"
    with raising(devices.TAKEN, what="the address 0000:07:00.0", holder="disk vda pci 0000:07:00.0"):
        attach_device(connection, "a", disk_xml(tmp_path, "two", "vdb", "<address type='pci' bus='0x07' slot='0x00'/>"))


@pytest.mark.parametrize("what", ["target", "MAC address", "alias", "image"])
def test_duplicates_are_refused(connection: Connection, tmp_path: Path, what: str) -> None:
    domain = running(connection)
    nic = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>{}</interface>"
    first, second, value = {
        "target": (disk_xml(tmp_path, "one", "vda"), disk_xml(tmp_path, "two", "vda"), "vda"),
        "MAC address": (nic.format(""), nic.format(""), "52:54:00:00:00:01"),
        "alias": (
            nic.format("<alias name='ua-x'/>"),
            nic.format("<alias name='ua-x'/>").replace("00:01", "00:02"),
            "ua-x",
        ),
        "image": (disk_xml(tmp_path, "one", "vda"), disk_xml(tmp_path, "one", "vdb"), f"{tmp_path}/one.img"),
    }[what]
    attach_device(connection, "a", first)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(devices.TAKEN, what=f"the {what} {value}"):
        attach_device(connection, "a", second)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_read_only_connection_is_refused_in_one_sentence(uri: str, connection: Connection, tmp_path: Path) -> None:
    running(connection)
    with holdfast.connect(uri, readonly=True) as readonly, pytest.raises(HoldfastError) as raised:
        attach_device(readonly, "a", disk_xml(tmp_path, "one"))
    assert raised.value.exit_code == 1
    assert hints.hint(raised.value) == "connect without --readonly, and not over a socket for readers"


def test_dry_run_changes_nothing_and_shows_the_request(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    planned = attach_device(connection, "a", disk_xml(tmp_path, "one"), dry_run=True)
    assert planned.label == "vda"
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_attach_to_a_shut_off_domain_goes_to_config(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml())
    attached = attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert attached.definitions == (CONFIG,)
    domain.start(paused=True)
    assert place(domain, "vda")


def test_transient_domain_gets_the_device_in_live(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    domain.undefine()
    assert not domain.is_persistent()
    attached = attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert attached.definitions == (LIVE,)
    with raising(domains.TRANSIENT):
        attach_device(connection, "a", disk_xml(tmp_path, "two"), config_only=True)


def test_domain_that_vanishes_while_waiting_is_not_found(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml())
    xml = disk_xml(tmp_path, "one")
    with ThreadPoolExecutor() as pool, a_lock_waited_for() as waited_for:
        with domain_lock(domain.uuid, domain.name):
            attach = pool.submit(attach_device, connection, "a", xml)
            waited_for()
            domain.undefine()
        with pytest.raises(NotFound):
            attach.result()


def test_attach_interrupted_before_live_is_shown_and_finished_by_repeating(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = running(connection)
    real = Domain.attach

    def interrupted(self: Domain, device: str, definition: Definition) -> None:
        if definition is LIVE:
            raise KeyboardInterrupt
        real(self, device, definition)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Domain, "attach", interrupted)
        attach_device(connection, "a", disk_xml(tmp_path, "one"))
    (waiting,) = [device for device in list_devices(connection, "a") if device.waits]
    assert waiting.waits == "in config only: comes with the next start"
    attached = attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert f"pci {place(domain, 'vda')}" == attached.address
    assert not [device for device in list_devices(connection, "a") if device.waits]


def test_somebody_elses_change_in_the_same_moment_is_said(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(connection)
    real = Domain.attach
    other = disk_xml(tmp_path, "other", "vdz")

    def crowded(self: Domain, device: str, definition: Definition) -> None:
        real(self, device, definition)
        if definition is LIVE:
            real(self, other, CONFIG)

    monkeypatch.setattr(Domain, "attach", crowded)
    with raising(devices.CHANGED_ELSEWHERE, definition="config", changes="disk vdz pci 0000:03:00.0"):
        attach_device(connection, "a", disk_xml(tmp_path, "one"))


def test_two_addresses_for_one_device_are_said(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(connection)
    real = Domain.attach

    def elsewhere(self: Domain, device: str, definition: Definition) -> None:
        if definition is LIVE:
            device = re.sub("bus=['\"]0x02['\"]", "bus='0x06'", device)
        real(self, device, definition)

    monkeypatch.setattr(Domain, "attach", elsewhere)
    with raising(devices.TWO_ADDRESSES, places="pci 0000:06:00.0 in live, pci 0000:02:00.0 in config"):
        attach_device(connection, "a", disk_xml(tmp_path, "one"))


def test_guest_without_acpi_has_no_hotplug_slots_on_i440fx(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(machine="pc").replace("<acpi/>", ""))
    domain.start(paused=True)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(devices.NO_FREE_PLACE, counts="live has 0, 0 of them free, config has 0, 0 of them free"):
        attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_managed_save_image_that_would_win_is_said(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    domain._handle.managedSave(0)
    (note,) = attach_device(connection, "a", disk_xml(tmp_path, "one")).notes
    assert "without this change" in note


def test_unknown_network_is_not_found(daemon_uri: str) -> None:
    with holdfast.connect(daemon_uri) as connection:
        domain = connection.define(domain_xml("net"))
        with raising(hosts.NO_NETWORK, network="nosuch"):
            attach_device(connection, "net", "<interface type='network'><source network='nosuch'/></interface>")
        domain.undefine()
