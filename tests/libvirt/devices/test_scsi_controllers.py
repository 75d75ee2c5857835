"""The SCSI controllers that a device needs are known before, made as ours are, and taken back with a failed attach."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.device import label
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import AddedController, Attaching
from holdfast.domainxml.metadata import facts
from holdfast.errors import devices
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import Attached, DiskSpec, DomainSpec, attach_device, create_domain, detach_device
from holdfast.operations.audit.hosts import audit_host
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, place, running, text_of
from tests.libvirt.moments import once_it_waits
from tests.raising import raising

SCSI = "<controller type='scsi' index='0' model='{}'/>"
REFUSED = "<blockio logical_block_size='513'/>"
"""libvirt (9.0) takes it into config, and QEMU does not take it at all."""
ISCSI = (
    "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='iqn.2026-11.org.example:x/1'>"
    "<host name='localhost' port='9'/></source></hostdev>"
)


def scsi_of(domain: Domain, definition: Definition) -> dict[str, str | None]:
    """The SCSI controllers of one document, with their models."""
    found = parse(domain.xml(definition)).iterfind("devices/controller[@type='scsi']")
    return {label(controller): controller.get("model") for controller in found}


def as_promised(connection: Connection, device: str, *, config_only: bool = False) -> Attached:
    """Attach ``device`` to the domain "a", of which a dry run has said beforehand what comes along."""
    would = attach_device(connection, "a", device, config_only=config_only, dry_run=True)
    made = attach_device(connection, "a", device, config_only=config_only)
    assert (would.address, would.brought, would.definitions) == (made.address, made.brought, made.definitions)
    return made


@pytest.mark.parametrize("machine", ["q35", "pc"])
@pytest.mark.parametrize("is_running", [True, False])
def test_the_eighth_disk_brings_a_controller_of_the_model_that_is_there(
    connection: Connection, tmp_path: Path, machine: str, is_running: bool
) -> None:
    domain = connection.define(domain_xml(machine=machine, extra=SCSI.format("virtio-scsi")))
    if is_running:
        domain.start(paused=True)
    made = as_promised(connection, disk_xml(tmp_path, "one", "sdh", bus="scsi"))
    assert len(made.brought) == 1 and made.brought[0].startswith("controller scsi 1 virtio-scsi, pci ")
    for definition in made.definitions:
        assert scsi_of(domain, definition) == {"scsi 0": "virtio-scsi", "scsi 1": "virtio-scsi"}


def test_a_controller_of_another_model_gets_its_like(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, machine="pc", extra=SCSI.format("lsilogic"))
    as_promised(connection, disk_xml(tmp_path, "one", "sdh", bus="scsi"))
    assert scsi_of(domain, LIVE) == scsi_of(domain, CONFIG) == {"scsi 0": "lsilogic", "scsi 1": "lsilogic"}


def test_all_controllers_up_to_that_of_the_disk_are_ours_and_go_with_it(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    as_promised(connection, disk_xml(tmp_path, "one", "sdq", bus="scsi"))
    assert (
        scsi_of(domain, LIVE) == scsi_of(domain, CONFIG) == dict.fromkeys(("scsi 0", "scsi 1", "scsi 2"), "virtio-scsi")
    )
    detach_device(connection, "a", "sdq", config_only=True)
    assert scsi_of(domain, CONFIG) == {}


def test_a_port_that_comes_with_a_controller_is_promised_too(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(ports=1))
    before = domain.xml(CONFIG)
    made = as_promised(connection, disk_xml(tmp_path, "one", "sdh", bus="scsi"))
    assert any(words.startswith("controller pci ") for words in made.brought)
    detach_device(connection, "a", "sdh")
    assert text_of(domain, CONFIG) == before


def test_a_scsi_device_of_the_host_brings_the_same_controller_as_a_disk(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    for number in range(8):
        as_promised(connection, ISCSI.replace("x/1", f"x/{number}"))
    assert scsi_of(domain, CONFIG) == {"scsi 0": "virtio-scsi", "scsi 1": "virtio-scsi"}


def test_too_few_places_for_all_controllers_are_too_few(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, ports=2)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    for dry_run in (True, False):
        with raising(devices.NO_FREE_PLACE, needed=2):
            attach_device(connection, "a", disk_xml(tmp_path, "one", "sdh", bus="scsi"), dry_run=dry_run)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_a_target_far_from_all_others_is_refused(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    for dry_run in (True, False):
        with raising(devices.FAR_TARGET, count=101):
            attach_device(connection, "a", disk_xml(tmp_path, "one", "sdzz", bus="scsi"), dry_run=dry_run)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_new_domain_gets_no_controllers_that_nothing_is_behind(connection: Connection, tmp_path: Path) -> None:
    def spec(*targets: str) -> DomainSpec:
        disks = [DiskSpec(path=str(tmp_path / target), size=1024**2, target=target, bus="scsi") for target in targets]
        return DomainSpec(memory=64 * 1024**2, vcpus=1, disks=tuple(disks), graphics="none")

    with raising(devices.FAR_TARGET, device="disk sdzz", count=101):
        create_domain(connection, "a", spec("sda", "sdzz"))
    assert not list(tmp_path.iterdir()) and not connection.domains()
    create_domain(connection, "a", spec("sda", "sdh", "sdo"), dry_run=True)


def test_a_new_domain_has_all_controllers_for_its_disks(connection: Connection, tmp_path: Path) -> None:
    images = [str(tmp_path / f"{number}.img") for number in range(8)]
    disks = tuple(DiskSpec(path=path, bus="scsi", size=1024 * 1024) for path in images)
    create_domain(connection, "a", DomainSpec(memory=64 * 1024 * 1024, disks=disks))
    assert scsi_of(connection.find_domain("a"), CONFIG) == {"scsi 0": "virtio-scsi", "scsi 1": "virtio-scsi"}


@pytest.mark.parametrize("target", ["sda", "sdh"])
@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_a_controller_goes_again_where_the_running_domain_does_not_take_its_disk(
    connection: Connection, tmp_path: Path, target: str, machine: str
) -> None:
    domain = connection.define(domain_xml(machine=machine, extra=SCSI.format("virtio-scsi") if target == "sdh" else ""))
    domain.start()
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with once_it_waits(domain.reset), raising(devices.LIVE_REFUSES) as raised:
        attach_device(connection, "a", disk_xml(tmp_path, "one", target, REFUSED, bus="scsi"))
    assert raised.value.exit_code == 1
    after = (text_of(domain, each) for each in (CONFIG, LIVE))
    assert tuple(after) == before


@pytest.mark.parametrize("device", ["disk", "hostdev"])
def test_a_controller_that_the_guest_does_not_give_back_is_named_and_a_detach_takes_it_away(
    connection: Connection, uri: str, tmp_path: Path, device: str
) -> None:
    domain = running(connection)
    refused = ISCSI if device == "hostdev" else disk_xml(tmp_path, "one", "sda", REFUSED, bus="scsi")
    file = tmp_path / "device.xml"
    file.write_text(refused)
    result = run(uri, "device", "attach", "a", str(file))
    assert result.exit_code == 5
    assert (
        "what was added for it is still there (controller scsi 0), because the guest has not released" in result.stderr
    )
    assert "'holdfast device detach a \"scsi 0\"' finishes undoing the attach" in result.stderr
    assert (scsi_of(domain, CONFIG), scsi_of(domain, LIVE)) == ({}, {"scsi 0": "virtio-scsi"})
    for dry_run in (True, False):
        with raising(devices.CONTROLLER_IN_LIVE_ONLY, controller="scsi 0"):
            attach_device(connection, "a", disk_xml(tmp_path, "two", "sda", bus="scsi"), dry_run=dry_run)
    domain.reset()
    detach_device(connection, "a", "scsi 0", timeout=PATIENCE)
    assert scsi_of(domain, LIVE) == {} and "holdfast" not in domain.xml(CONFIG) + domain.xml(LIVE)


@pytest.mark.parametrize("repeated", ["attach", "detach"])
def test_an_attach_that_broke_off_after_its_controller_came_is_finished_or_taken_back(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeated: str
) -> None:
    domain, disk = running(connection), disk_xml(tmp_path, "one", "sda", bus="scsi")
    real = Domain.attach

    def broken(self: Domain, device: str, definition: Definition) -> None:
        if device.startswith("<disk"):
            raise KeyboardInterrupt
        real(self, device, definition)

    with monkeypatch.context() as patch:
        patch.setattr(Domain, "attach", broken)
        with pytest.raises(KeyboardInterrupt):
            attach_device(connection, "a", disk)
    (begun,) = facts(parse(domain.xml(CONFIG)), Attaching)
    assert f"the attach of disk {begun.alias} is under way, or was interrupted" in found(connection)
    if repeated == "attach":
        attach_device(connection, "a", disk)
        for definition in (LIVE, CONFIG):
            assert [fact.controller for fact in facts(parse(domain.xml(definition)), AddedController)] == ["scsi 0"]
    else:
        detach_device(connection, "a", begun.alias, timeout=0)
        assert scsi_of(domain, CONFIG) == {}
    assert facts(parse(domain.xml(CONFIG)), Attaching) == []


def test_a_controller_that_came_to_config_alone_comes_to_live_when_the_attach_is_repeated(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain, disk = running(connection), disk_xml(tmp_path, "one", "sda", bus="scsi")
    real = Domain.attach

    def broken(self: Domain, device: str, definition: Definition) -> None:
        if definition is LIVE:
            raise KeyboardInterrupt
        real(self, device, definition)

    with monkeypatch.context() as patch:
        patch.setattr(Domain, "attach", broken)
        with pytest.raises(KeyboardInterrupt):
            attach_device(connection, "a", disk)
    assert (scsi_of(domain, CONFIG), scsi_of(domain, LIVE)) == ({"scsi 0": "virtio-scsi"}, {})
    would = attach_device(connection, "a", disk, dry_run=True)
    made = attach_device(connection, "a", disk)
    assert (would.address, would.brought, would.definitions) == (made.address, made.brought, made.definitions)
    assert place(domain, "scsi 0") and scsi_of(domain, LIVE) == scsi_of(domain, CONFIG)
    for definition in (LIVE, CONFIG):
        document = parse(domain.xml(definition))
        assert [fact.controller for fact in facts(document, AddedController)] == ["scsi 0"]
        assert document.find("devices/disk") is not None
    assert "attaching" not in domain.xml(CONFIG)


def test_a_waiting_controller_that_live_does_not_get_stays_in_config(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", SCSI.format("virtio-scsi"), config_only=True)
    domain.resume()
    before = text_of(domain, CONFIG), text_of(domain, LIVE)
    with once_it_waits(domain.reset), raising(devices.LIVE_REFUSES):
        attach_device(connection, "a", disk_xml(tmp_path, "one", "sda", REFUSED, bus="scsi"))
    assert (text_of(domain, CONFIG), text_of(domain, LIVE)) == before


def found(connection: Connection) -> list[str]:
    """What the audit says of the only domain."""
    (report,) = audit_host(connection).domains
    return [finding.sentence for finding in report.findings]
