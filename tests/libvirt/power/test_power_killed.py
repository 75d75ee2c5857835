"""A command that starts or stops a domain, killed at any of its steps: what was wanted is recorded, and completed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.metadata import RunAgain, fact
from holdfast.errors import NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.power.resume_host import Outcome
from holdfast.operations.power_record import unrecorded
from holdfast.operations.session import looking
from holdfast_lab.daemon import private_host
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, domain_xml, image
from tests.libvirt.killed import run_killed

KILLED = -9


@pytest.fixture
def host(daemon_uri: str) -> Iterator[Connection]:
    """The private libvirtd without domains."""
    with holdfast.connect(daemon_uri) as connection:
        yield connection
        clear(connection)


def clear(connection: Connection) -> None:
    for domain in connection.domains():
        if domain.is_active():
            domain.destroy()
        domain.undefine()


def adopted(connection: Connection) -> Domain:
    """A domain that is shut off, of which Holdfast keeps records."""
    domain = connection.define(domain_xml())
    operations.adopt_domain(connection, "a")
    return domain


def is_wanted(domain: Domain) -> bool:
    return fact(parse(domain.xml(CONFIG)), RunAgain) is not None


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
            clear(host)
            continue
        if domain.is_active() and not domain.in_rescue:
            ran += 1
            assert is_wanted(domain), f"step {step}: a crash of the host would leave it off"
            result = run(daemon_uri, "start", name)
            assert result.exit_code == (0 if "is recorded now" in result.stdout else 1)
            made_up += result.exit_code == 0
            assert not unrecorded(looking(host, name))
        clear(host)
        if code == 0:
            break
    assert ran >= 2
    assert (made_up >= 1) == (command != "restore"), "a restore has nothing more to record"


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
        clear(host)
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
