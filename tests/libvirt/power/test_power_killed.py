"""A command that starts or stops a domain, killed at any of its steps: what was wanted is recorded, and completed."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Creating, RunAgain, Started
from holdfast.domainxml.metadata import fact
from holdfast.errors import NotFound
from holdfast.errors.creation import CREATED_NOT_STARTED
from holdfast.hostfiles.digest import sha256_of
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DomainSpec
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.power.resume_host import Outcome
from holdfast.operations.power_record import unfinished_start, unrecorded
from holdfast.operations.session import looking
from holdfast_lab.daemon import private_host
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, domain_xml, image, remove_domains
from tests.libvirt.killed import run_killed
from tests.raising import raising

KILLED = -9


@pytest.fixture
def host(daemon_uri: str) -> Iterator[Connection]:
    """The private libvirtd without domains."""
    with holdfast.connect(daemon_uri) as connection:
        yield connection
        remove_domains(connection)


def adopted(connection: Connection) -> Domain:
    """A domain that is shut off, of which Holdfast keeps records."""
    domain = connection.define(domain_xml())
    operations.adopt_domain(connection, "a")
    return domain


def is_wanted(domain: Domain) -> bool:
    return fact(parse(domain.xml(CONFIG)), RunAgain) is not None


def named(connection: Connection) -> list[FindingKind]:
    """What of the domains the audit says, of those kinds that are of a start."""
    kinds = (FindingKind.NOT_RUNNING, FindingKind.RECORD)
    findings = [finding for report in operations.audit_host(connection).domains for finding in report.findings]
    return [finding.kind for finding in findings if finding.kind in kinds]


def saved(connection: Connection, folder: Path) -> None:
    operations.start(connection, "a", paused=True)
    operations.save_domain(connection, "a")


def rescued(connection: Connection, folder: Path) -> None:
    operations.rescue(connection, "a", DiskSpec(path=str(image(folder, "rescue")), format="raw"))


STARTS = {
    "start": (None, "a"),
    "restore": (saved, "a"),
    "repair": (None, "a"),
    "unrescue --start": (rescued, "a"),
    "create --memory 64MiB --start b": (None, "b"),
    "clone --start a b": (None, "b"),
}


@pytest.mark.parametrize("command", STARTS)
def test_a_start_that_is_killed_has_recorded_that_the_domain_runs_again(
    host: Connection, daemon_uri: str, tmp_path: Path, command: str
) -> None:
    before, name = STARTS[command]
    words = command.split() if name in command.split() else [*command.split(), name]
    ran = made_up = 0
    for step in itertools.count(1):
        adopted(host)
        if before is not None:
            before(host, tmp_path)
        code = run_killed(step, daemon_uri, *words)
        assert code in (KILLED, 0)
        try:
            domain = looking(host, name)
        except NotFound:
            remove_domains(host)
            continue
        if domain.is_active() and not domain.in_rescue:
            ran += 1
            assert is_wanted(domain), f"step {step}: a crash of the host would leave it off"
            result = run(daemon_uri, "start", name)
            assert result.exit_code == (0 if "is recorded now" in result.stdout else 1)
            made_up += result.exit_code == 0
            assert not unrecorded(looking(host, name).documents)
        remove_domains(host)
        if code == 0:
            break
    assert ran >= 2
    assert (made_up >= 1) == (command != "restore"), "a restore has nothing more to record"


@pytest.mark.parametrize("command", ["start a", "create --memory 64MiB --start b"])
def test_a_start_that_is_killed_is_named_by_the_audit_and_ended_by_what_the_hint_says(
    host: Connection, daemon_uri: str, command: str
) -> None:
    name, found = command[-1], list[FindingKind]()
    for step in itertools.count(1):
        adopted(host)
        if run_killed(step, daemon_uri, *command.split()) == 0:
            break
        domain = looking(host, name) if any(each.name == name for each in host.domains()) else None
        if domain is not None and fact(parse(domain.xml(CONFIG)), Creating) is None and is_wanted(domain):
            found += (kinds := named(host))
            assert len(kinds) == 1 or not unfinished_start(domain.documents)
            repeated = run(daemon_uri, *command.split())
            if name == "b":
                assert repeated.exit_code == 3
                assert ("the one you mean, 'holdfast start b'" in repeated.stderr) == bool(kinds)
                run(daemon_uri, "start", "b")
            assert looking(host, name).is_active() and not unrecorded(looking(host, name).documents)
        assert not named(host)
        remove_domains(host)
    assert set(found) == {FindingKind.NOT_RUNNING, FindingKind.RECORD}


def test_a_start_that_is_killed_is_told_from_the_end_before_it(host: Connection, daemon_uri: str) -> None:
    """libvirt tells no more than that the domain was switched off, as it does where its guest shuts down later."""
    domain, begun = adopted(host), 0
    for step in itertools.count(1):
        operations.start(host, "a", paused=True)
        domain.destroy()
        assert named(host) == [FindingKind.RECORD] and not operations.resume_host(host, dry_run=True)
        assert run_killed(step, daemon_uri, "start", "a") == KILLED
        if domain.is_active():
            break
        if named(host) == [FindingKind.NOT_RUNNING]:
            begun += 1
            operations.observe_host(host)
            (resumed,) = operations.resume_host(host)
            assert (resumed.outcome, named(host)) == (Outcome.STARTED, [])
            domain.destroy()
            assert not operations.resume_host(host, dry_run=True), "it was recorded as started, and then switched off"
    assert begun == 2, "killed right after the record, and right before libvirt starts it"


def test_a_hard_reboot_that_is_killed_is_named_and_ended_by_a_start(host: Connection, daemon_uri: str) -> None:
    domain, found = adopted(host), list[FindingKind]()
    for step in itertools.count(1):
        operations.start(host, "a", paused=True)
        if run_killed(step, daemon_uri, "reboot", "--hard", "a") == 0:
            break
        before = fact(parse(domain.xml(CONFIG)), RunAgain)
        found += (kinds := named(host))
        assert kinds or before is None or not before.starting
        run(daemon_uri, "start", "a")
        assert domain.is_active() and not named(host) and not unrecorded(looking(host, "a").documents)
        operations.destroy(host, "a")
    assert set(found) == {FindingKind.NOT_RUNNING, FindingKind.RECORD}


def test_a_create_whose_start_fails_does_not_leave_it_wanted(host: Connection) -> None:
    with raising(CREATED_NOT_STARTED):
        operations.create_domain(host, "b", DomainSpec(memory=900000 * 1024**3, graphics="none"), start=True)
    assert not is_wanted(host.find_domain("b"))


def test_a_start_that_is_killed_before_its_record_has_its_firmware_recorded_later_where_that_is_as_it_was(
    host: Connection, daemon_uri: str, tmp_path: Path
) -> None:
    loader = tmp_path / "loader.fd"
    shutil.copy("/usr/share/OVMF/OVMF_CODE_4M.fd", loader)
    template = "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'/>"
    firmware = f"<loader readonly='yes' type='pflash'>{loader}</loader>{template}"
    for changes in (False, True):
        domain = host.define(domain_xml().replace("</os>", f"{firmware}</os>"))
        operations.adopt_domain(host, "a")
        for step in itertools.count(1):
            assert run_killed(step, daemon_uri, "start", "--paused", "a") == KILLED
            if domain.is_active():
                break
        if changes:
            loader.touch()
        assert operations.start(host, "a").recorded_now == ("what it was started with",)
        started = fact(parse(domain.xml(CONFIG)), Started)
        assert started is not None
        assert started.firmware == ("" if changes else sha256_of(str(loader)))
        domain.destroy()
        operations.delete_domain(host, "a")


@pytest.mark.parametrize("command", ["destroy a", "save a"])
def test_a_stop_that_is_killed_has_recorded_that_the_domain_stays_off(
    host: Connection, daemon_uri: str, command: str
) -> None:
    stopped = 0
    for step in itertools.count(1):
        domain = adopted(host)
        operations.start(host, "a", paused=True)
        code = run_killed(step, daemon_uri, *command.split())
        assert code in (KILLED, 0)
        if not domain.is_active():
            stopped += 1
            assert not is_wanted(domain)
        remove_domains(host)
        if code == 0:
            break
    assert stopped >= 2


def test_what_a_killed_start_has_started_runs_again_after_a_crash_of_the_host() -> None:
    with private_host() as lonely:
        with holdfast.connect(lonely.uri) as connection:
            domain = adopted(connection)
            for step in itertools.count(1):
                assert run_killed(step, lonely.uri, "start", "a") == KILLED
                if domain.is_active():
                    break
        lonely.restart(guests=False)
        with holdfast.connect(lonely.uri) as connection:
            assert [each.outcome for each in operations.resume_host(connection)] == [Outcome.STARTED]
