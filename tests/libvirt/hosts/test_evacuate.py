"""Evacuating a host that is down: two libvirts of their own, one remote, and a folder that both have."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.errors.history import CLAIM_LOST
from holdfast.errors.hosts import (
    IMAGE_LOCKED,
    NOTHING_TO_EVACUATE,
    REACHES_HOST,
    SOURCE_MAY_RUN,
)
from holdfast.history.claims import Claims
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.operations.hosts.evacuate import Evacuated, evacuate
from holdfast.operations.past.claim import moved_on
from holdfast_lab.daemon import private_host
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG
from tests.libvirt.hosts.evacuations import made, name_of, one, stays, who_has
from tests.raising import raising

MIB = 1 << 20


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
