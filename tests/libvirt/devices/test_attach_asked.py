"""What a dry run of an attach says is libvirt's word, and an address that is a slip adds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.document import parse
from holdfast.errors import LibvirtRefused
from holdfast.errors.devices import FAR_ADDRESS
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import attach_device
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, running
from tests.raising import raising

FAR = [
    "<rng model='virtio'><backend model='builtin'/><address type='pci' bus='{0}' slot='0' function='0'/></rng>",
    "<channel type='pty'><target type='virtio' name='x'/>"
    "<address type='virtio-serial' controller='{0}' bus='0' port='1'/></channel>",
]


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_place_for_which_several_controllers_would_come_is_refused(
    connection: Connection, tmp_path: Path, is_running: bool, kind: int
) -> None:
    far = [*FAR, disk_xml(tmp_path, "d", "sda", "<address type='drive' controller='{0}' unit='0'/>", bus="scsi")]
    domain = running(connection) if is_running else connection.define(domain_xml())
    before = domain.xml(CONFIG)
    for dry_run in (True, False):
        with raising(FAR_ADDRESS, count=(64 - 8, 31, 31)[kind]):
            attach_device(connection, "a", far[kind].format(30 if kind else 64), dry_run=dry_run)
    assert domain.xml(CONFIG) == before


def test_the_next_bus_may_come_and_is_named_before_and_afterwards(connection: Connection, uri: str) -> None:
    connection.define(domain_xml())
    would = attach_device(connection, "a", FAR[0].format(9), dry_run=True)
    made = attach_device(connection, "a", FAR[0].format(9))
    assert would.brought == made.brought != ()
    assert (would.address, would.asked_of_libvirt) == (made.address, True)


def test_what_libvirt_does_not_attach_is_refused_before(connection: Connection, uri: str, tmp_path: Path) -> None:
    connection.define(domain_xml())
    file = tmp_path / "device.xml"
    for device, words in (
        ("<graphics type='vnc'/>", "persistent attach of device 'graphics' is not supported"),
        ("<rng colour='red'><backend model='builtin'/></rng>", ""),
    ):
        file.write_text(device)
        result = run(uri, "device", "attach", "a", str(file), "--dry-run")
        assert (result.exit_code, words in result.stderr) == (1, True), result.output
    with pytest.raises(LibvirtRefused):
        attach_device(connection, "a", "<graphics type='vnc'/>", dry_run=True)


CHANNEL = "<channel type='pty'><target type='virtio' name='y'/></channel>"


@pytest.mark.parametrize(("is_running", "machine"), [(True, "q35"), (True, "pc"), (False, "q35"), (False, "pc")])
def test_a_dry_run_names_the_place_and_what_comes_along(
    connection: Connection, tmp_path: Path, is_running: bool, machine: str
) -> None:
    domain = running(connection, machine=machine) if is_running else connection.define(domain_xml(machine=machine))
    devices = [disk_xml(tmp_path, "one"), disk_xml(tmp_path, "two", bus="scsi")]
    for device in devices if is_running else [*devices, CHANNEL]:
        before = domain.xml(CONFIG)
        would = attach_device(connection, "a", device, dry_run=True)
        assert domain.xml(CONFIG) == before
        made = attach_device(connection, "a", device)
        assert (would.address, would.definitions, would.brought) == (made.address, made.definitions, made.brought)
        promised = parse(would.device)
        assert (describe_address(promised), promised.find("alias")) == (made.address, None)
    assert made.brought != ()


def test_a_dry_run_takes_the_place_that_is_free_in_both(connection: Connection, tmp_path: Path) -> None:
    """Config hands out the place of a device that live still has."""
    domain = running(connection)
    rng = "<rng model='virtio'><backend model='builtin'/><alias name='ua-held'/></rng>"
    held = attach_device(connection, "a", rng)
    domain.detach(held.device, CONFIG)
    device = disk_xml(tmp_path, "new", "vda")
    would = attach_device(connection, "a", device, dry_run=True)
    assert would.address == attach_device(connection, "a", device).address != held.address


def test_where_libvirt_is_not_asked_a_dry_run_says_so(connection: Connection, uri: str, tmp_path: Path) -> None:
    connection.define(domain_xml())
    file = tmp_path / "device.xml"
    file.write_text(FAR[0].format(3))
    assert "note: not asked of libvirt: " in done(uri, "-r", "device", "attach", "a", str(file), "--dry-run")
    assert "not asked" not in done(uri, "device", "attach", "a", str(file), "--dry-run")
