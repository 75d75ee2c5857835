"""What is recorded of a domain around its starts and stops, function by function."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from holdfast import operations
from holdfast.domainxml import metadata
from holdfast.domainxml.document import canonical, child, parse
from holdfast.domainxml.fact import Releasing, Rescue, RunAgain, SeenState, Started
from holdfast.domainxml.metadata import Fact, fact
from holdfast.domainxml.records.garbled import recorded_versions
from holdfast.domainxml.versions import dotted
from holdfast.errors.power import NOT_RECORDED, STARTED_NOT_RECORDED, STOPPED_NOT_RECORDED
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import power_record
from holdfast.operations.documents import Documents
from holdfast.operations.facts import forget_fact, record_fact
from holdfast.operations.host.capabilities import host_versions
from holdfast.operations.power_record import (
    RUNS_AGAIN,
    STARTED_WITH,
    STAYS_OFF,
    forget_if_possible,
    record_missing,
    record_outcome,
    record_start_by_manager,
    record_whether_it_runs,
    recorded_start,
    recorded_stop,
    run_again_from_now,
    unfinished_start,
    unrecorded,
    was_switched_off,
)
from holdfast.operations.session import OpenDomain, changing, looking
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.libvirt.unwritable import unwritable
from tests.raising import raising

NOW = "2026-01-01T00:00:00+00:00"
WANTED, STARTED = RunAgain(NOW), Started("<cpu/>", "")
CUT_OFF = RunAgain(NOW, "yes")
CANNOT_WRITE = re.compile("Failed to create file '.*/a.xml.new': Read-only file system")
RESCUE, RELEASING = Rescue(NOW, "running", "disk vdb"), Releasing("disk", "vdb", "ua-vdb")


@pytest.fixture
def domain(connection: Connection) -> Domain:
    """A domain that is shut off, of which Holdfast keeps records."""
    domain = connection.define(domain_xml())
    operations.adopt_domain(connection, "a")
    return domain


@contextmanager
def changing_unrecorded(connection: Connection, uri: str) -> Iterator[OpenDomain]:
    """A session in which libvirt can write no config document."""
    with changing(connection, "a") as opened:
        assert opened.documents.config is not None
        with unwritable(Path(parse_qs(urlsplit(uri).query)["root"][0], "etc/qemu"), "read-only"):
            yield opened


def kept(domain: Domain, kind: type[Fact], definition: Definition = CONFIG) -> Fact | None:
    return fact(parse(domain.xml(definition)), kind)


def documents(live: list[Fact] | None, config: list[Fact] | None) -> Documents:
    """Documents with these facts in our element; of one without any it is not there."""
    found = []
    for facts in (live, config):
        ours = None
        for each in facts or ():
            ours = metadata.with_fact(ours, each)
        found.append(None if facts is None else metadata.with_ours(parse("<domain type='qemu'/>"), ours))
    return Documents(*found)


@pytest.mark.parametrize(
    ("live", "config", "missing", "unfinished"),
    [
        ([], None, [], ""),
        ([], [], [], ""),
        (None, [], [], ""),
        (None, [RELEASING], [], ""),
        (None, [WANTED], [STAYS_OFF], "is recorded to run, and is off"),
        ([], [RELEASING], [RUNS_AGAIN, STARTED_WITH], ""),
        ([], [WANTED], [STARTED_WITH], "runs, and what it was started with is not recorded"),
        ([], [STARTED], [RUNS_AGAIN], ""),
        ([], [WANTED, STARTED], [], ""),
        ([], [CUT_OFF, STARTED], [STARTED_WITH], "runs, and what it was started with is not recorded"),
        ([STARTED], [WANTED, STARTED], [STARTED_WITH], "runs, and what it was started with is not recorded"),
        ([RESCUE], [RELEASING], [], ""),
        ([RESCUE], [WANTED], [], ""),
    ],
)
def test_what_is_not_recorded_follows_from_both_documents(
    live: list[Fact] | None, config: list[Fact] | None, missing: list[str], unfinished: str
) -> None:
    found = documents(live, config)
    assert (unrecorded(found), unfinished_start(found)) == (missing, unfinished)


def test_a_wish_is_of_this_second_in_utc() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", run_again_from_now().since)


def test_a_dry_run_makes_up_for_nothing(connection: Connection, domain: Domain) -> None:
    domain.start(paused=True)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    assert record_missing(looking(connection, "a"), dry_run=True) == (RUNS_AGAIN, STARTED_WITH)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before
    assert record_missing(looking(connection, "a"), dry_run=False) == (RUNS_AGAIN, STARTED_WITH)
    assert record_missing(looking(connection, "a"), dry_run=False) == ()


def test_what_is_made_up_for_goes_to_config_alone_and_live_tells_of_no_start_of_others(
    connection: Connection, domain: Domain
) -> None:
    operations.start(connection, "a", paused=True)
    domain.destroy()
    assert record_missing(looking(connection, "a"), dry_run=False) == (STAYS_OFF,)
    assert kept(domain, RunAgain) is None and kept(domain, Started) is not None
    domain.start(paused=True)
    assert kept(domain, Started, LIVE) is not None, "libvirt has copied it"
    assert record_missing(looking(connection, "a"), dry_run=False) == (RUNS_AGAIN, STARTED_WITH)
    live = parse(domain.xml(LIVE))
    started, cpu = kept(domain, Started), live.find("cpu")
    versions = map(dotted, host_versions(connection))
    assert cpu is not None and started == Started(canonical(cpu).decode(), "", *versions)
    assert (fact(live, Started), fact(live, RunAgain)) == (None, None)


def test_a_start_records_the_versions_by_which_the_guest_has_its_hardware(
    connection: Connection, domain: Domain
) -> None:
    operations.start(connection, "a", paused=True)
    started, now = kept(domain, Started), host_versions(connection)
    assert isinstance(started, Started) and None not in now
    assert recorded_versions(started) == now


def test_a_version_is_made_up_for_where_its_file_is_as_old_as_the_start(
    connection: Connection, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain.start(paused=True)
    qemu, libvirt = map(dotted, host_versions(connection))

    def made_up(older: str) -> tuple[str, str]:
        """The versions that are recorded where only a file with this in its name has not changed."""
        monkeypatch.setattr(power_record, "is_older", lambda path, _: older in path)
        record_missing(looking(connection, "a"), dry_run=False)
        started = kept(domain, Started)
        assert isinstance(started, Started)
        forget_fact(looking(connection, "a"), started)
        return started.qemu, started.libvirt

    assert (made_up("qemu-system"), made_up("libvirt.so")) == ((qemu, ""), ("", libvirt))
    monkeypatch.setattr(power_record, "library_version", lambda: (0, 0, 1))
    assert made_up("") == (qemu, ""), "the libvirt that answers is another than our own"


@pytest.fixture
def loader(tmp_path: Path) -> Path:
    """A firmware of one's own."""
    return Path(shutil.copy("/usr/share/OVMF/OVMF_CODE_4M.fd", tmp_path / "loader.fd"))


