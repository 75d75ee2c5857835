"""Who has a domain: a ref of the remote that goes from host to host, and of two that want it one gets it."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
import threading
from pathlib import Path

import pytest

from holdfast.errors import HoldfastError
from holdfast.errors.history import CLAIM_LOST, CLAIM_UNKNOWN, HISTORY_REMOTE
from holdfast.history import claims
from holdfast.history.claims import NOBODY, UNKNOWN, Claims
from holdfast.history.remote import Remote
from tests.libvirt.killed import ROOT
from tests.libvirt.past.remotes import behind_http, behind_ssh
from tests.libvirt.past.two_histories import DB, HOOK, UUIDS, WEB, git, new_remote
from tests.raising import raising


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return new_remote(tmp_path / "remote.git")


def hosts(remote: object) -> dict[str, str]:
    return {uuid: claim.host for uuid, claim in Claims(str(remote)).read().items()}


def ref(uuid: str) -> str:
    return f"refs/holdfast/host/{uuid}"


def codes(refused: dict[str, HoldfastError]) -> dict[str, str]:
    return {uuid: error.code for uuid, error in refused.items()}


def test_a_claim_names_the_host_and_who_said_so_and_git_reads_it(remote: Path) -> None:
    assert Claims(str(remote)).move([WEB, DB], NOBODY, "hv1", "root (sudo: anna)") == {}
    assert hosts(remote) == {WEB: "hv1", DB: "hv1"}
    assert (
        git(remote, "log", "--format=%an|%B", ref(WEB)).strip() == "root (sudo: anna)|hv1 has it\n\nHoldfast-Host: hv1"
    )
    git(remote, "fsck", "--strict")
    assert not Remote(str(remote)).tips()


def test_a_claim_goes_from_host_to_host_and_nothing_is_rewritten(remote: Path) -> None:
    for old, new in (("", "hv1"), ("hv1", "hv2"), ("hv2", ""), ("", "hv1")):
        assert Claims(str(remote)).move([WEB], old, new, "root") == {}
        assert hosts(remote) == {WEB: new}
    assert git(remote, "rev-list", "--count", ref(WEB)) == "4\n"


def test_what_another_host_has_is_not_taken_from_a_third(remote: Path) -> None:
    Claims(str(remote)).move([WEB], NOBODY, "hv1", "root")
    before = git(remote, "for-each-ref")
    assert codes(Claims(str(remote)).move([WEB], "hv2", "hv3", "root")) == {WEB: CLAIM_LOST.code}
    assert codes(Claims(str(remote)).move([WEB], NOBODY, "hv3", "root")) == {WEB: CLAIM_LOST.code}
    assert Claims(str(remote)).move([WEB], "hv2", "hv1", "root") == {}
    assert git(remote, "for-each-ref") == before


@pytest.mark.parametrize("way", ["path", "ssh", "http"])
def test_of_two_at_once_one_gets_each_domain(tmp_path: Path, way: str) -> None:
    if way == "path":
        _race(str(new_remote(tmp_path / "remote.git")), UUIDS)
    else:
        for above in (tmp_path, *tmp_path.parents[:-2]):
            above.chmod(0o755)
        with (behind_ssh if way == "ssh" else behind_http)(tmp_path) as url:
            _race(url, UUIDS[:3])


def _race(remote: str, uuids: list[str]) -> None:
    Claims(remote).move(uuids, NOBODY, "hv1", "root")
    refused: dict[str, dict[str, HoldfastError]] = {}
    begin = threading.Barrier(2)

    def take(host: str) -> None:
        begin.wait()
        refused[host] = Claims(remote).move(uuids, "hv1", host, "root")

    threads = [threading.Thread(target=take, args=[host]) for host in ("hv2", "hv3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = hosts(remote)
    for uuid in uuids:
        assert [host for host in refused if uuid not in refused[host]] == [now[uuid]]
        assert [each[uuid].code for each in refused.values() if uuid in each] == [CLAIM_LOST.code]


def test_who_comes_between_reading_and_sending_wins(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Claims(str(remote)).move([WEB], NOBODY, "hv1", "root")
    send = Claims._send

    def later(self: Claims, *words: object) -> object:
        monkeypatch.setattr(Claims, "_send", send)
        Claims(str(remote)).move([WEB], "hv1", "hv3", "root")
        return send(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Claims, "_send", later)
    assert codes(Claims(str(remote)).move([WEB], "hv1", "hv2", "root")) == {WEB: CLAIM_LOST.code}
    assert hosts(remote) == {WEB: "hv3"}


def test_an_answer_that_is_lost_is_looked_up(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send = Remote.send

    def cut_off(self: Remote, *words: object) -> object:
        send(self, *words)  # type: ignore[arg-type]
        raise HISTORY_REMOTE(remote="it", reason="the line was cut")

    monkeypatch.setattr(Remote, "send", cut_off)
    assert Claims(str(remote)).move([WEB], NOBODY, "hv1", "root") == {}
    assert hosts(remote) == {WEB: "hv1"}

    def cut_and_gone(self: Remote, *words: object) -> object:
        shutil.move(remote, remote.with_name("away"))
        raise HISTORY_REMOTE(remote="it", reason="the line was cut")

    monkeypatch.setattr(Remote, "send", cut_and_gone)
    with raising(CLAIM_UNKNOWN, host="hv2"):
        Claims(str(remote)).move([WEB], "hv1", "hv2", "root")


def test_a_remote_that_is_missing_read_only_or_declines_changes_nothing(remote: Path, tmp_path: Path) -> None:
    with raising(HISTORY_REMOTE):
        Claims(str(tmp_path / "none.git")).move([WEB], NOBODY, "hv1", "root")
    subprocess.run(["mount", "--bind", str(remote), str(remote)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(remote)], check=True)
        assert codes(Claims(str(remote)).move([WEB], NOBODY, "hv1", "root")) == {WEB: HISTORY_REMOTE.code}
    finally:
        subprocess.run(["umount", "--lazy", str(remote)], check=True)
    assert hosts(remote) == {}


def test_a_remote_that_declines_one_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_TRIES", 2)
    with behind_http(tmp_path) as url:
        hook = tmp_path / "remote.git" / "hooks" / "update"
        hook.write_text(f"#!/bin/sh\n[ $1 != {ref(WEB)} ]\n")
        hook.chmod(0o755)
        refused = Claims(url).move([WEB, DB], NOBODY, "hv1", "root")
        assert codes(refused) == {WEB: HISTORY_REMOTE.code}
        assert "hook declined" in refused[WEB].message
        assert "geheim" not in refused[WEB].message
        assert hosts(url) == {DB: "hv1"}


def test_what_is_no_claim_is_a_host_that_cannot_be_read_and_is_taken_from_nobody(remote: Path) -> None:
    blob = git(remote, "hash-object", "-w", "--stdin", input="hv1\n").strip()
    git(remote, "update-ref", ref(WEB), blob)
    tree = git(remote, "mktree", input="").strip()
    env = ("-c", "user.name=a", "-c", "user.email=a@b")
    commit = git(remote, *env, "commit-tree", tree, "-m", "no claim").strip()
    git(remote, "update-ref", ref(DB), commit)
    assert hosts(remote) == {WEB: UNKNOWN, DB: UNKNOWN}
    assert codes(Claims(str(remote)).move([WEB, DB], NOBODY, "hv2", "root")) == dict.fromkeys(
        [WEB, DB], CLAIM_LOST.code
    )


def test_a_claim_that_is_lost_at_the_remote_is_not_taken_for_none(remote: Path) -> None:
    Claims(str(remote)).move([WEB], NOBODY, "hv1", "root")
    for pack in (remote / "objects/pack").iterdir():
        pack.unlink()
    for loose in (remote / "objects").glob("??/*"):
        loose.unlink()
    assert hosts(remote) == {WEB: UNKNOWN}
    assert {uuid: each.host for uuid, each in Claims(str(remote)).read([WEB, DB]).items()} == {WEB: UNKNOWN}
    assert codes(Claims(str(remote)).move([WEB], NOBODY, "hv2", "root")) == {WEB: CLAIM_LOST.code}


def test_a_name_of_a_host_that_controls_a_terminal_is_shown_as_text(remote: Path) -> None:
    Claims(str(remote)).move([WEB], NOBODY, "hv1\x1b[2J", "root")
    assert hosts(remote)[WEB].isprintable()


def test_a_remote_as_the_page_makes_it_lets_nobody_rewrite_or_remove_a_ref(remote: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs/history.md").read_text()
    assert textwrap.indent(HOOK, "    ") in page
    Claims(str(remote)).move([WEB], NOBODY, "hv1", "root")
    Claims(str(remote)).move([WEB], "hv1", "hv2", "root")
    older = git(remote, "rev-parse", f"{ref(WEB)}~").strip()
    for pushed in (f"{older}:{ref(WEB)}", f":{ref(WEB)}"):
        done = subprocess.run(["git", f"--git-dir={remote}", "push", "-f", str(remote), pushed], capture_output=True)
        assert done.returncode != 0
        assert b"hook declined" in done.stderr
    assert hosts(remote) == {WEB: "hv2"}
