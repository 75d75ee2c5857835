"""Which host has a domain: what a push tells the remote of it, and what starts after a host has booted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.fact import RunAgain
from holdfast.errors.power import HOST_MAY_BE_ELSEWHERE
from holdfast.history.claims import NOBODY, Claims
from holdfast.hostfiles.images.shared import is_shared_storage
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.facts import record_fact
from holdfast.operations.history_place import history_place
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import disk_xml, domain_xml
from tests.libvirt.past.kept import Kept
from tests.libvirt.past.two_histories import git, new_remote

UUID = "c1a11111-2222-4333-8444-555555555555"


@pytest.fixture
def remote(kept: Kept, tmp_path: Path) -> Path:
    """A remote, which is set."""
    remote = new_remote(tmp_path / "remote.git")
    kept.set(remote=remote)
    return remote


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder of a file system that is not known to be this host's alone."""
    folder = tmp_path / "shared"
    folder.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def adopted(connection: Connection, name: str, extra: str = "", *, runs: bool = False) -> Domain:
    domain = connection.define(domain_xml(name, extra=extra))
    operations.adopt_domain(connection, name)
    if runs:
        record_fact(looking(connection, name), RunAgain("2026-01-01T00:00:00+00:00"))
    return domain


def hosts(remote: Path) -> dict[str, str]:
    return {uuid: claim.host for uuid, claim in Claims(str(remote)).read().items()}


def test_a_push_says_that_this_host_has_what_nobody_has(connection: Connection, remote: Path) -> None:
    here = history_place(connection).host
    a, b = adopted(connection, "a"), adopted(connection, "b")
    Claims(str(remote)).move([b.uuid], NOBODY, "hv9", "root")
    pushed = operations.push_history(connection)
    assert hosts(remote) == {a.uuid: here, b.uuid: "hv9"}
    assert [said.partition(", but ")[2].partition(" since")[0] for said in pushed.elsewhere] == ["hv9 has it"]
    before = git(remote, "for-each-ref")
    assert operations.push_history(connection).elsewhere == pushed.elsewhere
    assert git(remote, "for-each-ref") == before


def test_a_domain_that_was_deleted_here_is_nobodys(connection: Connection, remote: Path) -> None:
    a, b = adopted(connection, "a"), adopted(connection, "b")
    uuids = a.uuid, b.uuid
    operations.push_history(connection)
    operations.push_history(connection)
    operations.delete_domain(connection, "a")
    Claims(str(remote)).move([uuids[1]], history_place(connection).host, "hv9", "root")
    operations.delete_domain(connection, "b")
    operations.push_history(connection)
    assert hosts(remote) == {uuids[0]: NOBODY, uuids[1]: "hv9"}
    operations.restore_deleted(connection, "a")
    operations.push_history(connection)
    assert hosts(remote)[uuids[0]] == history_place(connection).host


