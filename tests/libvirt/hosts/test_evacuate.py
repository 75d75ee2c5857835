"""Evacuating a host that is down: two libvirts of their own, one remote, and a folder that both have."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.fact import RunAgain
from holdfast.errors.creation import CREATED_NOT_STARTED
from holdfast.errors.history import CLAIM_LOST
from holdfast.errors.hosts import (
    DELETED_AT_REMOTE,
    EVACUATION_CUT_OFF,
    HOST_CANNOT,
    IMAGE_LOCKED,
    NO_RECORDED_DOCUMENT,
    NOTHING_TO_EVACUATE,
    REACHES_HOST,
    SOURCE_MAY_RUN,
)
from holdfast.errors.libvirt import CANNOT_CONNECT
from holdfast.history.claims import Claims
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.facts import record_fact
from holdfast.operations.history_place import history_place
from holdfast.operations.hosts import arrival_plan
from holdfast.operations.hosts.evacuate import Evacuated, evacuate
from holdfast.operations.past.claim import moved_on
from holdfast.operations.session import looking
from holdfast_lab.daemon import private_host
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, remove_domains
from tests.libvirt.killed import run_killed
from tests.libvirt.past.two_histories import git, new_remote
from tests.raising import raising

MIB = 1 << 20


@pytest.fixture(scope="module")
def uris() -> Iterator[list[str]]:
    """Two hosts; both see the files of this machine."""
    with private_host("hv1") as one, private_host("hv2") as two:
        yield [one.uri, two.uri]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return new_remote(tmp_path / "remote.git")


@pytest.fixture
def hosts(uris: list[str], remote: Path) -> Iterator[list[Connection]]:
    """Connections to both, with an empty history each, for which the remote is set."""
    with open_connection(uris[0]) as one, open_connection(uris[1]) as two:
        for each in (one, two):
            assert each.history_folder is not None and each.history_settings_file is not None
            Path(each.history_folder).mkdir(parents=True)
            settings = Path(each.history_settings_file)
            settings.write_text(f'remote = "{remote}"\n')
            settings.chmod(0o600)
        yield [one, two]
        for each in (one, two):
            remove_domains(each)
            shutil.rmtree(str(each.history_folder))


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def made(connection: Connection, folder: Path, name: str = "web", *, runs: bool = False) -> str:
    """A domain with an image in ``folder``, whose history is pushed; returns its config document."""
    disk = DiskSpec(path=str(folder / f"{name}.qcow2"), size=MIB)
    spec = DomainSpec(memory=64 * MIB, disks=(disk,), interfaces=(InterfaceSpec(kind="user"),), graphics="none")
    operations.create_domain(connection, name, spec)
    if runs:
        record_fact(looking(connection, name), RunAgain("2026-01-01T00:00:00+00:00"))
        operations.record_host(connection)
    operations.push_history(connection)
    return connection.find_domain(name).xml(CONFIG)


def name_of(connection: Connection) -> str:
    return history_place(connection).host


def who_has(remote: Path) -> list[str]:
    return sorted(claim.host for claim in Claims(str(remote)).read().values())


def stays(folder: Path) -> operations.HostMaps:
    return operations.HostMaps(paths={str(folder): str(folder)})


def one(result: tuple[Evacuated, ...]) -> Evacuated:
    (each,) = result
    return each


def test_it_comes_with_the_hardware_that_it_had_and_its_history(
    hosts: list[Connection], uris: list[str], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    before = made(hv1, shared)
    down = name_of(hv1)
    asked = run(uris[1], "evacuate", "--from", str(remote), "web", uris[1])
    assert asked.exit_code == 3, asked.output
    assert f"hint: '--source-is-down {down}'" in asked.stderr
    words = ["evacuate", "--from", str(remote), "web", uris[1], "--source-is-down", down]
    refused = run(uris[1], *words)
    assert refused.exit_code == REACHES_HOST.kind.exit_code
    assert who_has(remote) == [down]
    words += ["--map-path", f"{shared}={shared}"]
    would = done(uris[1], *words, "--dry-run")
    assert would.startswith(f"web: would be evacuated from {down}, as recorded on 2")
    assert not hv2.domains()
    assert who_has(remote) == [down]
    assert done(uris[1], *words).startswith(f"web: is evacuated from {down}, as recorded on 2")
    after = hv2.find_domain("web").xml(CONFIG)
    assert not visible(compare(before, after))
    assert who_has(remote) == [name_of(hv2)]
    log = [(entry.kind, entry.made_on) for entry in operations.log_domain(hv2, "web")]
    assert log[0] == ("changed", name_of(hv2))
    assert {made_on for _, made_on in log[1:]} == {down}
    assert done(uris[1], *words) == "web: here already\n"


def test_the_host_that_comes_back_does_not_start_it(hosts: list[Connection], shared: Path, remote: Path) -> None:
    hv1, hv2 = hosts
    made(hv1, shared, runs=True)
    came = one(evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared), start=True))
    assert came.started
    assert [each.outcome for each in operations.resume_host(hv1)] == ["elsewhere"]
    assert [each.outcome for each in operations.resume_host(hv2)] == ["already running"]
    operations.push_history(hv1)
    assert who_has(remote) == [name_of(hv2)]
    operations.delete_domain(hv1, "web")
    operations.push_history(hv1)
    assert who_has(remote) == [name_of(hv2)]
    assert hv2.find_domain("web").is_active()


def test_all_of_a_host_come_and_what_was_running_is_started(
    hosts: list[Connection], uris: list[str], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared, "ran", runs=True)
    made(hv1, shared, "was-off")
    words = ("evacuate", "--all", uris[1], "--start", "--accept-host", "-o", "json")
    asked = run(uris[1], *words)
    assert asked.exit_code == 3, asked.output
    assert "has ran, was-off" in asked.stderr
    wrong = run(uris[1], *words, "--source-is-down", "hv9")
    assert wrong.exit_code == NOTHING_TO_EVACUATE.kind.exit_code
    assert name_of(hv1) in wrong.stderr
    said = json.loads(done(uris[1], *words, "--source-is-down", name_of(hv1)))["domains"]
    assert [(each["name"], each["fate"], each["started"]) for each in said] == [
        ("ran", "evacuated", True),
        ("was-off", "evacuated", False),
    ]
    assert [each.is_active() for each in hv2.domains()] == [True, False]
    assert who_has(remote) == [name_of(hv2)] * 2


def test_of_two_evacuations_at_once_one_gets_each_domain(
    hosts: list[Connection], shared: Path, remote: Path, tmp_path: Path
) -> None:
    hv1, hv2 = hosts
    names = ["a", "b", "c"]
    for name in names:
        made(hv1, shared, name)
    results: dict[str, tuple[Evacuated, ...]] = {}
    with private_host("hv3") as third, open_connection(third.uri) as hv3:
        Path(str(hv3.history_folder)).mkdir(parents=True)
        begin = threading.Barrier(2)

        def work(connection: Connection) -> None:
            begin.wait()
            name = name_of(connection)
            down = name_of(hv1)
            results[name] = evacuate(connection, names, remote=str(remote), source_is_down=down, maps=stays(shared))

        threads = [threading.Thread(target=work, args=[each]) for each in (hv2, hv3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        there = {name_of(each): {domain.name for domain in each.domains()} for each in (hv2, hv3)}
        assert sorted([*there[name_of(hv2)], *there[name_of(hv3)]]) == names
        for host, result in results.items():
            assert {each.name for each in result if each.fate == "evacuated"} == there[host]
            assert {each.error.code for each in result if each.error is not None} <= {CLAIM_LOST.code}


def test_whoever_comes_later_does_not_take_it_from_a_host_that_is_not_down(
    hosts: list[Connection], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    Claims(str(remote)).move([hv1.find_domain("web").uuid], name_of(hv1), "hv9", "root")
    with raising(SOURCE_MAY_RUN):
        evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared))
    assert not hv2.domains()


def test_a_guest_that_runs_is_not_taken_where_its_image_is_locked(hosts: list[Connection], shared: Path) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    operations.start(hv1, "web", paused=True)
    refused = one(evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared)))
    assert refused.error is not None and refused.error.code == IMAGE_LOCKED.code
    assert not hv2.domains()
    operations.destroy(hv1, "web")
    assert one(evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared))).fate == "evacuated"


NO_LOCKS = """#!/bin/sh
for word; do
    shift
    case $word in *'"driver":"file"'*) word=$(printf %s "$word" | sed 's/"driver":"file"/&,"locking":"off"/') ;; esac
    set -- "$@" "$word"
