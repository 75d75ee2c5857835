"""What a member of the group can put into a history: whoever runs Holdfast follows no link, and waits for nobody."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.errors import HoldfastError
from holdfast.history.against_remote import Wrong, wrong_entries
from holdfast.history.damage import damaged_lines, mend
from holdfast.history.entry import TRAILER, EntryKind, Happened, KeptDocument
from holdfast.history.exchange import push
from holdfast.history.line import new_commit
from holdfast.history.push_note import PushNote, note_push, push_notes
from holdfast.history.remote import Remote
from holdfast.history.repository import HistoryPlace, Repository
from tests.libvirt.past.two_histories import WEB, History, git, new_remote, ticking


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    ticking(monkeypatch)
    history = History(tmp_path, "a")
    with history.repository:
        for name in ("1", "2"):
            history.add(WEB, name)
        yield history


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "file").write_text("of root")
    return folder


def used(history: History) -> list[str]:
    """What the errors say of reading, writing and noting a push, by a process of its own; each has to end."""
    said = []
    acts: list[Callable[[Repository], object]] = [
        lambda repository: list(repository.entries(WEB)),
        lambda repository: History.add(_with(history, repository), WEB, f"new {time.monotonic()}"),
        lambda repository: note_push(repository, "/remote", PushNote(time="now")),
        lambda repository: [repository.uuids(), damaged_lines(repository)],
    ]
    for act in acts:
        with Repository(HistoryPlace(history.folder, shared=False)) as repository:
            try:
                act(repository)
            except HoldfastError as error:
                said.append(error.code)
    return said


def _with(history: History, repository: Repository) -> History:
    same = object.__new__(History)
    same.folder, same.repository = history.folder, repository
    return same


@pytest.mark.parametrize("name", ["objects", "objects/pack", "refs", "refs/domains"])
def test_a_folder_that_was_exchanged_for_a_link_leads_nowhere(history: History, elsewhere: Path, name: str) -> None:
    folder = history.folder / name
    folder.rename(history.folder.parent / "was")
    folder.symlink_to(elsewhere)
    assert set(used(history)) == {"history-unusable"}
    assert [path.name for path in elsewhere.rglob("*")] == ["file"]


@pytest.mark.parametrize(
    "name", [f"refs/domains/{WEB}", f"refs/domains/{WEB}.lock", "HEAD.new", "holdfast-push.json.new"]
)
def test_a_file_that_was_exchanged_for_a_link_is_neither_read_nor_written(
    history: History, elsewhere: Path, name: str
) -> None:
    path = history.folder / name
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere / "file")
    used(history)
    assert (elsewhere / "file").read_text() == "of root"


def test_a_folder_of_objects_that_was_exchanged_for_a_link_leads_nowhere(history: History, elsewhere: Path) -> None:
    tip = history.tip(WEB)
    folder = history.folder / "objects" / tip[:2]
    folder.rename(elsewhere / tip[:2])
    folder.symlink_to(elsewhere / tip[:2])
    assert "history-unusable" in used(history)


@pytest.mark.parametrize(
    "name",
    ["holdfast.lock", "holdfast-push.json", "packed-refs", "objects/info/alternates", f"refs/domains/{WEB}", "TIP"],
)
def test_nobody_waits_for_a_pipe(history: History, name: str) -> None:
    tip = history.tip(WEB)
    path = history.folder / name.replace("TIP", f"objects/{tip[:2]}/{tip[2:]}")
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert "history-unusable" in used(history)


def test_a_lock_file_of_the_future_is_waited_for_by_nobody(history: History) -> None:
    lock = history.folder / "refs/domains" / f"{WEB}.lock"
    lock.touch()
    os.utime(lock, (2**32, 2**32))
    history.add(WEB, "3")
    assert history.names(WEB) == ["3", "2", "1"]


def test_the_objects_of_another_folder_are_not_read(history: History, tmp_path: Path) -> None:
    other = History(tmp_path, "other")
    with other.repository:
        tip = other.add(WEB, "of others")
    (history.folder / "objects/info/alternates").write_text(f"{other.folder}/objects\n")
    (history.folder / "refs/domains" / WEB).write_text(f"{tip}\n")
    assert used(history)[0] == "history-unusable"


def test_an_object_that_grows_without_an_end_is_damaged(history: History) -> None:
    with history.repository.writing():
        document = KeptDocument("<domain>" + " " * (65 << 20) + "</domain>")
        history.repository.add(WEB, document, Happened(kind=EntryKind.CHANGED, name="3", user="u", command="c"))
    damaged = damaged_lines(Repository(HistoryPlace(history.folder, shared=False)))
    assert [list(line.missing.values()) for line in damaged] == [["ValueError: it is larger than 64 MiB"]]


def forge(history: History, message: str, parents: int = 1) -> None:
    repository = history.repository
    tip = repository.tip(WEB)
    assert tip is not None
    commit = new_commit(repository.commit(tip).tree, [tip] * parents, "somebody", 1_800_000_000, message)
    with repository.writing():
        repository.continue_with(WEB, tip, commit.id, commit)


def test_what_an_entry_says_is_words_whatever_was_written_there(history: History) -> None:
    said = '"kind": "changed", "name": 1, "user": {}, "command": [], "made_on": null'
    forge(history, f'{TRAILER}{{{said}, "changes": [{{"sentence": 5}}], "host": [{{}}], "started": {{"cpu": {{}}}}}}\n')
    entry = next(history.repository.entries(WEB))
    assert entry.sentences == ("5", "on the host side: {}", "started with cpu {}")


def test_an_entry_that_leads_to_another_one_twice_has_it_once(history: History) -> None:
    forge(history, "joins nothing\n", parents=3)
    assert history.names(WEB) == ["2", "1"]


def test_what_is_no_document_is_found_and_cut_off(history: History) -> None:
    def check(text: str) -> None:
        if "<name>3<" in text:
            raise ValueError("no document")

    history.add(WEB, "3")
    with Repository(HistoryPlace(history.folder, shared=False, check=check)) as repository:
        damaged = damaged_lines(repository)
        assert [list(line.missing.values()) for line in damaged] == [["ValueError: no document"]]
        with repository.writing():
            mend(repository, damaged)
        assert [entry.name for entry in repository.entries(WEB)] == ["2", "1"]


def test_notes_of_pushes_are_kept(history: History) -> None:
    note_push(history.repository, "/remote", PushNote(time="now"))
    assert push_notes(history.repository) == {"/remote": PushNote(time="now")}


@pytest.mark.parametrize("time", [1_800_000_000, 1 << 60])
def test_what_is_no_entry_at_the_remote_hides_nothing_that_is(history: History, tmp_path: Path, time: int) -> None:
    remote = Remote(str(new_remote(tmp_path / "remote.git")))
    push(history.repository, remote)
    there = History(tmp_path, "a")
    tip = there.repository.tip(WEB)
    assert tip is not None
    commit = new_commit(there.repository.commit(tip).tree, [tip], "somebody", time, "says nothing")
    removed = history.add(WEB, "3")
    push(history.repository, remote)
    with there.repository.writing():
        commit.parents = [removed.encode()]  # type: ignore[list-item]
        there.repository.continue_with(WEB, there.repository.tip(WEB), commit.id, commit)
        git(tmp_path / "remote.git", "fetch", "-q", str(there.folder), f"+refs/domains/{WEB}:refs/domains/{WEB}")
        git(there.folder, "update-ref", f"refs/domains/{WEB}", tip.decode())
    with Repository(HistoryPlace(history.folder, shared=False, host="a")) as repository:
        found = [(each.entry.name, each.wrong) for each in wrong_entries(repository, remote, {})]
    assert found == [("3", Wrong.MISSING_HERE)]
