"""``holdfast set``: what was asked for, in both documents where it can be, and not one byte more."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.domainxml.document import same
from holdfast.errors.guard import CHANGED_MEANWHILE
from holdfast.errors.settings import LONG_VNC_PASSWORD, SET_IN_PART, SET_OTHERWISE, SETTING_NOT_TAKEN
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DomainSettings, audit_host, set_domain, show_domain
from holdfast.operations.proved_edit import Edit, plan_edit
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml
from tests.libvirt.settings.changed import MAC, MIB, config, document, live, only, started
from tests.raising import raising

NO_CGROUP = re.compile("Requested operation is not valid: cgroup CPU controller is not (mounted|available)")
GRAPHICS = "<graphics type='vnc' autoport='yes' passwd='{}' listen='127.0.0.1'/>"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no setting was given"),
        (["--vcpus", "0"], "vcpus cannot be 0: it is at least 1"),
        (["--vcpus", "8", "--max-vcpus", "4"], "vcpus cannot be 8: it is at most 4"),
        (["--memory", "1KiB"], "memory cannot be 1 KiB: it is at least 1 MiB"),
        (["--memory", "2"], "is not a size"),
        (["--cpu-shares", "1"], "cpu-shares cannot be 1"),
        (["--cpu-quota", "0"], "cpu-quota cannot be 0"),
        (["--cpu-topology", "cores=0"], "is not a topology"),
        (["--cpu-topology", "cores=x"], "is not a topology"),
        (["--cpu-topology", "chips=2"], "is not a topology"),
        (["--title", "a\nb"], "a title must be one line"),
        (["--description", "a\x01b"], "no document can hold"),
        (["--boot", "vda,vda"], "names each device once"),
        (["--boot", ""], "names each device once"),
        (["--graphics-password", "x", "--no-graphics-password"], "exclude each other"),
        (["--graphics-password", "/dev/null"], "there is no password in /dev/null"),
    ],
)
def test_words_that_make_no_sense_are_usage_errors(
    connection: Connection, uri: str, options: list[str], words: str
) -> None:
    domain = connection.define(document())
    before = domain.xml(CONFIG)
    result = run(uri, "set", "a", *options)
    assert (result.exit_code, words in result.stderr) == (2, True), result.output
    assert domain.xml(CONFIG) == before


def test_names_are_set_and_removed_in_both_documents(connection: Connection, uri: str) -> None:
    domain = started(connection)
    before, was_live = config(domain), live(domain)
    done(uri, "set", "a", "--title", "Web <1>", "--description", "two\nlines & more", "--autostart")
    names = ("title", "Web <1>"), ("description", "two\nlines & more")
    assert only(config(domain), config(domain), *names)
    assert only(before, config(domain), *names)
    assert only(was_live, live(domain), *names)
    assert domain.autostart()
    done(uri, "set", "a", "--title", "", "--description", "", "--no-autostart")
    assert config(domain).find("title") is None and live(domain).find("description") is None
    assert not domain.autostart()


def test_boot_order_names_devices_and_replaces_what_was_there(connection: Connection, tmp_path: Path) -> None:
    disks = disk_xml(tmp_path, "one", "vda") + disk_xml(tmp_path, "two", "vdb", "<boot order='1'/>")
    text = document(extra=disks).replace("<boot order='1'/>", "")
    domain = connection.define(text)
    before = config(domain)
    change = set_domain(connection, "a", DomainSettings(boot=("vdb", MAC)))
    assert change.settings[0].before == {CONFIG: "hd"}
    boot = ("devices/disk[2]/boot@order", "1"), ("devices/interface/boot@order", "2")
    assert only(before, config(domain), ("os/boot", None), *boot)
    domain.start(paused=True)
    running = domain.xml(LIVE)
    change = set_domain(connection, "a", DomainSettings(boot=("vda",)))
    assert change.settings[0].later is not None
    assert change.settings[0].before[CONFIG] == "vdb, 52:54:00:00:00:01"
    assert (
        change.waits
        == tuple(map(str, change.changes))
        == (
            "disk vda: boot order is set to 1 (was not given)",
            "disk vdb: boot order is no longer given (was 1)",
            "interface 52:54:00:00:00:01: boot order is no longer given (was 2)",
        )
    )
    assert [disk.find("boot") is not None for disk in config(domain).findall("devices/disk")] == [True, False]
    assert config(domain).find("devices/interface/boot") is None
    assert domain.xml(LIVE) == running


@pytest.mark.parametrize("kind", ["vnc", "spice"])
def test_password_of_the_graphics_is_set_and_never_shown(
    connection: Connection, uri: str, tmp_path: Path, kind: str
) -> None:
    domain = started(connection, extra=GRAPHICS.format("pr3vious").replace("vnc", kind))
    before, was_live = config(domain), live(domain)
    file = tmp_path / "password"
    file.write_text("s3cret!\n")
    for option in ([], ["-o", "json"], ["--dry-run"]):
        result = run(uri, "-v", "set", "a", "--graphics-password", str(file), *option)
        assert result.exit_code == 0
        assert "s3cret" not in result.output and "pr3vious" not in result.output
    assert only(before, config(domain), ("devices/graphics@passwd", "s3cret!"))
    assert only(was_live, live(domain), ("devices/graphics@passwd", "s3cret!"))
    assert "s3cret" not in repr(DomainSettings(graphics_password="s3cret!"))
    assert "graphics-password is set already" in done(uri, "set", "a", "--graphics-password", str(file))
    # As a command leaves it that is cut off:
    domain.update(GRAPHICS.format("0thers").replace("vnc", kind), CONFIG)
    apart = "graphics: passwd is another one (not shown)"
    (report,) = audit_host(connection).domains
    assert f"at the next start {apart}" in [each.sentence for each in report.findings if each.kind == "apart"]
    assert apart in done(uri, "show", "a") and "0thers" not in done(uri, "show", "a")
    assert "passwd" not in done(uri, "-r", "show", "a"), "nobody tells whoever may only read"
    assert "graphics-password is set, in config" in done(uri, "set", "a", "--graphics-password", str(file))
    assert apart not in done(uri, "show", "a")
    text = done(uri, "set", "a", "--no-graphics-password")
    assert "graphics-password is removed, in config" in text
    assert "graphics-password waits: the running guest's graphics ask for the old one" in text
    assert config(domain).find("devices/graphics[@passwd]") is None
    assert live(domain).find("devices/graphics").get("passwd") == "s3cret!"  # type: ignore[union-attr]


def test_password_can_come_over_standard_input(connection: Connection, uri: str) -> None:
    from click.testing import CliRunner

    from holdfast.cli.main import holdfast

    domain = connection.define(document(extra=GRAPHICS.format("old")))
    result = CliRunner().invoke(holdfast, ["-c", uri, "set", "a", "--graphics-password", "-"], input="new\n")
    assert result.exit_code == 0, result.output
    assert config(domain).find("devices/graphics").get("passwd") == "new"  # type: ignore[union-attr]


def test_guest_started_without_a_password_has_one_after_its_next_start(connection: Connection) -> None:
    domain = started(connection, extra="<graphics type='vnc' listen='127.0.0.1'/>")
    (setting,) = set_domain(connection, "a", DomainSettings(graphics_password="new")).settings
    assert (setting.changed, setting.value, setting.before) == ((CONFIG,), None, {LIVE: None, CONFIG: None})
    assert "were started without" in (setting.later or "")
    with raising(LONG_VNC_PASSWORD):
        set_domain(connection, "a", DomainSettings(graphics_password="ninechars"))
    assert config(domain).find("devices/graphics").get("passwd") == "new"  # type: ignore[union-attr]


def test_cpu_limits_stand_in_config(connection: Connection) -> None:
    domain = connection.define(document())
    before = config(domain)
    set_domain(connection, "a", DomainSettings(cpu_shares=2048, cpu_quota=50000, cpu_period=100000))
    wanted = ("cputune/shares", "2048"), ("cputune/period", "100000"), ("cputune/quota", "50000")
    after = config(domain)
    assert [after.findtext(path) for path, _ in wanted] == [value for _, value in wanted]
    after.remove(after.find("cputune"))  # type: ignore[arg-type]
    assert same(before, after)
    set_domain(connection, "a", DomainSettings(cpu_quota=-1))
    assert config(domain).findtext("cputune/quota") == "-1"


def test_host_that_cannot_limit_a_running_domain_says_so_and_config_stays(connection: Connection) -> None:
    domain = started(connection)
    before = domain.xml(CONFIG)
    with raising(SETTING_NOT_TAKEN, settings="cpu-shares", cause=NO_CGROUP):
        set_domain(connection, "a", DomainSettings(cpu_shares=2048))
    assert domain.xml(CONFIG) == before


ALL = DomainSettings(
    vcpus=3,
    memory=128 * MIB,
    max_memory=512 * MIB,
    title="t",
    description="d",
    autostart=True,
    boot=(MAC,),
)


def test_dry_run_says_the_same_and_changes_nothing(connection: Connection) -> None:
    domain = started(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    would = set_domain(connection, "a", ALL, dry_run=True)
    assert (domain.xml(CONFIG), domain.xml(LIVE), domain.autostart()) == (*before, False)
    did = set_domain(connection, "a", ALL)
    assert (would.settings, would.changes, would.notes) == (did.settings, did.changes, did.notes)
    assert (would.dry_run, did.dry_run, would.waits) == (True, False, did.waits)
    assert domain.xml(CONFIG) != before[0]


def test_config_alone_leaves_the_running_guest(connection: Connection, uri: str) -> None:
    domain = started(connection)
    running = domain.xml(LIVE)
    done(uri, "set", "a", "--vcpus", "3", "--memory", "128MiB", "--title", "t", "--config")
    assert domain.xml(LIVE) == running
    waits = set_domain(connection, "a", DomainSettings(vcpus=4), config_only=True, dry_run=True).waits
    assert waits == ("vcpu: current is 4, was 2",)
    change = set_domain(connection, "a", DomainSettings(vcpus=3, title="t"))
    assert [setting.changed for setting in change.settings] == [(LIVE,), (LIVE,)]
    assert change.waits == ()
    assert not show_domain(connection, "a").changes


def test_transient_domain_is_set_live_or_not_at_all(connection: Connection, uri: str) -> None:
    domain = started(connection)
    domain.undefine()
    done(uri, "set", "a", "--vcpus", "3", "--title", "t")
    assert (live(domain).findtext("title"), live(domain).find("vcpu[@current='3']") is not None) == ("t", True)
    for options in (["--max-vcpus", "8"], ["--autostart"], ["--boot", MAC]):
        result = run(uri, "set", "a", *options)
        assert (result.exit_code, "is transient" in result.stderr) == (3, True), result.output
    assert run(uri, "set", "a", "--title", "x", "--config").exit_code == 3


def test_managed_save_is_told(connection: Connection, uri: str) -> None:
    domain = started(connection)
    domain._handle.managedSave(0)
    assert "the next start continues from the managed-save image" in done(uri, "set", "a", "--vcpus", "3")


def test_json_has_every_field(connection: Connection, uri: str) -> None:
    started(connection)
    found = json.loads(done(uri, "set", "a", "--vcpus", "3", "--max-memory", "512MiB", "--autostart", "-o", "json"))
    assert found["settings"] == [
        {"name": "vcpus", "value": 3, "before": {"live": 2, "config": 2}, "changed": ["live", "config"], "later": None},
        {
            "name": "max-memory",
            "value": 512 * MIB,
            "before": {"live": 256 * MIB, "config": 256 * MIB},
            "changed": ["config"],
            "later": "the running guest gets it at its next start",
        },
        {"name": "autostart", "value": True, "before": {"config": False}, "changed": ["config"], "later": None},
    ]
    assert [change["where"] for change in found["changes"]] == ["vcpu@current", "memory"]
    assert found["waits"] == ["memory is 512 MiB, was 256 MiB"]
    assert [found[key] for key in ("format", "name", "dry_run", "notes")] == ["holdfast.set", "a", False, []]


def test_what_somebody_else_changes_meanwhile_is_told(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = connection.define(document())
    call = Domain.set_memory

    def meanwhile(self: Domain, *args: object) -> None:
        domain._handle.attachDeviceFlags("<sound model='ich9'/>", 2)
        call(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Domain, "set_memory", meanwhile)
    with raising(SET_OTHERWISE, differences="config changed elsewhere too: sound ich9 is added at pci 0000:00:1b.0"):
        set_domain(connection, "a", DomainSettings(memory=128 * MIB))
    assert config(domain).findtext("currentMemory") == str(128 * 1024)


def test_value_that_somebody_else_sets_meanwhile_is_told(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = connection.define(document())
    call = Domain.set_title

    def meanwhile(self: Domain, *args: object) -> None:
        call(self, *args)  # type: ignore[arg-type]
        call(self, "theirs", CONFIG)

    monkeypatch.setattr(Domain, "set_title", meanwhile)
    with raising(SET_OTHERWISE, differences="config has another title than was asked for"):
        set_domain(connection, "a", DomainSettings(title="ours"))
    assert config(domain).findtext("title") == "theirs"


def test_boot_order_is_not_set_over_somebody_elses_change(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = connection.define(document())

    def meanwhile(*args: Any) -> Edit:
        edit = plan_edit(*args)
        domain.set_title("theirs", CONFIG)
        return edit

    monkeypatch.setattr("holdfast.operations.settings.apply.plan_edit", meanwhile)
    with raising(CHANGED_MEANWHILE):
        set_domain(connection, "a", DomainSettings(boot=(MAC,)))
    assert config(domain).find("devices/interface/boot") is None


def test_failure_in_the_middle_says_what_stands(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = started(connection)
    with raising(SET_IN_PART, done="vcpus in live", settings="cpu-shares", cause=NO_CGROUP):
        set_domain(connection, "a", DomainSettings(vcpus=3, cpu_shares=2048))
    assert live(domain).find("vcpu[@current='3']") is not None
    set_domain(connection, "a", DomainSettings(vcpus=3))
    assert config(domain).find("vcpu[@current='3']") is not None
