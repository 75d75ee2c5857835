"""Histories and their remote: what each takes of the other, and what nobody takes from anybody."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast.errors.history import HISTORY_REMOTE
from holdfast.history import exchange
from holdfast.history.exchange import Became, pull, push
from holdfast.history.remote import Remote
from tests.libvirt.past.two_histories import DB, UUIDS, WEB, History, full, git, new_remote, small_disk, ticking
from tests.raising import raising


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[History, History]]:
    """Two hosts with one clock, empty."""
    ticking(monkeypatch)
    a, b = History(tmp_path, "a"), History(tmp_path, "b")
    with a.repository, b.repository:
        yield a, b


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return new_remote(tmp_path / "remote.git")


def test_all_lines_are_pushed_at_once_and_then_nothing(hosts: tuple[History, History], remote: Path) -> None:
    a, _ = hosts
    for uuid in UUIDS:
        a.add(uuid, "one")
        a.add(uuid, "two")
    assert push(a.repository, Remote(str(remote))).sent == set(UUIDS)
    refs = git(remote, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    assert refs == [f"{a.tip(uuid)} refs/domains/{uuid}" for uuid in UUIDS]
    git(remote, "fsck", "--strict")
    again = push(a.repository, Remote(str(remote)))
    assert (again.sent, len(again.tips)) == (set(), len(UUIDS))
    a.add(WEB, "three")
    assert push(a.repository, Remote(str(remote))).sent == {WEB}


def test_several_hosts_push_to_one_remote(hosts: tuple[History, History], remote: Path) -> None:
    a, b = hosts
    a.add(WEB, "web")
    b.add(DB, "db")
    push(a.repository, Remote(str(remote)))
    push(b.repository, Remote(str(remote)))
    assert a.repository.uuids() == [WEB]
    assert pull(a.repository, Remote(str(remote))).became == {DB: Became.NEW}
    assert a.names(DB) == ["db"]


def test_a_domain_that_moved_has_one_line_in_order_of_time(hosts: tuple[History, History], remote: Path) -> None:
    a, b = hosts
    of_a = [a.add(WEB, "1"), a.add(WEB, "2")]
    push(a.repository, Remote(str(remote)))
    of_b = [b.add(WEB, "3")]
    of_a.append(a.add(WEB, "4"))
    of_b.append(b.add(WEB, "5"))
    assert push(b.repository, Remote(str(remote))).taken.became == {WEB: Became.JOINED}
    assert push(a.repository, Remote(str(remote))).taken.became == {WEB: Became.JOINED}
    assert push(b.repository, Remote(str(remote))).taken.became == {WEB: Became.LONGER}
    assert a.names(WEB) == b.names(WEB) == ["5", "4", "3", "2", "1"]
    assert a.tip(WEB) == b.tip(WEB) == git(remote, "rev-parse", f"refs/domains/{WEB}").strip()
    assert {*of_a, *of_b} < a.commits(WEB)
    assert [entry.made_on for entry in a.repository.entries(WEB)] == ["b", "a", "b", "a", "a"]
    assert push(a.repository, Remote(str(remote))).sent == set()
    last = b.repository.last_here(WEB)
    assert last is not None
    assert last[0].id == of_b[-1]
    git(remote, "fsck", "--strict")


def test_two_hosts_that_join_the_same_lines_make_the_same_commit(hosts: tuple[History, History], remote: Path) -> None:
    a, b = hosts
    a.add(WEB, "1")
    b.add(WEB, "2")
    others = [new_remote(remote.with_name(name)) for name in ("of-a.git", "of-b.git")]
    for host, other in zip(hosts, others, strict=True):
        push(host.repository, Remote(str(other)))
    for host, other in zip(hosts, reversed(others), strict=True):
        pull(host.repository, Remote(str(other)))
    assert a.tip(WEB) == b.tip(WEB)


def test_pushes_at_once_lose_nothing(hosts: tuple[History, History], remote: Path) -> None:
    def work(host: History) -> None:
        for number in range(3):
            for uuid in UUIDS:
                host.add(uuid, f"{host.folder.name}{number}")
            push(host.repository, Remote(str(remote)))

    threads = [threading.Thread(target=work, args=[host]) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for host in (*hosts, *hosts):
        push(host.repository, Remote(str(remote)))
    a, b = hosts
    for uuid in UUIDS:
        assert sorted(a.names(uuid)) == ["a0", "a1", "a2", "b0", "b1", "b2"]
        assert a.tip(uuid) == b.tip(uuid)


def test_a_remote_that_was_rewritten_rewrites_nothing_here(hosts: tuple[History, History], remote: Path) -> None:
    a, b = hosts
    a.add(WEB, "1")
    push(a.repository, Remote(str(remote)))
    a.add(WEB, "2")
    before = a.commits(WEB)
    b.add(WEB, "forged")
    git(remote, "update-ref", "-d", f"refs/domains/{WEB}")
    push(b.repository, Remote(str(remote)))
    pull(a.repository, Remote(str(remote)))
    assert before < a.commits(WEB)
    assert set(a.names(WEB)) == {"1", "2", "forged"}


@pytest.mark.parametrize("forged", ["another domain", "no entry", "no commit", "half"])
def test_what_is_no_line_of_a_domain_is_not_taken(hosts: tuple[History, History], remote: Path, forged: str) -> None:
    a, b = hosts
    b.add(DB, "db")
    push(b.repository, Remote(str(remote)))
    tip = b.tip(DB)
    if forged == "no entry":
        tip = git(
            remote, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", f"{tip}^{{tree}}", "-m", "x"
        ).strip()
    elif forged == "no commit":
        tip = git(remote, "hash-object", "-w", "--stdin", input="text").strip()
    elif forged == "half":
        tree = git(remote, "cat-file", "commit", tip).replace("\n\n", "\n\nx\n\n")
        tip = git(
            remote, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", input=tree.replace("tree ", "tree 0")
        ).strip()
    (remote / "refs/domains" / WEB).write_text(f"{tip}\n")
    a.add(WEB, "1")
    before = a.tip(WEB)
    try:
        taken = pull(a.repository, Remote(str(remote)))
        assert set(taken.refused) == {WEB}
        assert a.names(DB) == ["db"]
    except Exception as error:
        with raising(HISTORY_REMOTE):
            raise error
    assert a.tip(WEB) == before


def test_refs_of_others_are_neither_taken_nor_touched(hosts: tuple[History, History], remote: Path) -> None:
    a, b = hosts
    b.add(DB, "db")
    push(b.repository, Remote(str(remote)))
    for ref in ("refs/heads/main", "refs/domains/../x", "refs/domains/web", f"refs/domains/{WEB}/x"):
        if ".." not in ref:
            git(remote, "update-ref", ref, b.tip(DB))
    a.add(DB, "here")
    pull(a.repository, Remote(str(remote)))
    assert a.repository.uuids() == [DB]
    push(a.repository, Remote(str(remote)))
    assert git(remote, "rev-parse", "refs/heads/main").strip() == b.tip(DB)


def test_a_lock_left_at_the_remote_is_told_and_removed_when_it_is_old(
    hosts: tuple[History, History], remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "time", SimpleNamespace(sleep=lambda seconds: None))
    a, _ = hosts
    a.add(WEB, "1")
    lock = remote / "refs/domains" / f"{WEB}.lock"
    lock.parent.mkdir()
    lock.touch()
    assert push(a.repository, Remote(str(remote))).refused == {WEB: "somebody has it locked"}
    os.utime(lock, (0, 0))
    assert push(a.repository, Remote(str(remote))).refused == {}


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # dulwich leaves half a pack open (1.2)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_push_to_a_full_disk_says_so_and_the_next_one_succeeds(
    hosts: tuple[History, History], tmp_path: Path
) -> None:
    a, _ = hosts
    a.add(WEB, "1")
    with small_disk(tmp_path / "small") as disk:
        there = new_remote(disk / "remote.git")
        with full(disk), raising(HISTORY_REMOTE) as caught:
            push(a.repository, Remote(str(there)))
        assert caught.value.message.endswith("No space left on device")
        del caught
        gc.collect()
        assert push(a.repository, Remote(str(there))).sent == {WEB}


def test_the_lock_of_the_history_is_free_while_the_remote_is_spoken_to(
    hosts: tuple[History, History], remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = hosts
    a.add(WEB, "1")
    b.add(WEB, "2")
    push(b.repository, Remote(str(remote)))
    for name in ("tips", "fetch", "send"):
        ask = getattr(Remote, name)

        def adding(*given: object, ask: object = ask, **more: object) -> object:
            a.add(DB, "meanwhile")
            return ask(*given, **more)  # type: ignore[operator]

        monkeypatch.setattr(Remote, name, adding)
    push(a.repository, Remote(str(remote)))
    pull(a.repository, Remote(str(remote)))
    assert len(a.names(DB)) == 4


@pytest.mark.parametrize("where", ["/nowhere", "ssh://127.0.0.1:1/x", "http://127.0.0.1:1/x"])
def test_a_remote_that_is_not_there_is_one_sentence(hosts: tuple[History, History], where: str) -> None:
    with raising(HISTORY_REMOTE) as caught:
        push(hosts[0].repository, Remote(where))
    assert "\n" not in caught.value.message
    print(caught.value.message)
