"""A damaged history: what is told of it, what is kept of it, and what its remote gives back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.history.against_remote import Wrong, wrong_entries
from holdfast.history.damage import damaged_lines, foreign_refs, mend
from holdfast.history.exchange import pull, push
from holdfast.history.remote import Remote
from tests.libvirt.past.two_histories import DB, WEB, History, git, new_remote, ticking


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """A history with three entries of one domain, and one of another."""
    ticking(monkeypatch)
    history = History(tmp_path, "a")
    with history.repository:
        for name in ("1", "2", "3"):
            history.add(WEB, name)
        history.add(DB, "db")
        yield history


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(str(new_remote(tmp_path / "remote.git")))


def damage(history: History, name: str, content: bytes = b"damaged") -> None:
    path = history.folder / "objects" / name[:2] / name[2:]
    path.chmod(0o600)
    path.write_bytes(content)


def reopened(history: History) -> History:
    return History(history.folder.parent, history.folder.name)


def mended(history: History) -> list[tuple[str, str]]:
    """What each damaged line was cut back to."""
    with history.repository.writing():
        return [(line.uuid, line.last) for line in mend(history.repository, damaged_lines(history.repository))]


def test_a_whole_history_has_nothing_wrong(history: History) -> None:
    assert (damaged_lines(history.repository), foreign_refs(history.repository)) == ([], [])


@pytest.mark.parametrize("part", ["commit", "tree", "document"])
def test_a_line_goes_back_to_its_last_readable_entry_and_pull_brings_the_rest_back(
    history: History, remote: Remote, part: str
) -> None:
    push(history.repository, remote)
    tip = history.tip(WEB)
    before = git(history.folder, "rev-parse", f"{tip}^").strip()
    name = {"commit": tip, "tree": f"{tip}^{{tree}}", "document": f"{tip}:domain.xml"}[part]
    damage(history, git(history.folder, "rev-parse", name).strip())
    with reopened(history).repository as repository:
        (found,) = damaged_lines(repository)
        assert (found.uuid, list(found.missing)) == (WEB, [tip])
    assert mended(reopened(history)) == [(WEB, before)]
    after = reopened(history)
    with after.repository:
        assert damaged_lines(after.repository) == []
        assert after.names(WEB) == ["2", "1"]
        pull(after.repository, remote)
        assert after.tip(WEB) == tip
    with reopened(history).repository as repository:
        assert damaged_lines(repository) == []


def test_what_stands_behind_a_damaged_entry_is_set_aside_and_stays(history: History) -> None:
    tip = history.tip(WEB)
    first, second = (git(history.folder, "rev-parse", f"{tip}~{back}").strip() for back in (2, 1))
    damage(history, second)
    assert mended(reopened(history)) == [(WEB, first)]
    assert (history.folder / "refs/lost" / WEB / tip).read_text() == f"{tip}\n"
    with reopened(history).repository as repository:
        assert foreign_refs(repository) == []


@pytest.mark.parametrize("content", ["", "garbage", "0" * 40])
def test_an_unreadable_ref_is_found_again_by_its_entries(history: History, content: str) -> None:
    tip = history.tip(WEB)
    (history.folder / "refs/domains" / WEB).write_text(content)
    assert mended(reopened(history)) == [(WEB, tip)]
    assert reopened(history).names(WEB) == ["3", "2", "1"]


def test_where_nothing_can_be_read_a_new_line_begins(history: History) -> None:
    damage(history, history.tip(DB))
    assert mended(reopened(history)) == [(DB, "")]
    again = reopened(history)
    again.add(DB, "new")
    assert again.names(DB) == ["new"]


def test_refs_of_others_are_named(history: History) -> None:
    git(history.folder, "update-ref", "refs/heads/main", history.tip(DB))
    assert foreign_refs(history.repository) == ["refs/heads/main"]


def wrong(history: History, remote: Remote, pushed: dict[str, str]) -> list[tuple[str, Wrong]]:
    with reopened(history).repository as repository:
        return [(each.entry.name, each.wrong) for each in wrong_entries(repository, remote, pushed)]


def test_entries_that_were_rewritten_or_removed_are_named(history: History, remote: Remote) -> None:
    push(history.repository, remote)
    tips = {uuid: history.tip(uuid) for uuid in (WEB, DB)}
    assert wrong(history, remote, tips) == []
    history.add(WEB, "not pushed")
    assert wrong(history, remote, tips) == []
    git(history.folder, "update-ref", f"refs/domains/{WEB}", f"{tips[WEB]}~1")
    assert wrong(history, remote, tips) == [("3", Wrong.MISSING_HERE)]
    history.add(WEB, "forged")
    assert wrong(history, remote, tips) == [("3", Wrong.REWRITTEN_HERE)]


def test_entries_that_the_remote_lost_are_named(history: History, remote: Remote, tmp_path: Path) -> None:
    push(history.repository, remote)
    tips = {uuid: history.tip(uuid) for uuid in (WEB, DB)}
    git(tmp_path / "remote.git", "update-ref", "-d", f"refs/domains/{DB}")
    assert wrong(history, remote, tips) == [("db", Wrong.MISSING_THERE)]