@pytest.fixture
def with_firmware(connection: Connection, tmp_path: Path, loader: Path) -> Domain:
    """A domain with it, of which Holdfast keeps records."""
    nvram = f"<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{tmp_path}/a.fd</nvram>"
    firmware = f"<loader readonly='yes' type='pflash'>{loader}</loader>{nvram}"
    domain = connection.define(domain_xml().replace("</os>", f"{firmware}</os>"))
    operations.adopt_domain(connection, "a")
    return domain


@pytest.mark.parametrize("changed", [False, True])
def test_the_firmware_of_a_guest_that_runs_is_made_up_for_where_it_is_as_old(
    connection: Connection, with_firmware: Domain, loader: Path, changed: bool
) -> None:
    with_firmware.start(paused=True)
    if changed:
        loader.touch()
    record_missing(looking(connection, "a"), dry_run=False)
    started = kept(with_firmware, Started)
    assert isinstance(started, Started)
    assert started.firmware == ("" if changed else hashlib.sha256(loader.read_bytes()).hexdigest())


def test_the_state_of_a_guest_stays_recorded_as_at_its_own_start(
    connection: Connection, tmp_path: Path, with_firmware: Domain, loader: Path
) -> None:
    operations.start(connection, "a", paused=True)
    own = kept(with_firmware, SeenState)
    assert isinstance(own, SeenState) and (own.kind, own.path) == ("nvram", f"{tmp_path}/a.fd")
    assert isinstance(started := kept(with_firmware, Started), Started)
    assert started.firmware == hashlib.sha256(loader.read_bytes()).hexdigest()
    assert (kept(with_firmware, SeenState, LIVE), kept(with_firmware, RunAgain, LIVE) is None) == (None, False)
    with_firmware.destroy()
    older = SeenState(own.kind, own.path, "older")
    record_fact(looking(connection, "a"), older)
    with_firmware.start(paused=True)
    assert kept(with_firmware, SeenState, LIVE) == older, "libvirt has copied it"
    record_missing(looking(connection, "a"), dry_run=False)
    assert (kept(with_firmware, SeenState), kept(with_firmware, SeenState, LIVE)) == (older, None)


