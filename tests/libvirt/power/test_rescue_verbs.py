"""Who may be rescued, and what every other verb does to a domain in rescue."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast import operations
from holdfast.cli import hints
from holdfast.errors import domains, guard, power
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.power.rescues import defined, medium
from tests.raising import raising


def test_running_domain_is_refused_without_force_and_comes_back_after_it(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain = defined(connection, tmp_path)
    domain.start()
    options = ["--image", str(image(tmp_path, "r")), "--format", "raw"]
    result = run(uri, "rescue", "a", *options)
    assert result.exit_code == 3
    assert "'holdfast shutdown a' first, or --force" in result.stderr
    assert not operations.list_domains(connection)[0].in_rescue
    assert "in rescue, booted from vdc" in done(uri, "rescue", "a", *options, "--force")
    assert operations.list_domains(connection)[0].in_rescue
    assert done(uri, "unrescue", "a") == "a: left the rescue, now running\n"
    assert not operations.list_domains(connection)[0].in_rescue
    assert "vdc" not in domain.xml(LIVE)


def test_unrescue_leaves_off_what_was_off_unless_told_otherwise(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    operations.adopt_domain(connection, "a")
    for start, after in ((None, "shut off"), (True, "running")):
        operations.rescue(connection, "a", medium(tmp_path))
        change = operations.unrescue(connection, "a", start=start)
        assert (change.before, change.after, change.left_rescue) == ("running", after, True)
    assert "holdfast:wanted" in domain.xml(CONFIG)
    operations.rescue(connection, "a", medium(tmp_path), force=True)
    assert operations.unrescue(connection, "a", start=False).after == "shut off"
    assert "holdfast:wanted" not in domain.xml(CONFIG)


def test_host_that_goes_down_in_a_rescue_does_not_want_the_domain_to_run(
    connection: Connection, tmp_path: Path
) -> None:
    domain = defined(connection, tmp_path)
    operations.adopt_domain(connection, "a")
    before = domain.xml(CONFIG)
    operations.rescue(connection, "a", medium(tmp_path))
    operations.observe_host(connection)
    assert domain.xml(CONFIG) == before


def test_unrescue_of_what_is_not_in_rescue_is_an_error(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    result = run(uri, "unrescue", "a")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: the domain 'a' is not in rescue, it is shut off\n"
        "hint: 'holdfast start a' boots it from its own disks\n",
    )
    domain.start()
    assert run(uri, "unrescue", "a").exit_code == 1
    assert domain.is_active()


def test_force_into_hardware_that_nobody_asked_to_change_is_refused(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    domain.start()
    domain.attach(disk_xml(tmp_path, "late", "vdz"), CONFIG)
    with raising(guard.UNASKED_AT_START, changes="disk vdz is added at pci 0000:08:00.0"):
        operations.rescue(connection, "a", medium(tmp_path), force=True)
    assert "vdz" not in domain.xml(LIVE)
    rescued = operations.rescue(connection, "a", medium(tmp_path), force=True, accept=True)
    assert "vdz is added" in rescued.waits[0]


def test_managed_save_image_is_in_the_way(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    domain.start()
    domain._handle.managedSave(0)
    with raising(power.MANAGED_SAVE, power.MANAGED_SAVE_RUNNING) as refused:
        operations.rescue(connection, "a", medium(tmp_path))
    assert "'holdfast restore a'" in hints.hint(refused.value)
    assert "'holdfast discard-save a'" in hints.hint(refused.value)
    assert domain.state() == "shut off"


def test_memory_saved_beside_a_rescue_is_not_restored_by_leaving_it(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    operations.rescue(connection, "a", medium(tmp_path))
    document = domain.xml(LIVE)
    domain._handle.managedSave(0)
    connection._handle.createXML(document)
    with raising(power.MANAGED_SAVE, power.MANAGED_SAVE_RUNNING):
        operations.unrescue(connection, "a", start=True)
    assert operations.unrescue(connection, "a").after == "shut off"


def test_transient_domain_has_nothing_to_come_back_to(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    domain.start()
    domain.undefine()
    with raising(domains.TRANSIENT):
        operations.rescue(connection, "a", medium(tmp_path), force=True)
    assert domain.is_active()


def test_domain_undefined_in_rescue_is_not_switched_off_unsaid(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    operations.rescue(connection, "a", medium(tmp_path))
    domain.undefine()
    with raising(power.UNDEFINED_IN_RESCUE):
        operations.unrescue(connection, "a")
    assert domain.is_active()


def test_a_rescue_is_shown_everywhere_and_nothing_waits(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    connection.define(domain_xml("b")).start(paused=True)
    operations.rescue(connection, "a", medium(tmp_path, "scsi"))
    assert done(uri, "list") == "NAME  STATE\na     running, in rescue\nb     paused\n"
    domains = json.loads(done(uri, "list", "-o", "json"))["domains"]
    assert [each["in_rescue"] for each in domains] == [True, False]
    shown = done(uri, "show", "a")
    assert "from disk sdd; 'holdfast unrescue' leaves it" in shown
    assert "[of the rescue: gone with it]" in shown
    assert "At the next start" not in shown
    view = json.loads(done(uri, "show", "a", "-o", "json"))
    assert (view["rescue"]["before"], view["changes"]) == ("shut off", [])
    assert "sdd" in done(uri, "disk", "list", "a")
    waits = {each.label: each.waits for each in operations.list_devices(connection, "a", "disk")}
    assert {name for name, note in waits.items() if note} == {"sdd"}
    sentences = [outlook.sentence for outlook in operations.plan_reboot(connection, "a").outlooks]
    assert "it is in rescue, which ends with this start" in sentences
    assert not any("sdd" in sentence or "boot" in sentence for sentence in sentences)
    findings = [finding.kind for report in operations.audit_host(connection).domains for finding in report.findings]
    assert "drift" not in findings
    domain.attach(disk_xml(tmp_path, "late", "vdz"), CONFIG)
    assert ["vdz is added" in str(change) for change in operations.show_domain(connection, "a").changes] == [True]


def test_hardware_is_not_changed_in_rescue(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    operations.adopt_domain(connection, "a")
    before = domain.xml(CONFIG)
    options = ["--image", str(image(tmp_path, "r")), "--format", "raw"]
    done(uri, "rescue", "a", *options)
    live = domain.xml(LIVE)
    (tmp_path / "device.xml").write_text(disk_xml(tmp_path, "late"))
    for command in (
        ["disk", "attach", "a", f"{image(tmp_path, 'late')},format=raw"],
        ["disk", "attach", "a", f"path={tmp_path}/new.qcow2,size=1MiB"],
        ["disk", "detach", "a", "vdb"],
        ["disk", "extend", "a", "vdb", "8MiB"],
        ["disk", "move", "a", "vdb", str(tmp_path / "new.qcow2")],
        ["disk", "move", "a", "vdb", "--abort"],
        ["disk", "swap", "a", "vdb", f"{image(tmp_path, 'late')},format=raw"],
        ["disk", "media", "eject", "a", "vdb"],
        ["interface", "attach", "a", "user", "--config"],
        ["device", "attach", "a", str(tmp_path / "device.xml")],
        ["seal", "a"],
        ["upgrade", "machine", "a", "pc-q35-7.1", "--lower"],
        ["release", "a"],
        ["repair", "a"],
        ["set", "a", "--title", "t"],
        ["edit", "a"],
        ["disk", "set", "a", "vda", "--cache", "none"],
        ["disk", "extend", "a", "vda", "2MiB"],
        ["disk", "media", "eject", "a", "vda"],
        ["disk", "move", "a", "vda", f"path={tmp_path}/moved.qcow2"],
        ["disk", "swap", "a", "vda", f"{image(tmp_path, 'other')},format=raw"],
        ["snapshot", "create", "a", "s"],
        ["snapshot", "revert", "a", "s"],
        ["snapshot", "delete", "a", "s"],
        ["save", "a"],
        ["reboot", "a", "--hard"],
        ["rescue", "a", *options, "--force"],
    ):
        result = run(uri, *command)
        assert (result.exit_code, result.stderr) == (
            3,
            "error: the domain 'a' is in rescue\nhint: 'holdfast unrescue a' leaves it; then repeat this\n",
        ), command
    with raising(domains.IN_RESCUE):
        operations.edit_domain(connection, "a", before, before.replace("</vcpu>", "</vcpu><title>t</title>"))
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == (before, live)
    assert not (tmp_path / "new.qcow2").exists()
    assert "'holdfast unrescue a' leaves it" in run(uri, "start", "a").stderr


def test_adopting_in_rescue_keeps_the_mark(connection: Connection, tmp_path: Path) -> None:
    defined(connection, tmp_path)
    operations.rescue(connection, "a", medium(tmp_path))
    operations.adopt_domain(connection, "a")
    assert operations.list_domains(connection)[0].in_rescue
    assert operations.unrescue(connection, "a").after == "shut off"


def test_reset_stays_in_rescue_and_switching_off_ends_it(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    before = domain.xml(CONFIG)
    operations.rescue(connection, "a", medium(tmp_path))
    for command in (["reboot"], ["reset"], ["suspend"], ["resume"]):
        done(uri, *command, "a")
        assert operations.list_domains(connection)[0].in_rescue
    assert done(uri, "destroy", "a") == "a: switched off, which ends the rescue: the next start is its own\n"
    assert not operations.list_domains(connection)[0].in_rescue
    operations.start(connection, "a")
    assert not operations.list_domains(connection)[0].in_rescue
    assert domain.xml(CONFIG) == before
    assert "vdc" not in domain.xml(LIVE)


def test_delete_with_storage_leaves_the_rescue_image(connection: Connection, tmp_path: Path) -> None:
    defined(connection, tmp_path)
    operations.rescue(connection, "a", medium(tmp_path))
    deletion = operations.delete_domain(connection, "a", storage=True, force=True)
    assert {each.target for each in deletion.images} == {"vda", "vdb", "sda", "sdb", "sdc"}
    assert (tmp_path / "rescue-system.img").exists()
    assert not (tmp_path / "vda.img").exists()