def test_a_push_without_news_asks_the_remote_once(
    connection: Connection, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopted(connection, "a")
    adopted(connection, "b")
    operations.push_history(connection)
    operations.push_history(connection)
    operations.delete_domain(connection, "b")
    operations.push_history(connection)
    operations.push_history(connection)

    def never(*_: object) -> None:
        raise AssertionError("it is asked again")

    monkeypatch.setattr(Claims, "read", never)
    monkeypatch.setattr(Claims, "move", never)
    operations.push_history(connection)


def test_what_another_host_has_is_not_started(connection: Connection, uri: str, remote: Path, shared: Path) -> None:
    a = adopted(connection, "a", disk_xml(shared, "a", "vda"), runs=True)
    b = adopted(connection, "b", disk_xml(shared, "b", "vda"), runs=True)
    operations.push_history(connection)
    Claims(str(remote)).move([a.uuid], history_place(connection).host, "hv9", "root")
    result = run(uri, "resume-host", "-o", "json")
    assert result.exit_code == 0, result.stderr
    first, second = json.loads(result.stdout)["domains"]
    assert (first["outcome"], second["outcome"]) == ("elsewhere", "started")
    assert "hv9 has it, since 20" in first["notes"][0]
    assert not a.is_active()
    assert b.is_active()
    Claims(str(remote)).move([b.uuid], history_place(connection).host, "hv9", "root")
    assert "b: already running\n  by " in done(uri, "resume-host")


def test_without_the_remote_what_is_on_shared_storage_waits_and_is_named(
    connection: Connection, uri: str, remote: Path, shared: Path, tmp_path: Path
) -> None:
    on_shared = disk_xml(shared, "a", "vda")
    nbd = """<disk type='network' device='disk'><driver name='qemu' type='raw'/>
      <source protocol='nbd' name='x'><host name='127.0.0.1' port='10809'/></source>
      <target dev='vda' bus='virtio'/></disk>"""
    cd_on_shared = disk_xml(shared, "cd", "vdb").replace("</disk>", "<readonly/></disk>")
    adopted(connection, "a", on_shared, runs=True)
    adopted(connection, "b", disk_xml(tmp_path, "b", "vda") + cd_on_shared, runs=True)
    adopted(connection, "c", nbd, runs=True)
    remote.rename(remote.with_name("away"))
    result = run(uri, "resume-host")
    assert result.exit_code == 5
    assert "2 of 3 did not start: a, c" in result.stderr
    assert f"a: waiting: it waits, for its image {shared}/a.img" in result.stdout
    assert "b: started" in result.stdout
    planned = operations.resume_host(connection, dry_run=True)
    assert [each.outcome for each in planned] == ["waiting", "already running", "waiting"]
    assert planned[0].error is not None and planned[0].error.code == HOST_MAY_BE_ELSEWHERE.code
    remote.with_name("away").rename(remote)
    assert "a: started" in run(uri, "resume-host").stdout


def test_an_audit_names_what_libvirt_would_start_before_anybody_can_ask(
    connection: Connection, uri: str, daemon: Connection, kept: Kept, remote: Path, shared: Path, tmp_path: Path
) -> None:
    assert daemon.history_settings_file is not None
    settings = Kept(Path(daemon.history_settings_file), tmp_path)
    adopted(daemon, "a b", disk_xml(shared, "a", "vda")).set_autostart(True)
    daemon.define(domain_xml("other", extra=disk_xml(shared, "o", "vda"))).set_autostart(True)
    adopted(daemon, "local", disk_xml(tmp_path, "b", "vda")).set_autostart(True)
    adopted(daemon, "not", disk_xml(shared, "c", "vda"))

    def found() -> dict[str, str]:
        return {
            report.name: finding.sentence
            for report in operations.audit_host(daemon).domains
            for finding in report.findings
            if finding.kind == "autostart"
        }

    assert found() == {}
    settings.settings.parent.mkdir(exist_ok=True)
    settings.set(remote=remote)
    try:
        assert found().keys() == {"a b", "other"}
        assert "once it is adopted" in found()["other"] and "once it is adopted" not in found()["a b"]
        assert "'holdfast set 'a b' --no-autostart'" in " ".join(run(daemon.uri, "audit").stdout.split())
        done(daemon.uri, "set", "a b", "--no-autostart")
        assert found().keys() == {"other"}
    finally:
        settings.settings.unlink()


def test_where_no_remote_is_set_nobody_is_asked(connection: Connection, uri: str, shared: Path) -> None:
    adopted(connection, "a", disk_xml(shared, "a", "vda"), runs=True)
    assert "a: started" in done(uri, "resume-host")


def test_settings_that_cannot_be_read_are_no_answer(connection: Connection, uri: str, kept: Kept, shared: Path) -> None:
    adopted(connection, "a", disk_xml(shared, "a", "vda"), runs=True)
    kept.settings.write_text("remote = 1")
    assert run(uri, "resume-host").exit_code == 5


def test_storage_of_this_host_alone_is_known_as_such(shared: Path, tmp_path: Path) -> None:
    assert not is_shared_storage(str(tmp_path / "not there yet.img"))
    assert is_shared_storage(str(shared / "not there yet.img"))
    assert is_shared_storage(str(shared))