def test_the_state_of_a_guest_is_recorded_later_where_its_start_was_not(
    connection: Connection, tmp_path: Path, with_firmware: Domain
) -> None:
    with_firmware.start(paused=True)
    record_missing(looking(connection, "a"), dry_run=False)
    seen = kept(with_firmware, SeenState)
    assert isinstance(seen, SeenState) and seen.path == f"{tmp_path}/a.fd"


def test_a_fact_is_forgotten_and_the_others_stay(connection: Connection, domain: Domain) -> None:
    record_fact(looking(connection, "a"), RELEASING)
    record_fact(looking(connection, "a"), WANTED)
    with changing(connection, "a") as opened:
        forget_if_possible(opened, RELEASING, "that the disk is gone")
    assert (kept(domain, Releasing), kept(domain, RunAgain)) == (None, WANTED)


def test_what_cannot_be_forgotten_is_told_in_the_end(connection: Connection, uri: str, domain: Domain) -> None:
    record_fact(looking(connection, "a"), RELEASING)
    with (
        raising(NOT_RECORDED, name="a", missing=["that the disk is gone"], cause=CANNOT_WRITE),
        changing_unrecorded(connection, uri) as opened,
    ):
        forget_if_possible(opened, RELEASING, "that the disk is gone")
    assert kept(domain, Releasing) == RELEASING


def test_what_became_of_a_domain_is_recorded_or_told(connection: Connection, uri: str, domain: Domain) -> None:
    domain.start(paused=True)
    with (
        raising(STARTED_NOT_RECORDED, name="a", missing=[RUNS_AGAIN], cause=CANNOT_WRITE),
        changing_unrecorded(connection, uri) as opened,
    ):
        record_outcome(opened)
    assert kept(domain, RunAgain) is None
    with changing(connection, "a") as opened:
        record_outcome(opened)
    assert kept(domain, RunAgain) is not None and kept(domain, RunAgain, LIVE) is None
    domain.destroy()
    with (
        raising(STOPPED_NOT_RECORDED, name="a", missing=[STAYS_OFF], cause=CANNOT_WRITE),
        changing_unrecorded(connection, uri) as opened,
    ):
        record_outcome(opened)
    assert kept(domain, RunAgain) is not None
    with changing(connection, "a") as opened:
        record_outcome(opened)
    assert kept(domain, RunAgain) is None


