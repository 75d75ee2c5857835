"""Power waits for no record: where libvirt's folder is read-only or full, what is done is done and told, and made up.

Whatever cannot be recorded is in libvirt's own file, so the folder is really read-only, or really full.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Releasing, RunAgain, Started
from holdfast.domainxml.metadata import fact
from holdfast.errors import LibvirtRefused, changes, domains, power
from holdfast.libvirtapi import events
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.facts import record_fact
from holdfast.operations.power_record import recorded_stop
from holdfast.operations.session import changing, looking
from holdfast_lab.daemon import private_host
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.unwritable import WAYS, unwritable
from tests.raising import raising


@pytest.fixture
def folder(uri: str) -> Path:
    """Where the embedded libvirt keeps its config documents."""
    return Path(parse_qs(urlsplit(uri).query)["root"][0], "etc/qemu")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How the folder cannot be written to."""
    return str(request.param)


@pytest.fixture
def domain(connection: Connection) -> Domain:
    """A domain that is shut off, of which Holdfast keeps records."""
    domain = connection.define(domain_xml())
    operations.adopt_domain(connection, "a")
    return domain


def on_disk(folder: Path) -> tuple[bool, bool]:
    """Whether libvirt's file records that the domain is wanted running, and with what it was started."""
    document = parse((folder / "a.xml").read_text())
    return fact(document, RunAgain) is not None, fact(document, Started) is not None


def records(connection: Connection) -> list[str]:
    """What the audit says of records."""
    findings = [finding for report in operations.audit_host(connection).domains for finding in report.findings]
    return [finding.sentence for finding in findings if finding.kind is FindingKind.RECORD]


def test_start_starts_and_tells_what_is_not_recorded(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain
) -> None:
    before = domain.xml(CONFIG)
    with unwritable(folder, way):
        result = run(uri, "start", "--paused", "a")
        assert result.exit_code == 5, result.output
        assert "the domain 'a' runs, but it cannot be recorded" in result.stderr
        assert "that it runs again after the host has booted; what it was started with" in result.stderr
        assert domain.state() == "paused"
        assert domain.xml(CONFIG) == before, "libvirt's memory says no more than its file"
    (sentence,) = records(connection)
    assert "recorded in live alone" in sentence
    said = done(uri, "start", "a", "--dry-run")
    assert "would be recorded" in said and domain.xml(CONFIG) == before
    assert "is recorded now that it runs again after the host has booted" in done(uri, "start", "a")
    assert on_disk(folder) == (True, True)
    assert not records(connection)
    with raising(power.ALREADY_RUNNING_PAUSED):
        operations.start(connection, "a")


STOPS: dict[str, Callable[[Connection], object]] = {
    "destroy": lambda connection: operations.destroy(connection, "a"),
    "save": lambda connection: operations.save_domain(connection, "a"),
}


@pytest.mark.parametrize("verb", STOPS)
def test_what_stops_a_domain_stops_it_and_tells_what_is_not_recorded(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain, verb: str
) -> None:
    operations.start(connection, "a", paused=True)
    with unwritable(folder, way):
        with raising(power.STOPPED_NOT_RECORDED, missing="that it stays off after the host has booted"):
            STOPS[verb](connection)
        assert domain.state() == "shut off"
    assert on_disk(folder)[0]
    assert len(records(connection)) == (verb == "destroy"), "whoever saves, as libvirt-guests does, may want it back"
    assert "would be recorded" in done(uri, "destroy", "a", "--dry-run")
    assert "is recorded now that it stays off" in done(uri, "destroy", "a")
    assert not on_disk(folder)[0]
    assert domain.has_managed_save() == (verb == "save")
    with raising(domains.NOT_RUNNING):
        operations.destroy(connection, "a")


def test_a_button_without_an_answer_tells_what_is_not_recorded_and_the_audit_names_the_guest_that_ends_later(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain
) -> None:
    operations.start(connection, "a")
    with unwritable(folder, way):
        result = run(uri, "shutdown", "a", "--timeout", "0")
        assert result.exit_code == 5, result.output
        assert "after 0 s the guest is still running; and it cannot be recorded about the domain 'a'" in result.stderr
        assert "that it stays off after the host has booted" in result.stderr
        assert "hint: wait for it or repeat" in result.stderr
    with domain.stopped() as stopped:
        qemu = int(Path(f"{connection.run_folder}/a.pid").read_text())
        os.kill(qemu, signal.SIGTERM)  # libvirt sees it end as it sees a guest that has shut down
        stopped.wait(PATIENCE)
    (sentence,) = records(connection)
    assert "it has shut down, and is recorded to run again after the host has booted" in sentence
    assert "is recorded now that it stays off" in done(uri, "shutdown", "a")
    assert not on_disk(folder)[0] and not records(connection)


