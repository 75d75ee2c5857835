"""After the host has booted, what ran runs again: in its order, from its own document, and whatever fails alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Releasing, RunAgain
from holdfast.domainxml.metadata import fact, facts
from holdfast.errors.devices import NOT_RELEASED_PAUSED
from holdfast.errors.power import STILL_RUNNING
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.facts import record_fact
from holdfast.operations.power.resume_host import Outcome, Resumed
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, places
from tests.libvirt.processes import crash
from tests.raising import raising


def adopted(connection: Connection, name: str, **options: str) -> Domain:
    domain = connection.define(domain_xml(name, **options))  # type: ignore[arg-type]
    operations.adopt_domain(connection, name)
    return domain


def wanted(domain: Domain) -> RunAgain | None:
    return fact(parse(domain.xml(CONFIG)), RunAgain)


def outcomes(resumed: list[Resumed]) -> dict[str, Outcome]:
    return {each.name: each.outcome for each in resumed}


def test_start_makes_a_domain_wanted_and_stopping_it_ends_that(connection: Connection) -> None:
    domain = adopted(connection, "a")
    assert wanted(domain) is None
    operations.start(connection, "a", paused=True)
    since = wanted(domain)
    assert since is not None
    operations.reboot(connection, "a", hard=True)
    assert wanted(domain) == since
    operations.destroy(connection, "a")
    assert wanted(domain) is None
    operations.start(connection, "a")
    with raising(STILL_RUNNING):
        operations.shutdown(connection, "a", timeout=0)
    assert wanted(domain) is None


def test_domain_that_was_never_adopted_is_not_recorded(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    operations.start(connection, "a", paused=True)
    operations.observe_host(connection)
    operations.destroy(connection, "a")
    assert "metadata" not in domain.xml(CONFIG)


def test_what_crashed_runs_again_in_its_order_and_nothing_else(daemon: Connection) -> None:
    names = ["c", "a", "b", "never", "stopped"]
    domains = {name: adopted(daemon, name) for name in names}
    domains["auto"] = daemon.define(domain_xml("auto"))
    domains["auto"]._handle.setAutostart(1)
    for number, name in enumerate(["c", "a", "b", "stopped"]):
        operations.start(daemon, name, paused=True)
        record_fact(looking(daemon, name), RunAgain(f"2026-01-01T00:00:0{number}+00:00"))
    for name in ("c", "a", "b"):
        crash(domains[name])
    domains["stopped"].destroy()
    documents = {name: domain.xml(CONFIG) for name, domain in domains.items() if name != "auto"}
    planned = operations.resume_host(daemon, dry_run=True)
    assert not any(domain.is_active() for domain in domains.values())
    resumed = operations.resume_host(daemon)
    assert [each.name for each in resumed] == [each.name for each in planned] == ["auto", "c", "a", "b"]
    assert [each.error for each in resumed] == [None] * 4
    assert set(outcomes(resumed).values()) == {Outcome.STARTED}
    assert {name for name, domain in domains.items() if domain.is_active()} == {"auto", "c", "a", "b"}
    hardware = {name: text.partition("</metadata>")[2] for name, text in documents.items()}
    assert {name: domains[name].xml(CONFIG).partition("</metadata>")[2] for name in hardware} == hardware
    assert set(outcomes(operations.resume_host(daemon)).values()) == {Outcome.RUNNING}


def test_one_that_does_not_start_holds_up_no_other(connection: Connection, tmp_path: Path, uri: str) -> None:
    for name in ("a", "b"):
        domain = adopted(connection, name, extra=disk_xml(tmp_path, name, "vda"))
        record_fact(looking(connection, domain.uuid), RunAgain("2026-01-01T00:00:00+00:00"))
    (tmp_path / "a.img").unlink()
    result = run(uri, "resume-host", "-o", "json")
    assert result.exit_code == 5
    assert "1 of 2 did not start: a" in result.stderr
    first, second = json.loads(result.stdout)["domains"]
    assert (first["outcome"], second["outcome"]) == ("failed", "started")
    assert "a.img" in first["error"]["message"]
    image(tmp_path, "a")
    assert "a: started" in done(uri, "resume-host")


def test_interrupted_attach_is_told_and_a_detach_is_over_with_its_guest(daemon: Connection, tmp_path: Path) -> None:
    domain = adopted(daemon, "a")
    operations.start(daemon, "a", paused=True)
    operations.attach_device(daemon, "a", disk_xml(tmp_path, "one", "vdb"))
    with raising(NOT_RELEASED_PAUSED):
        operations.detach_device(daemon, "a", "vdb", timeout=0)
    domain.attach(disk_xml(tmp_path, "two", "vdc"), CONFIG)
    (running,) = operations.resume_host(daemon)
    assert running.outcome is Outcome.RUNNING
    assert running.notes[0] == "disk vdb was detached, and the guest has not released it"
    assert running.notes[1].startswith("disk vdc pci 0000:02:00.0 is in config and not in live")
    crash(domain)
    (started,) = operations.resume_host(daemon)
    assert started.notes == ("disk vdb was detached, and is gone now",)
    assert not facts(parse(domain.xml(CONFIG)), Releasing)
    assert "vdb" not in places(domain, LIVE)
    assert "vdc" in places(domain, LIVE)


def test_observing_sees_what_others_started_and_switched_off(connection: Connection) -> None:
    domain = adopted(connection, "a")
    domain.start(paused=True)
    assert wanted(domain) is None
    operations.observe_host(connection)
    assert wanted(domain) is not None
    domain.destroy()
    operations.observe_host(connection)
    assert wanted(domain) is None


def test_unit_is_one_that_systemd_takes(uri: str, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("there is no systemd here")
    unit = tmp_path / "holdfast.service"
    command = done(uri, "resume-host", "--print-unit")
    assert f"-c {uri} resume-host\n" in command
    for text, complaint in ((command, False), (command.replace("oneshot", "twice"), True)):
        unit.write_text(re.sub(r"(Exec\w+)=\S+", rf"\1={sys.executable}", text))
        verified = subprocess.run([verify, "verify", "--man=no", str(unit)], capture_output=True, text=True)
        assert ("holdfast.service" in verified.stderr) == complaint, verified.stderr


def test_a_read_only_connection_is_refused_before_any_domain_is_looked_at(connection: Connection, uri: str) -> None:
    adopted(connection, "a")
    operations.start(connection, "a", paused=True)
    for arguments in (["resume-host"], ["resume-host", "--observe"]):
        result = run(uri, "-r", *arguments)
        assert (result.exit_code, "read-only" in result.stderr) == (1, True)