def test_a_start_by_a_manager_is_recorded_in_config_of_what_holdfast_keeps(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    domain.start(paused=True)
    record_start_by_manager(looking(connection, "a"))
    assert "holdfast" not in domain.xml(CONFIG)
    record_fact(looking(connection, "a"), RELEASING)
    record_fact(looking(connection, "a"), STARTED, LIVE)
    record_start_by_manager(looking(connection, "a"))
    started = kept(domain, Started)
    assert isinstance(started, Started) and "<model" in started.cpu
    assert (kept(domain, Releasing), kept(domain, Started, LIVE)) == (RELEASING, None)
    assert kept(domain, Releasing, LIVE) == RELEASING


def test_a_start_by_a_manager_leaves_live_alone(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    domain.start(paused=True)
    record_fact(looking(connection, "a"), RELEASING, CONFIG)
    before = domain.xml(LIVE)
    record_start_by_manager(looking(connection, "a"))
    assert kept(domain, Started) is not None
    assert domain.xml(LIVE) == before


def test_a_start_that_was_begun_after_a_stop_was_no_stop(connection: Connection, domain: Domain) -> None:
    begun = RunAgain(NOW, starting="yes")
    assert not was_switched_off(domain, None), "it has never run"
    domain.start(paused=True)
    domain.destroy()
    for config, was in ((None, True), ([], True), ([WANTED], True), ([begun], False)):
        assert was_switched_off(domain, documents(None, config).config) is was
    record_fact(looking(connection, "a"), begun)
    record_whether_it_runs(looking(connection, "a"))
    assert kept(domain, RunAgain) == begun


def test_whether_it_runs_is_observed_of_what_holdfast_keeps_and_of_no_rescue(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    domain.start(paused=True)
    record_whether_it_runs(looking(connection, "a"))
    assert "holdfast" not in domain.xml(CONFIG)
    record_fact(looking(connection, "a"), RELEASING)
    record_fact(looking(connection, "a"), RESCUE, LIVE)
    record_whether_it_runs(looking(connection, "a"))
    assert kept(domain, RunAgain) is None
    domain.destroy()
    domain.start(paused=True)
    record_whether_it_runs(looking(connection, "a"))
    assert kept(domain, RunAgain) is not None and kept(domain, RunAgain, LIVE) is None
    domain.destroy()
    record_whether_it_runs(looking(connection, "a"))
    assert (kept(domain, RunAgain), kept(domain, Releasing)) == (None, RELEASING)


def test_a_start_that_is_not_over_is_told_by_the_record_and_leaves_the_others(
    connection: Connection, domain: Domain
) -> None:
    with changing(connection, "a") as opened:
        record_fact(opened, RELEASING, Definition.CONFIG)
        with recorded_start(opened):
            config = parse(domain.xml(CONFIG))
            begun = fact(config, RunAgain)
            assert begun is not None and begun.starting == "yes"
            assert fact(config, Releasing) == RELEASING
            opened.start(paused=True)
    config = parse(domain.xml(CONFIG))
    assert fact(config, RunAgain) == replace(begun, starting="")
    started = fact(config, Started)
    assert started is not None and (started.firmware, started.cpu[:5]) == ("", "<cpu ")


def test_a_firmware_that_cannot_be_read_is_recorded_as_unknown(
    connection: Connection, domain: Domain, tmp_path: Path
) -> None:
    document = parse(domain.xml(CONFIG))
    with changing(connection, "a") as opened:
        opened.start(paused=True)
        live = opened.documents.live
        assert live is not None
        loader = child(child(live, "os"), "loader")
        loader.text = str(tmp_path / "gone.fd")
        record_start_by_manager(opened)
    assert fact(document, Started) is None
    started = fact(parse(domain.xml(CONFIG)), Started)
    assert started is not None and started.firmware == ""


def test_a_guest_that_is_asked_to_shut_down_is_wanted_running_by_neither_document(
    connection: Connection, domain: Domain
) -> None:
    operations.start(connection, "a", paused=True)
    assert kept(domain, RunAgain, LIVE) is not None, "libvirt has copied it"
    with changing(connection, "a") as opened, recorded_stop(opened, at_once=False):
        pass
    assert (kept(domain, RunAgain), kept(domain, RunAgain, LIVE)) == (None, None)
    assert kept(domain, Started) is not None
