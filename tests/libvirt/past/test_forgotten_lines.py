"""Forgetting lines that several hosts have made, and lines in packs."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors.history import HISTORY_UNUSABLE
from holdfast.history.exchange import pull, push
from holdfast.history.remote import Remote
from tests.libvirt.past.two_histories import DB, WEB, History, full, git, new_remote, small_disk, ticking
from tests.raising import raising


def forget(history: History, uuid: str) -> list[str]:
    last = history.repository.last(uuid)
    assert last is not None
    return history.repository.forget({uuid: last[0]})


def test_a_line_of_two_hosts_goes_whole_and_its_remote_has_it_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking(monkeypatch)
    remote = Remote(str(new_remote(tmp_path / "remote.git")))
    a, b = History(tmp_path, "a"), History(tmp_path, "b")
    with a.repository, b.repository:
        a.add(WEB, "1")
        b.add(WEB, "2")
        b.add(DB, "3")
        push(a.repository, remote)
        push(b.repository, remote)
        pull(a.repository, remote)
        tip = a.tip(WEB)
        assert a.names(WEB) == ["2", "1"]
        assert forget(a, WEB) == [WEB]
        assert a.repository.uuids() == [DB]
        all_objects = git(a.folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
        reachable = git(a.folder, "rev-list", "--objects", "--all").splitlines()
        assert set(all_objects) == {line.split()[0] for line in reachable}
        assert a.names(DB) == ["3"]
        pull(a.repository, remote)
        assert (a.names(WEB), a.tip(WEB)) == (["2", "1"], tip)


def test_where_the_disk_is_full_nothing_is_forgotten(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        history = History(disk, "a")
        with history.repository:
            for name in ("1", "2"):
                history.add(WEB, name)
                history.add(DB, name)
        git(history.folder, "repack", "-adq")
        again = History(disk, "a")
        with again.repository:
            with full(disk), raising(HISTORY_UNUSABLE):
                forget(again, WEB)
            assert again.names(WEB) == again.names(DB) == ["2", "1"]
            assert forget(again, WEB) == [WEB]


def test_an_entry_is_added_to_a_line_that_git_has_packed_meanwhile(tmp_path: Path) -> None:
    history = History(tmp_path, "a")
    with history.repository:
        history.add(WEB, "1")
        git(history.folder, "pack-refs", "--all")
        history.add(DB, "db")
        assert history.repository.uuids() == [WEB, DB]
        history.add(WEB, "2")
        git(history.folder, "pack-refs", "--all")
        history.add(WEB, "3")
        assert history.names(WEB) == ["3", "2", "1"]
