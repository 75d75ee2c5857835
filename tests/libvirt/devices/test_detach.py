"""Detach: out of config at once, out of live with the guest's answer, and finished by repeating it.

The guest here is firmware without a system, which never answers; QEMU itself releases the device at a reset.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from holdfast.cli import hints
from holdfast.domainxml.device import describe
from holdfast.domainxml.document import devices, parse
from holdfast.errors import devices as errors
from holdfast.errors.libvirt import REFUSED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.devices.attach import attach_device
from holdfast.operations.devices.detach import detach_device
from holdfast.operations.devices.list import list_devices
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, place, places, running
from tests.libvirt.moments import once_it_waits
from tests.raising import raising

both_machines = pytest.mark.parametrize("machine", ["q35", "pc"])


@both_machines
def test_guest_that_does_not_answer_is_partly_done_and_finished_by_repeating(
    connection: Connection, tmp_path: Path, machine: str
) -> None:
    domain = running(connection, machine=machine)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    held = f"disk vda pci {place(domain, 'vda')}"
    with raising(errors.NOT_RELEASED_PAUSED, errors.NOT_RELEASED, device=held) as partly:
        detach_device(connection, "a", "vda", timeout=0)
    assert "resume it" in hints.hint(partly.value)
    assert "vda" not in places(domain, CONFIG)
    assert "vda" in places(domain, LIVE)
    (waiting,) = [device for device in list_devices(connection, "a") if device.waits]
    assert (waiting.label, waiting.waits) == ("vda", "detached; the guest has not released it")
    with raising(errors.NOT_RELEASED_PAUSED):
        detach_device(connection, "a", "vda", timeout=0)
    domain.reset()
    assert detach_device(connection, "a", "vda", timeout=PATIENCE).label == "vda"
    assert "vda" not in places(domain, LIVE)
    assert domain.metadata("https://holdfast.dev/xmlns/domain/1", CONFIG) is None
    with raising(errors.NO_DEVICE, device="vda"):
        detach_device(connection, "a", "vda")


def test_repeated_detach_finishes_after_the_domain_was_switched_off(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    with raising(errors.NOT_RELEASED_PAUSED):
        detach_device(connection, "a", "vda", timeout=0)
    domain.destroy()
    domain.start(paused=True)
    assert "vda" not in places(domain, LIVE)
    assert detach_device(connection, "a", "vda").definitions == ()


def test_unreleased_place_is_not_given_away(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    held = place(domain, "vda")
    with raising(errors.NOT_RELEASED_PAUSED):
        detach_device(connection, "a", "vda", timeout=0)
    with raising(errors.TAKEN, holder=f"disk vda pci {held}"):
        attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert attach_device(connection, "a", disk_xml(tmp_path, "two")).label == "vdb"
    assert place(domain, "vdb") != held


def test_stock_detach_returns_as_if_it_were_done(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    domain.detach(disk_xml(tmp_path, "one", "vda"), LIVE)
    assert "vda" in places(domain, LIVE)


def test_detach_of_a_shut_off_domain_leaves_everything_else_as_it_was(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml())
    names = ["one", "two", "three"]
    for name in names:
        attach_device(connection, "a", disk_xml(tmp_path, name))
    before = [describe(device) for device in devices(parse(domain.xml(CONFIG)))]
    detach_device(connection, "a", "vdb")
    after = [describe(device) for device in devices(parse(domain.xml(CONFIG)))]
    assert [device for device in before if "vdb" not in device] == after
    freed = attach_device(connection, "a", disk_xml(tmp_path, "four"))
    assert freed.label == "vdb"


def test_config_only_detach_leaves_live_alone(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert detach_device(connection, "a", "vda", config_only=True).definitions == (CONFIG,)
    assert "vda" in places(domain, LIVE)
    with raising(errors.IN_LIVE_ONLY):
        detach_device(connection, "a", "vda", config_only=True)


def test_device_can_be_named_by_alias_mac_and_address(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml())
    nic = attach_device(connection, "a", "<interface type='user'><model type='virtio'/></interface>")
    rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"
    attach_device(connection, "a", rng)
    disk = attach_device(connection, "a", disk_xml(tmp_path, "one"))
    assert detach_device(connection, "a", nic.label.upper(), tag="interface").label == nic.label
    assert detach_device(connection, "a", "ua-rng").label == "ua-rng"
    assert detach_device(connection, "a", (disk.address or "").removeprefix("pci 0000:")).label == "vda"


def test_unknown_device_is_not_found_and_names_what_there_is(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml())
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    with raising(errors.NO_DEVICE_OF_KIND, device="vdz") as raised:
        detach_device(connection, "a", "vdz", tag="disk")
    assert hints.hint(raised.value) == "it has vda"
    with raising(errors.NO_DEVICE, kind="interface", device="vda"):
        detach_device(connection, "a", "vda", tag="interface")


def test_device_that_cannot_be_detached_stays_in_both(connection: Connection) -> None:
    domain = running(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(REFUSED):
        detach_device(connection, "a", "pci 1")
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_dry_run_changes_nothing(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    before = domain.xml(CONFIG), domain.xml(LIVE)
    assert detach_device(connection, "a", "vda", dry_run=True).definitions == (LIVE, CONFIG)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_commands_attach_list_and_detach(uri: str, connection: Connection, tmp_path: Path) -> None:
    running(connection)
    disk_xml(tmp_path, "one")
    out = done(uri, "disk", "attach", "a", f"path={tmp_path}/one.img,format=raw")
    assert out == "attached vda at pci 0000:02:00.0, in live and config\n"
    assert "vda" in done(uri, "disk", "list", "a")
    assert "attached 52:54:00:00:00:07" in done(uri, "interface", "attach", "a", "user,mac=52:54:00:00:00:07")
    assert "user" in done(uri, "interface", "list", "a")
    unanswered = run(uri, "disk", "detach", "a", "vda", "--timeout", "0")
    assert unanswered.exit_code == 5
    assert "the guest has not released it" in done(uri, "disk", "list", "a")
    file = tmp_path / "rng.xml"
    file.write_text("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
    assert "attached ua-" in done(uri, "device", "attach", "a", str(file))
    assert run(uri, "device", "attach", "a", "/nonexistent.xml").exit_code == 4
    assert run(uri, "disk", "attach", "a", f"path={tmp_path}/one.img").exit_code == 2
    assert run(uri, "disk", "detach", "nope", "vda").exit_code == 4


def test_new_image_is_made_for_an_attach_and_removed_when_it_fails(
    uri: str, connection: Connection, tmp_path: Path
) -> None:
    running(connection, ports=3)
    new = tmp_path / "new.qcow2"
    assert "would attach vda" in done(uri, "disk", "attach", "a", f"size=8MiB,path={new}", "--dry-run")
    assert not new.exists()
    done(uri, "disk", "attach", "a", f"size=8MiB,path={new}")
    assert new.exists()
    done(uri, "disk", "attach", "a", f"size=8MiB,path={tmp_path}/second.qcow2")
    third = tmp_path / "third.qcow2"
    assert run(uri, "disk", "attach", "a", f"size=8MiB,path={third}").exit_code == 3
    assert not third.exists()


def test_interrupted_detach_is_named_and_finished_by_repeating(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    with pytest.raises(KeyboardInterrupt), once_it_waits(lambda: os.kill(os.getpid(), signal.SIGINT)):
        detach_device(connection, "a", "vda", timeout=PATIENCE)
    assert "vda" not in places(domain, CONFIG)
    (waiting,) = [device for device in list_devices(connection, "a") if device.waits]
    assert waiting.waits == "detached; the guest has not released it"
    domain.resume()
    domain.reset()
    assert detach_device(connection, "a", "vda", timeout=PATIENCE).label == "vda"
    assert not [device for device in list_devices(connection, "a") if device.waits]


RNG = "<rng model='virtio'><rate bytes='{}'/><backend model='random'>/dev/urandom</backend></rng>"


def test_device_is_detached_by_the_element_it_was_attached_with(
    uri: str, connection: Connection, tmp_path: Path
) -> None:
    domain = connection.define(domain_xml())
    one, two = tmp_path / "one.xml", tmp_path / "two.xml"
    one.write_text(RNG.format(1000))
    two.write_text(RNG.format(2000))
    for file in (one, two):
        done(uri, "device", "attach", "a", str(file))
    both = tmp_path / "both.xml"
    both.write_text("<rng model='virtio'/>")
    before = domain.xml(CONFIG)
    assert run(uri, "device", "detach", "a", str(both)).exit_code == 3
    assert domain.xml(CONFIG) == before
    done(uri, "device", "detach", "a", str(one))
    assert "1000" not in domain.xml(CONFIG)
    assert "2000" in domain.xml(CONFIG)
    assert run(uri, "device", "detach", "a", str(one)).exit_code == 4
    assert run(uri, "device", "detach", "a", str(tmp_path / "none.xml")).exit_code == 4
    one.write_text("<rng")
    assert run(uri, "device", "detach", "a", str(one)).exit_code == 2


def test_of_a_transient_domain_nothing_is_said_of_a_config_or_a_next_start(
    connection: Connection, tmp_path: Path
) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    domain.undefine()
    with raising(errors.NOT_RELEASED_TRANSIENT, device="disk vda pci 0000:02:00.0"):
        detach_device(connection, "a", "vda", timeout=0)
