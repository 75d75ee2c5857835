"""The same exchange over each transport, with git itself at the other end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from holdfast.errors.history import HISTORY_REMOTE, NOT_A_REMOTE
from holdfast.history.exchange import Became, pull, push
from holdfast.history.remote import Remote, shown_remote
from tests.libvirt.past.remotes import behind_http, behind_ssh
from tests.libvirt.past.two_histories import DB, UUIDS, WEB, History, git, ticking
from tests.raising import raising


class Transport(Protocol):
    def __call__(self, folder: Path) -> AbstractContextManager[str]: ...


@pytest.fixture(params=[behind_ssh, behind_http])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    transport: Transport = request.param
    folder = tmp_path / "there"
    folder.mkdir()
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(0o755)
    with transport(folder) as url:
        yield url


def test_two_hosts_keep_one_line(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch)
    a, b = History(tmp_path, "a"), History(tmp_path, "b")
    there = tmp_path / "there/remote.git"
    with a.repository, b.repository:
        for uuid in UUIDS:
            a.add(uuid, "1")
        assert push(a.repository, Remote(url)).sent == set(UUIDS)
        b.add(WEB, "2")
        assert push(b.repository, Remote(url)).taken.became == {WEB: Became.JOINED}
        assert push(a.repository, Remote(url)).taken.became == {WEB: Became.LONGER}
        assert a.names(WEB) == ["2", "1"]
        assert len(pull(b.repository, Remote(url)).became) == len(UUIDS) - 1
        b.add(DB, "3")
        assert push(b.repository, Remote(url)).sent == {DB}
        tips = git(there, "-c", "safe.directory=*", "for-each-ref", "--format=%(objectname)", "refs/domains").split()
        assert tips == [b.tip(uuid) for uuid in UUIDS]
        git(there, "-c", "safe.directory=*", "fsck", "--strict")


def test_a_remote_that_refuses_says_why_for_each_domain(url: str, tmp_path: Path) -> None:
    hook = tmp_path / "there/remote.git/hooks/update"
    hook.write_text(f"#!/bin/sh\ncase $1 in */{WEB}) echo not this one >&2; exit 1;; esac\n")
    hook.chmod(0o755)
    a = History(tmp_path, "a")
    with a.repository:
        for uuid in (WEB, DB):
            a.add(uuid, "1")
        done = push(a.repository, Remote(url))
    assert (done.sent, done.refused) == ({DB}, {WEB: "hook declined"})


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # dulwich leaves an answer of 404 unread (1.2)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_repository_that_is_not_there_is_named_without_the_password(url: str, tmp_path: Path) -> None:
    a = History(tmp_path, "a")
    with a.repository, raising(HISTORY_REMOTE) as caught:
        push(a.repository, Remote(url.replace("remote.git", "other.git")))
    said = caught.value.message
    assert ("geheim" in said, "\n" in said, "other.git" in said) == (False, False, True)
    del caught
    gc.collect()


@pytest.mark.parametrize(
    "where",
    [
        "",
        "-oProxyCommand=touch x",
        "ssh://-oProxyCommand=x/y",
        "ssh://anna:geheim@host/x",
        "relative/path",
        "git://host/x",
        "ext::sh -c x",
        "ssh://host",
        "https:///x",
        "host:it's",
        "ssh://host/it's",
        "-host:path",
        "a\nb",
    ],
)
def test_what_is_no_remote_is_refused(where: str) -> None:
    with raising(NOT_A_REMOTE) as caught:
        Remote(where)
    assert "geheim" not in caught.value.message


def test_a_password_is_never_shown() -> None:
    assert shown_remote("https://anna:geheim@host/x") == "https://anna:(not shown)@host/x"
    assert shown_remote("https://host/x?token=geheim") == "https://host/x?(not shown)"
