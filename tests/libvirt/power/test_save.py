"""Managed save: the guest continues with the hardware it was saved with, and whatever waits meanwhile is said."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.cli import hints
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import parse
from holdfast.errors import LibvirtRefused, domains, power
from holdfast.errors.images import IN_USE, NO_IMAGE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, places, running
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"


def saved(connection: Connection, extra: str = "", changed: bool = True) -> Domain:
    """A domain that was saved, and whose config got an rng since."""
    domain = running(connection, extra=extra)
    operations.save_domain(connection, "a")
    if changed:
        operations.attach_device(connection, "a", RNG)
    return domain


def image_of(uri: str) -> Path:
    """The managed-save image of the domain "a" on the embedded libvirt ``uri``."""
    return Path(uri.partition("root=")[2], "lib/qemu/save/a.save")


def test_saved_domain_continues_with_the_hardware_and_the_documents_it_had(
    connection: Connection, tmp_path: Path
) -> None:
    domain = running(connection, extra=disk_xml(tmp_path, "one", "vda"))
    live, config = parse(domain.xml(LIVE)), domain.xml(CONFIG)
    change = operations.save_domain(connection, "a")
    assert (change.before, change.after) == ("paused", "shut off")
    assert domain.has_managed_save()
    change = operations.restore_domain(connection, "a")
    assert (change.after, change.restored, change.waits) == ("paused", True, ())
    assert compare_documents(live, parse(domain.xml(LIVE))) == []
    assert domain.xml(CONFIG) == config
    assert not domain.has_managed_save()


def test_what_config_got_meanwhile_waits_and_is_said_by_show_restore_and_start(
    connection: Connection, uri: str
) -> None:
    domain = saved(connection)
    config = domain.xml(CONFIG)
    assert "At the start after the restore:\n  rng ua-rng is added at " in done(uri, "show", "a")
    assert [change.what for change in operations.show_domain(connection, "a").changes] == ["rng ua-rng"]
    for command in ("restore", "start"):
        assert "what config says comes with the start after that:\n  rng ua-rng" in done(uri, command, "a", "--dry-run")
    (sentence,) = operations.restore_domain(connection, "a").waits
    assert "rng ua-rng is added" in sentence
    assert "ua-rng" not in places(domain, LIVE)
    assert domain.xml(CONFIG) == config


def test_show_has_the_hardware_of_the_saved_guest(connection: Connection, tmp_path: Path) -> None:
    domain = saved(connection, extra=disk_xml(tmp_path, "one", "vda"), changed=False)
    domain.detach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    assert "disk vda" in str(operations.show_domain(connection, "a").hardware)
    assert [change.what for change in operations.show_domain(connection, "a").changes] == ["disk vda"]


def test_discarding_says_what_the_next_start_changes_and_the_next_start_boots(connection: Connection, uri: str) -> None:
    domain = saved(connection)
    assert "rng ua-rng is added" in done(uri, "discard-save", "a", "--dry-run")
    assert domain.has_managed_save()
    (sentence,) = operations.discard_save(connection, "a").sees
    assert "rng ua-rng is added" in sentence
    assert not operations.start(connection, "a", paused=True).restored
    assert "ua-rng" in places(domain, LIVE)


def test_disk_that_another_domain_got_meanwhile_stops_the_restore(connection: Connection, tmp_path: Path) -> None:
    domain = saved(connection, extra=disk_xml(tmp_path, "one", "vda"), changed=False)
    operations.detach_device(connection, "a", "vda")
    connection.define(domain_xml("b"))
    operations.attach_device(connection, "b", disk_xml(tmp_path, "one"))
    with raising(IN_USE, user="b"):
        operations.restore_domain(connection, "a")
    operations.detach_device(connection, "b", "vda")
    (tmp_path / "one.img").unlink()
    with raising(NO_IMAGE):
        operations.restore_domain(connection, "a")
    assert (domain.state(), domain.has_managed_save()) == ("shut off", True)


@pytest.mark.parametrize("policy", ["optional", "requisite", "mandatory"])
@pytest.mark.parametrize(("device", "target", "bus"), [("cdrom", "sda", "sata"), ("floppy", "fda", "fdc")])
def test_detached_medium_that_is_gone_stops_the_restore_only_where_it_stops_libvirt(
    connection: Connection, tmp_path: Path, device: str, target: str, bus: str, policy: str
) -> None:
    drive = disk_xml(tmp_path, "one", target, bus=bus).replace("device='disk'", f"device='{device}'")
    domain = saved(connection, drive.replace("one.img'", f"one.img' startupPolicy='{policy}'"), changed=False)
    operations.detach_device(connection, "a", target)
    (tmp_path / "one.img").unlink()
    if policy == "mandatory":
        with raising(NO_IMAGE):
            operations.restore_domain(connection, "a")
        with pytest.raises(LibvirtRefused):
            domain.start(paused=True)
    else:
        assert operations.restore_domain(connection, "a").after == "paused"


def test_detached_disk_that_a_start_may_lack_is_not_lacked_by_a_restore(connection: Connection, tmp_path: Path) -> None:
    disk = disk_xml(tmp_path, "one", "vda").replace("one.img'", "one.img' startupPolicy='optional'")
    saved(connection, disk, changed=False)
    operations.detach_device(connection, "a", "vda")
    (tmp_path / "one.img").unlink()
    with raising(NO_IMAGE):
        operations.restore_domain(connection, "a")


def test_detached_overlay_comes_back_with_what_is_below_it(connection: Connection, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.qcow2"
    base = ["-F", "qcow2", "-b", str(qcow2(tmp_path, "base"))]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *base, str(overlay)], check=True)
    saved(connection, qcow2_disk(overlay, "vda"), changed=False)
    operations.detach_device(connection, "a", "vda")
    assert operations.restore_domain(connection, "a").after == "paused"


def test_libvirt_itself_restores_a_disk_that_another_domain_got(connection: Connection, tmp_path: Path) -> None:
    domain = saved(connection, extra=disk_xml(tmp_path, "one", "vda"), changed=False)
    operations.detach_device(connection, "a", "vda")
    connection.define(domain_xml("b"))
    operations.attach_device(connection, "b", disk_xml(tmp_path, "one"))
    domain.start(paused=True)
    assert "vda" in places(domain, LIVE)


def test_restore_that_cannot_start_keeps_the_image(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = saved(connection, extra=disk_xml(tmp_path, "one", "vda"), changed=False)
    (tmp_path / "one.img").rename(tmp_path / "elsewhere")
    (tmp_path / "one.img").mkdir()
    result = run(uri, "restore", "a")
    assert result.exit_code == 1
    assert "cannot be restored" in result.stderr and "discard-save" in result.stderr
    assert domain.has_managed_save()
    (tmp_path / "one.img").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "one.img")
    assert operations.restore_domain(connection, "a").after == "paused"


def test_incomplete_image_is_refused_where_libvirt_silently_boots(connection: Connection, uri: str) -> None:
    domain = saved(connection, changed=False)
    path = image_of(uri)
    incomplete = b"LibvirtQemudPart" + path.read_bytes()[16:]
    path.write_bytes(incomplete)
    for command in ("restore", "start"):
        result = run(uri, command, "a")
        assert result.exit_code == 1
        assert "incomplete" in result.stderr and "discard-save" in result.stderr
    assert (domain.state(), domain.has_managed_save()) == ("shut off", True)
    assert "shut off" in done(uri, "show", "a")
    assert run(uri, "plan", "reboot", "a").exit_code == 1
    domain.start()  # the control
    assert (domain.state(), domain.has_managed_save()) == ("running", False)


def test_damaged_image_can_be_discarded(connection: Connection, uri: str) -> None:
    domain = saved(connection, changed=False)
    image_of(uri).write_bytes(b"garbage" * 100)
    with raising(power.MANAGED_SAVE_UNREADABLE):
        operations.restore_domain(connection, "a")
    assert operations.discard_save(connection, "a").sees == ()
    assert not domain.has_managed_save()


def test_saving_over_an_older_image_is_refused(connection: Connection) -> None:
    domain = saved(connection, changed=False)
    connection._handle.createXML(domain.xml(CONFIG))  # runs beside the image, which libvirt keeps
    with raising(power.MANAGED_SAVE, power.MANAGED_SAVE_RUNNING, why="saving again would write over it") as refused:
        operations.save_domain(connection, "a")
    assert "holdfast restore" not in hints.hint(refused.value)
    with raising(power.ALREADY_RUNNING, power.ALREADY_RUNNING_PAUSED):
        operations.restore_domain(connection, "a")
    assert operations.discard_save(connection, "a").after == "running"


def test_transient_domain_is_not_saved(connection: Connection) -> None:
    domain = running(connection)
    domain.undefine()
    with raising(domains.TRANSIENT):
        operations.save_domain(connection, "a")
    assert domain.is_active()


@pytest.mark.parametrize("command", ["save", "restore", "discard-save"])
def test_without_a_guest_or_an_image_there_is_nothing_to_do(connection: Connection, uri: str, command: str) -> None:
    connection.define(domain_xml())
    result = run(uri, command, "a")
    assert (result.exit_code, result.stderr.count("error: ")) == (1, 1)
    assert run(uri, command, "nosuch").exit_code == 4


@pytest.mark.parametrize("command", ["save", "restore", "discard-save"])
def test_dry_runs_and_read_only_connections_change_nothing(connection: Connection, uri: str, command: str) -> None:
    domain = running(connection) if command == "save" else saved(connection, changed=False)
    before = domain.state(), domain.has_managed_save(), domain.xml(CONFIG)
    assert "nothing was changed" in done(uri, command, "a", "--dry-run")
    result = run(uri, "-r", command, "a")
    assert (result.exit_code, "read-only" in result.stderr) == (1, True)
    assert (domain.state(), domain.has_managed_save(), domain.xml(CONFIG)) == before


def test_json_tells_states_and_what_waits(connection: Connection, uri: str) -> None:
    saved(connection)
    told = json.loads(done(uri, "restore", "a", "-o", "json"))
    assert (told["before"], told["after"], told["restored"]) == ("shut off", "paused", True)
    assert "rng ua-rng is added" in told["waits"][0]