def test_an_interrupted_wait_for_a_guest_tells_that_it_was_asked_and_what_is_not_recorded(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    operations.start(connection, "a")
    monkeypatch.setattr(events.Wait, "wait", interrupted)
    result = run(uri, "shutdown", "a")
    assert (result.exit_code, "cannot be recorded" in result.stderr) == (130, False)
    assert "interrupted\nthe guest of 'a' was asked to shut down, and may still do so\n" in result.stderr
    operations.start(connection, "a")  # records that it is wanted running again
    with unwritable(folder, way):
        result = run(uri, "shutdown", "a")
    assert result.exit_code == 130
    assert "it cannot be recorded that it stays off after the host has booted: " in result.stderr


def test_a_guest_that_stops_is_told_as_stopped_and_not_recorded(
    connection: Connection, folder: Path, way: str, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.start(connection, "a")
    monkeypatch.setattr(Domain, "shutdown", Domain.destroy)  # no guest is there that hears a button
    with unwritable(folder, way), raising(power.STOPPED_NOT_RECORDED):
        operations.shutdown(connection, "a", timeout=PATIENCE)
    assert domain.state() == "shut off"


def test_what_breaks_off_after_the_stop_tells_what_is_not_recorded(
    connection: Connection, folder: Path, domain: Domain
) -> None:
    operations.start(connection, "a", paused=True)
    with (
        unwritable(folder, "read-only"),
        raising(power.AND_NOT_RECORDED) as caught,
        changing(connection, "a") as opened,
    ):
        with recorded_stop(opened):
            opened.destroy()
        raise domains.RUNNING(name="a")
    assert caught.value.cause is not None and caught.value.cause.code == changes.CHANGED_AND_THEN.code


def test_restore_continues_and_tells_what_is_not_recorded(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain
) -> None:
    operations.start(connection, "a", paused=True)
    operations.save_domain(connection, "a")
    with unwritable(folder, way):
        with raising(power.STARTED_NOT_RECORDED) as caught:
            operations.restore_domain(connection, "a", paused=True)
        assert caught.value.fields["missing"] == ["that it runs again after the host has booted"]
        assert domain.state() == "paused" and not domain.has_managed_save()
    assert "is recorded now" in done(uri, "restore", "a")
    assert on_disk(folder) == (True, True)


def test_hard_reboot_reboots_and_tells_what_is_not_recorded(
    connection: Connection, folder: Path, way: str, domain: Domain
) -> None:
    domain.start(paused=True)
    with unwritable(folder, way):
        with raising(power.STARTED_NOT_RECORDED):
            operations.reboot(connection, "a", hard=True)
        assert domain.state() == "running", "it was paused"


def test_repair_starts_and_tells_what_is_not_recorded_and_makes_up_for_it(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain
) -> None:
    with unwritable(folder, way):
        with raising(power.STARTED_NOT_RECORDED):
            operations.repair_domain(connection, "a")
        assert domain.state() == "running"
    assert "not recorded before: that it runs again" in done(uri, "repair", "a")
    assert on_disk(folder) == (True, True)


def test_unrescue_starts_the_domain_and_tells_what_is_not_recorded(
    connection: Connection, folder: Path, way: str, domain: Domain, tmp_path: Path
) -> None:
    medium = DiskSpec(path=str(image(tmp_path, "rescue")), format="raw")
    with unwritable(folder, way):
        operations.rescue(connection, "a", medium)
        with raising(power.STARTED_NOT_RECORDED):
            operations.unrescue(connection, "a", start=True)
        assert domain.state() == "running"


def test_resume_host_says_of_what_runs_that_it_runs(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain
) -> None:
    record_fact(looking(connection, "a"), RunAgain("2026-01-01T00:00:00+00:00"))
    record_fact(looking(connection, "a"), Releasing("disk", "vdb", "ua-vdb"))
    with unwritable(folder, way):
        result = run(uri, "resume-host", "-o", "json")
        assert result.exit_code == 5, result.output
        assert "did not start" not in result.stderr and "all domains that should run do so" in result.stderr
        (resumed,) = json.loads(result.stdout)["domains"]
        assert (resumed["outcome"], resumed["error"]["code"]) == ("started", "started-not-recorded")
        assert domain.state() == "running"
    assert operations.start(connection, "a").recorded_now == ("what it was started with",)


def test_a_start_that_fails_takes_its_record_back(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    domain.attach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    before = domain.xml(CONFIG)
    (tmp_path / "one.img").unlink()
    (tmp_path / "one.img").mkdir()
    with pytest.raises(LibvirtRefused):
        operations.start(connection, "a")
    assert domain.xml(CONFIG) == before


def test_what_somebody_else_started_is_recorded_when_it_is_to_be_started(
    connection: Connection, domain: Domain
) -> None:
    domain.start(paused=True)
    change = operations.start(connection, "a")
    assert (change.before, change.after, len(change.recorded_now)) == ("paused", "paused", 2)
    config, live = parse(domain.xml(CONFIG)), parse(domain.xml(LIVE))
    started = fact(config, Started)
    assert started is not None and (started.firmware, fact(live, Started)) == ("", None)


def test_a_domain_of_nobody_is_started_and_stopped_without_a_word(
    connection: Connection, folder: Path, way: str
) -> None:
    domain = connection.define(domain_xml())
    with unwritable(folder, way):
        operations.start(connection, "a", paused=True)
        operations.destroy(connection, "a")
    assert domain.state() == "shut off"
    with raising(domains.NOT_RUNNING):
        operations.destroy(connection, "a")


def test_delete_tells_what_libvirt_has_removed_before_it_could_not_go_on(
    connection: Connection, folder: Path, way: str
) -> None:
    if way == "full":
        pytest.skip("a file can be removed from a full folder")
    nvram = folder.parents[1] / "lib/qemu/nvram/a_VARS.fd"  # one of libvirt's own: another would stay
    nvram.touch()
    firmware = (
        f"<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram>{nvram}</nvram></os>"
    )
    connection.define(domain_xml().replace("</os>", firmware))
    with unwritable(folder, way), raising(changes.NOT_WHOLLY_DELETED, done=f"its NVRAM {nvram} was removed"):
        operations.delete_domain(connection, "a")
    assert not nvram.exists()
    operations.delete_domain(connection, "a")


def test_a_record_that_libvirt_has_in_memory_alone_is_taken_back(
    connection: Connection, folder: Path, way: str
) -> None:
    """libvirt 9.0 keeps it there, and refuses the call all the same."""
    domain = connection.define(domain_xml())
    with unwritable(folder, way):
        with pytest.raises(LibvirtRefused):
            operations.adopt_domain(connection, "a")
        assert "holdfast" not in domain.xml(CONFIG)


def test_observing_looks_at_all_domains_and_names_those_that_cannot_be_recorded(
    connection: Connection, uri: str, folder: Path, way: str, domain: Domain
) -> None:
    domain.start(paused=True)
    connection.define(domain_xml("b"))
    with unwritable(folder, way):
        result = run(uri, "resume-host", "--observe")
        assert result.exit_code == 5 and "whether they run could not be recorded for 1 of 2 domains: a" in result.stderr
    done(uri, "resume-host", "--observe")
    assert on_disk(folder)[0]


def test_what_is_told_as_not_recorded_is_not_there_once_the_daemon_has_started_anew(way: str) -> None:
    with private_host() as host:
        (first,) = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()
        with holdfast.connect(host.uri) as daemon:
            daemon.define(domain_xml())
            operations.adopt_domain(daemon, "a")
            full = unwritable(Path("/etc/libvirt/qemu"), way, "nsenter", "--mount", "--target", first)
            with full, raising(power.STARTED_NOT_RECORDED) as caught:
                operations.start(daemon, "a", paused=True)
        host.restart()
        with holdfast.connect(host.uri) as daemon:
            assert list(operations.start(daemon, "a").recorded_now) == caught.value.fields["missing"]