done
exec {qemu} "$@"
"""
"""A QEMU on storage that has no locks."""


def test_where_the_storage_has_no_locks_nothing_but_the_word_that_the_host_is_down_keeps_two_guests_apart(
    hosts: list[Connection], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    document = made(hv1, shared, runs=True)
    qemu = document.partition("<emulator>")[2].partition("</emulator>")[0]
    without = shared / "qemu"
    without.write_text(NO_LOCKS.format(qemu=qemu))
    without.chmod(0o755)
    hv1.define(document.replace(qemu, str(without)))
    operations.start(hv1, "web", paused=True)
    came = one(evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared), start=True, accept_host=True))
    assert came.error is None
    assert hv1.find_domain("web").is_active() and hv2.find_domain("web").is_active()
    (there,) = operations.resume_host(hv1)
    assert (there.outcome, there.notes[0].startswith("by ")) == ("already running", True)


def test_the_lock_of_the_image_stops_a_start_that_comes_after_the_look(
    hosts: list[Connection], shared: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    operations.start(hv1, "web", paused=True)
    monkeypatch.setattr(arrival_plan, "is_held_open", lambda _: False)
    came = one(evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared), start=True))
    assert came.error is not None and came.error.code == CREATED_NOT_STARTED.code
    assert not hv2.find_domain("web").is_active()


def test_killed_at_each_step_it_is_claimed_and_defined_or_comes_with_the_next_try(
    hosts: list[Connection], uris: list[str], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    before = made(hv1, shared)
    down, here, uuid = name_of(hv1), name_of(hv2), hv1.find_domain("web").uuid
    words = ("evacuate", "web", uris[1], "--source-is-down", down, "--accept-host")
    for step in itertools.count(1):
        code = run_killed(step, uris[1], *words)
        if code != -9:
            assert code == 0
            break
        stands = {domain.name for domain in hv2.domains()}, who_has(remote)
        assert stands in [(set(), [down]), (set(), [here]), ({"web"}, [here])]
        assert "web: " in done(uris[1], *words)
        assert who_has(remote) == [here]
        assert not visible(compare(before, hv2.find_domain("web").xml(CONFIG)))
        assert not Claims(str(remote)).move([uuid], here, down, "root")
        hv2.find_domain("web").undefine()
        shutil.rmtree(str(hv2.history_folder))
        Path(str(hv2.history_folder)).mkdir()
    assert step > 4


def test_what_cannot_be_defined_is_given_back(
    hosts: list[Connection], shared: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hv1, hv2 = hosts
    for name in ("a", "b"):
        made(hv1, shared, name)
    define = Connection.define

    def refuse_a(self: Connection, document: str) -> Domain:
        if "<name>a</name>" in document:
            raise HOST_CANNOT(reason="it is not to be")
        return define(self, document)

    monkeypatch.setattr(Connection, "define", refuse_a)
    a, b = evacuate(hv2, ["a", "b"], source_is_down=name_of(hv1), maps=stays(shared))
    assert (a.fate, b.fate) == ("failed", "evacuated")
    assert who_has(remote) == sorted([name_of(hv1), name_of(hv2)])


def test_a_libvirt_that_goes_away_leaves_what_has_come_and_the_rest_to_its_host(
    hosts: list[Connection], uris: list[str], shared: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hv1, hv2 = hosts
    for name in ("a", "b", "c"):
        made(hv1, shared, name)
    define = Connection.define

    def lost_at_b(self: Connection, document: str) -> Domain:
        if "<name>b</name>" in document:
            raise CANNOT_CONNECT(uri=self.uri, reason="it was killed")
        return define(self, document)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "define", lost_at_b)
        with raising(EVACUATION_CUT_OFF, name="b", done="1"):
            evacuate(hv2, ["a", "b", "c"], source_is_down=name_of(hv1), maps=stays(shared))
    claims = Claims(str(remote)).read()
    stands = {name: claims[hv1.find_domain(name).uuid].host for name in ("a", "b", "c")}
    assert stands == {"a": name_of(hv2), "b": name_of(hv2), "c": name_of(hv1)}
    fates = evacuate(hv2, ["a", "b", "c"], source_is_down=name_of(hv1), maps=stays(shared))
    assert [each.fate for each in fates] == ["here already", "evacuated", "evacuated"]


def test_a_domain_without_a_document_would_start_again_and_an_earlier_one_is_taken_only_when_that_is_said(
    hosts: list[Connection], uris: list[str], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    down, uuid = name_of(hv1), hv1.find_domain("web").uuid
    operations.pull_history(hv2, str(remote))
    operations.detach_device(hv1, "web", hv1.find_domain("web").xml(CONFIG).split("mac address='")[1][:17])
    operations.push_history(hv1)
    tip = git(remote, "rev-parse", f"refs/domains/{uuid}").strip()
    for pack in [each.rename(remote / each.name) for each in (remote / "objects/pack").glob("*.pack")]:
        with pack.open("rb") as file:
            subprocess.run(["git", f"--git-dir={remote}", "unpack-objects", "-q"], stdin=file, check=True)
    (remote / "objects" / tip[:2] / tip[2:]).unlink()
    words = ("evacuate", "web", uris[1], "--source-is-down", down, "--accept-host")
    refused = run(uris[1], *words)
    assert refused.exit_code == 3, refused.output
    assert "would start again" in refused.stderr and "--start-again" in refused.stderr
    assert done(uris[1], *words, "--start-again").startswith("web: is evacuated")
    assert "<interface" in hv2.find_domain("web").xml(CONFIG)


def test_without_any_document_nothing_is_made(hosts: list[Connection], uris: list[str], remote: Path) -> None:
    uuid = "c1a11111-2222-4333-8444-555555555555"
    Claims(str(remote)).move([uuid], "", "hv9", "root")
    words = ("evacuate", "--all", uris[1], "--source-is-down", "hv9", "--start-again")
    refused = run(uris[1], *words)
    assert refused.exit_code == NO_RECORDED_DOCUMENT.kind.exit_code, refused.output
    assert "would start again" in refused.stderr
    unknown = run(uris[1], "evacuate", "nobody", uris[1])
    assert unknown.exit_code == 4
    assert not hosts[1].domains()


def test_a_remote_that_is_gone_or_read_only_changes_nothing(
    hosts: list[Connection], uris: list[str], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    words = ("evacuate", "web", uris[1], "--source-is-down", name_of(hv1), "--accept-host")
    subprocess.run(["mount", "--bind", str(remote), str(remote)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(remote)], check=True)
    try:
        assert run(uris[1], *words).exit_code == 1
    finally:
        subprocess.run(["umount", "--lazy", str(remote)], check=True)
    remote.rename(remote.with_name("away"))
    assert run(uris[1], *words).exit_code == 1
    remote.with_name("away").rename(remote)
    assert not hv2.domains()
    assert who_has(remote) == [name_of(hv1)]


def test_a_deleted_domain_is_no_lost_one(hosts: list[Connection], uris: list[str], shared: Path) -> None:
    hv1, _ = hosts
    made(hv1, shared)
    operations.delete_domain(hv1, "web")
    operations.push_history(hv1)
    refused = run(uris[1], "evacuate", "web", uris[1], "--source-is-down", name_of(hv1))
    assert refused.exit_code == DELETED_AT_REMOTE.kind.exit_code, refused.output


def test_a_domain_that_moves_is_said_to_be_where_it_went(hosts: list[Connection], shared: Path, remote: Path) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    uuid = hv1.find_domain("web").uuid
    assert list(moved_on(hv1, hv2, uuid)) == []
    assert who_has(remote) == [name_of(hv2)]
    assert list(moved_on(hv1, hv2, uuid)) == []
    remote.rename(remote.with_name("away"))
    (said,) = moved_on(hv2, hv1, uuid)
    assert said.startswith("the remote of the history says still")
