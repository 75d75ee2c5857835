"""What a command leaves that was cut off while it started, stopped, rescued or reverted a domain: named, and ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml import metadata
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import RunAgain, Started
from holdfast.domainxml.metadata import fact, without_facts
from holdfast.errors import power
from holdfast.errors.creation import CREATION_CUT_OFF
from holdfast.errors.libvirt import CONNECTION_LOST
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import DomainSpec
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.facts import record_fact, rewrite
from holdfast.operations.power.resume_host import Outcome
from holdfast.operations.power_record import run_again_from_now
from holdfast.operations.session import looking
from holdfast.operations.snapshots import revert
from holdfast_lab.daemon import private_host
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, image
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising


@pytest.fixture
def domain(connection: Connection) -> Domain:
    """A domain that is shut off, of which Holdfast keeps records."""
    domain = connection.define(domain_xml())
    operations.adopt_domain(connection, "a")
    return domain


@pytest.fixture
def medium(tmp_path: Path) -> DiskSpec:
    """The medium of a rescue."""
    return DiskSpec(path=str(image(tmp_path, "rescue")), format="raw")


def findings(connection: Connection, *kinds: FindingKind) -> list[str]:
    found = [finding for report in operations.audit_host(connection).domains for finding in report.findings]
    return [finding.sentence for finding in found if finding.kind in kinds]


def wants(connection: Connection) -> None:
    """What is recorded before a start."""
    record_fact(looking(connection, "a"), run_again_from_now(), CONFIG)


def unwant(ours: str | None) -> str | None:
    return without_facts(ours, RunAgain, lambda each: True)


def test_resume_host_records_what_a_start_that_was_cut_off_has_not(connection: Connection, domain: Domain) -> None:
    wants(connection)
    domain.start(paused=True)
    (said,) = findings(connection, FindingKind.RECORD)
    assert "what it was started with is not recorded" in said
    (foreseen,) = operations.resume_host(connection, dry_run=True)
    assert fact(parse(domain.xml(CONFIG)), Started) is None
    (resumed,) = operations.resume_host(connection)
    assert (resumed.outcome, resumed.notes) == (Outcome.RUNNING, ("not recorded before: what it was started with",))
    assert foreseen.notes == resumed.notes
    assert fact(parse(domain.xml(CONFIG)), Started) is not None
    assert not findings(connection, FindingKind.RECORD)


def test_what_others_have_started_is_no_start_that_was_cut_off(connection: Connection, domain: Domain) -> None:
    domain.start(paused=True)
    assert not findings(connection, FindingKind.RECORD, FindingKind.NOT_RUNNING)
    assert not operations.resume_host(connection)


def test_the_audit_names_a_rescue_that_is_paused(connection: Connection, domain: Domain, medium: DiskSpec) -> None:
    operations.rescue(connection, "a", medium)
    assert not findings(connection, FindingKind.UNFINISHED)
    domain.suspend()
    (said,) = findings(connection, FindingKind.UNFINISHED)
    assert "its rescue is paused" in said


def test_the_audit_names_a_rescue_whose_end_was_recorded_and_did_not_come(
    connection: Connection, domain: Domain, medium: DiskSpec
) -> None:
    operations.start(connection, "a")
    operations.rescue(connection, "a", medium, force=True)
    assert not findings(connection, FindingKind.RECORD)
    rewrite(looking(connection, "a"), unwant, CONFIG)
    (said,) = findings(connection, FindingKind.RECORD)
    assert "recorded in live alone: destroy it, or unrescue and start it" in said
    operations.destroy(connection, "a")
    assert not findings(connection, FindingKind.RECORD)


@pytest.mark.parametrize("cut_off", [True, False])
def test_unrescue_starts_what_ran_before_a_rescue_that_was_cut_off_and_repeated(
    connection: Connection, domain: Domain, medium: DiskSpec, cut_off: bool
) -> None:
    operations.start(connection, "a", paused=True)
    if cut_off:
        domain.destroy()
    else:
        operations.destroy(connection, "a")
    operations.rescue(connection, "a", medium)
    assert operations.unrescue(connection, "a").after == ("running" if cut_off else "shut off")


def test_unrescue_that_was_cut_off_after_its_start_makes_up_for_the_record(
    connection: Connection, domain: Domain
) -> None:
    wants(connection)
    domain.start(paused=True)
    assert operations.unrescue(connection, "a", dry_run=True).recorded_now == ("what it was started with",)
    assert operations.unrescue(connection, "a").recorded_now == ("what it was started with",)
    with raising(power.NOT_IN_RESCUE):
        operations.unrescue(connection, "a")


def test_the_audit_names_what_is_adopted_in_live_alone(connection: Connection, domain: Domain) -> None:
    domain.start(paused=True)
    assert not findings(connection, FindingKind.RECORD)
    domain.set_metadata(None, metadata.PREFIX, metadata.URI, CONFIG)
    (said,) = findings(connection, FindingKind.RECORD)
    assert "adopted in live alone" in said
    operations.release_domain(connection, "a")
    assert not findings(connection, FindingKind.RECORD)


def test_a_release_lets_go_of_config_first(
    connection: Connection, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain.start(paused=True)
    written, real = list[object](), Domain.set_metadata

    def noted(domain: Domain, element: str | None, prefix: str, uri: str, definition: Definition) -> None:
        written.append(definition)
        real(domain, element, prefix, uri, definition)

    monkeypatch.setattr(Domain, "set_metadata", noted)
    operations.release_domain(connection, "a")
    assert written == [CONFIG, LIVE]


def test_a_revert_has_recorded_beforehand_whether_the_domain_runs_then(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = connection.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "one"))))
    operations.adopt_domain(connection, "a")
    operations.create_snapshot(connection, "a", "off")
    operations.start(connection, "a", paused=True)
    operations.create_snapshot(connection, "a", "on")
    monkeypatch.setattr(revert, "record_outcome", lambda _: None)  # cut off before it
    operations.revert_to_snapshot(connection, "a", "off", accept=True)
    assert fact(parse(domain.xml(CONFIG)), RunAgain) is None
    operations.revert_to_snapshot(connection, "a", "on", accept=True)
    assert fact(parse(domain.xml(CONFIG)), RunAgain) is not None


def test_a_shutdown_that_is_interrupted_takes_its_records_back_from_both_documents(
    connection: Connection, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.start(connection, "a")
    before = [domain.xml(CONFIG), domain.xml(LIVE)]

    def interrupted(domain: Domain) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Domain, "shutdown", interrupted)
    with pytest.raises(KeyboardInterrupt):
        operations.shutdown(connection, "a", timeout=0)
    assert [domain.xml(CONFIG), domain.xml(LIVE)] == before


SMALL = DomainSpec(memory=64 * 1024**2, graphics="none")
STARTS: dict[str, Callable[[Connection], object]] = {
    "unrescue": lambda connection: operations.unrescue(connection, "a", start=True),
    "reboot": lambda connection: operations.reboot(connection, "a", hard=True),
    "repair": lambda connection: operations.repair_domain(connection, "a"),
    "create": lambda connection: operations.create_domain(connection, "b", SMALL, start=True),
}


@pytest.mark.parametrize("verb", STARTS)
def test_where_libvirtd_dies_at_the_start_it_is_not_said_that_the_domain_does_not_start(
    medium: DiskSpec, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    real = Domain.start
    with private_host() as host, holdfast.connect(host.uri) as connection:

        def start(domain: Domain, paused: bool = False) -> None:
            real(domain, paused)
            host.kill()
            Domain.state(domain)

        connection.define(domain_xml())
        operations.adopt_domain(connection, "a")
        if verb == "unrescue":
            operations.rescue(connection, "a", medium)
        elif verb == "reboot":
            operations.start(connection, "a", paused=True)
        monkeypatch.setattr(Domain, "start", start)
        with raising(CREATION_CUT_OFF if verb == "create" else CONNECTION_LOST):
            STARTS[verb](connection)
