"""What goes wrong while a host is evacuated, and what only the lock of the storage prevents."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.errors.creation import CREATED_NOT_STARTED
from holdfast.errors.hosts import (
    CLAIM_KEPT,
    DELETED_AT_REMOTE,
    EVACUATION_CUT_OFF,
    HOST_CANNOT,
    NO_RECORDED_DOCUMENT,
)
from holdfast.errors.libvirt import CANNOT_CONNECT
from holdfast.history.claims import Claims
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.hosts import arrival_plan
from holdfast.operations.hosts.evacuate import evacuate
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG
from tests.libvirt.hosts.evacuations import made, name_of, one, stays, who_has
from tests.libvirt.killed import run_killed
from tests.libvirt.past.two_histories import git
from tests.raising import raising

MIB = 1 << 20


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


def test_what_cannot_be_given_back_is_partly_done_and_the_next_try_goes_on(
    hosts: list[Connection], shared: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared, "a")

    def refuse(self: Connection, document: str) -> Domain:
        remote.rename(remote.with_name("away"))  # once it is claimed, the remote is gone
        raise HOST_CANNOT(reason="it is not to be")

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "define", refuse)
        (a,) = evacuate(hv2, ["a"], remote=str(remote), source_is_down=name_of(hv1), maps=stays(shared))
    remote.with_name("away").rename(remote)
    assert (a.fate, a.error and a.error.code) == ("failed", CLAIM_KEPT.code)
    assert who_has(remote) == [name_of(hv2)]
    (a,) = evacuate(hv2, ["a"], source_is_down=name_of(hv1), maps=stays(shared))
    assert (a.fate, a.error) == ("evacuated", None)


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


def test_a_document_of_another_domain_is_none_of_this_one(
    hosts: list[Connection], uris: list[str], shared: Path, remote: Path
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    uuid, other = hv1.find_domain("web").uuid, "c1a11111-2222-4333-8444-555555555555"
    line = f"refs/domains/{uuid}"
    document = git(remote, "show", f"{line}:domain.xml").replace(uuid, other)
    blob = git(remote, "hash-object", "-w", "--stdin", input=document).strip()
    tree = git(remote, "mktree", input=f"100644 blob {blob}\tdomain.xml\n").strip()
    message = git(remote, "log", "-1", "--format=%B", line)
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody")
    tip = git(remote, *who, "commit-tree", tree, "-p", line, input=message).strip()
    git(remote, "update-ref", line, tip)
    refused = run(uris[1], "evacuate", "web", uris[1], "--source-is-down", name_of(hv1), "--accept-host")
    assert refused.exit_code == 3 and "the document of another domain" in refused.stderr
    assert not hv2.domains()
