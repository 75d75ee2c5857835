"""What of a history cannot be read, and how to keep all that can.

A line of which not everything can be read is cut back to the last entry of which, with all before it, everything can.
What stood behind that and can be read is kept under ``refs/lost/UUID/``. No id changes, and nothing is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from holdfast.history.entry import told_uuid
from holdfast.history.line import commits_from
from holdfast.history.repository import Repository, entry_in
from holdfast.hostfiles.history_damage import ref_names, set_object_aside
from holdfast.hostfiles.history_folder import git_file, remove_git_ref

if TYPE_CHECKING:
    from dulwich.objects import Commit, ObjectID

_OURS = re.compile(r"refs/domains/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_LOST = "refs/lost"


@dataclass(frozen=True)
class DamagedLine:
    """A line of which not everything can be read.

    ``uuid``     the domain
    ``tip``      its last commit; "" where the ref itself cannot be read
    ``missing``  the commits that cannot be read, or not with their document → why
    """

    uuid: str
    tip: str
    missing: dict[str, str]


@dataclass(frozen=True)
class MendedLine:
    """What was made of a damaged line.

    ``uuid``     the domain
    ``last``     the entry that it was cut back to; "" where none can be read
    ``lost``     the commits that cannot be read, or not with their document → why
    ``aside``    the refs under which what can be read besides is kept
    """

    uuid: str
    last: str
    lost: dict[str, str]
    aside: tuple[str, ...] = ()


def foreign_refs(repository: Repository) -> list[str]:
    """The refs that Holdfast did not make."""
    names = ref_names(repository.folder)
    return [name for name in names if not _OURS.fullmatch(name) and not name.startswith(f"{_LOST}/")]


def damaged_lines(repository: Repository) -> list[DamagedLine]:
    """The lines of which not everything can be read."""
    return [damage for uuid in _uuids(repository) if (damage := _damage(repository, uuid)) is not None]


def mend(repository: Repository, damaged: Iterable[DamagedLine]) -> list[MendedLine]:
    """Cut damaged lines back; what can be read stays. To be called while the repository is being written to."""
    found = list(damaged)
    if not found:
        return []
    by_uuid = _readable_commits(repository, {damage.uuid for damage in found})
    return [_mend(repository, damage, by_uuid[damage.uuid]) for damage in found]


def _uuids(repository: Repository) -> list[str]:
    named = {match[1] for name in ref_names(repository.folder) if (match := _OURS.fullmatch(name))}
    try:
        return sorted(named | {uuid for uuid in repository.uuids() if _OURS.fullmatch(f"refs/domains/{uuid}")})
    except Exception:  # noqa: BLE001 - packed-refs is damaged, which the reading of the refs says
        return sorted(named)


def _damage(repository: Repository, uuid: str) -> DamagedLine | None:
    try:
        tip = repository.tip(uuid)
    except Exception as error:  # noqa: BLE001 - whatever dulwich says of a damaged file
        return DamagedLine(uuid, "", {"": _why(error)})
    if tip is None or not re.fullmatch(rb"[0-9a-f]{40}", tip):
        return DamagedLine(uuid, "", {"": "the ref is no id of a commit"})
    missing = dict[str, str]()
    waiting, known = [tip], {tip}
    while waiting:
        id = waiting.pop()
        if why := _unreadable(repository, id):
            missing[id.decode()] = why
        for parent in _parents(repository, id):
            if parent not in known:
                known.add(parent)
                waiting.append(parent)
    return DamagedLine(uuid, tip.decode(), missing) if missing else None


def _unreadable(repository: Repository, id: ObjectID) -> str:
    """Why the commit ``id`` cannot be read with its document; "" where it can."""
    try:
        commit = repository.commit(id)
        repository.check_in(commit)
        if len(commit.parents) < 2:
            entry_in(commit)
    except Exception as error:  # noqa: BLE001 - whatever dulwich says of a damaged object
        return _why(error)
    return ""


def _parents(repository: Repository, id: ObjectID) -> list[ObjectID]:
    try:
        return repository.commit(id).parents
    except Exception:  # noqa: BLE001 - said by _unreadable
        return []


def _readable_commits(repository: Repository, uuids: set[str]) -> dict[str, list[Commit]]:
    """All commits in the repository that can be read and say that they are of one of these domains."""
    found: dict[str, list[Commit]] = {uuid: [] for uuid in uuids}
    for id in repository.objects:
        try:
            read = repository.objects[id]
            uuid = told_uuid(cast("Commit", read).message.decode()) if read.type_name == b"commit" else ""
        except Exception:  # noqa: BLE001 - what cannot be read is looked for nowhere
            continue
        if uuid in found:
            found[uuid].append(cast("Commit", read))
    return found


def _mend(repository: Repository, damage: DamagedLine, readable: list[Commit]) -> MendedLine:
    candidates = sorted(readable, key=lambda commit: commit.commit_time, reverse=True)
    last = next((commit for commit in candidates if _is_whole(repository, commit.id)), None)
    kept = set() if last is None else {each.id for each in commits_from(repository.commit, [last.id])}
    rest = [commit for commit in candidates if commit.id not in kept]
    parents = {parent for commit in rest for parent in commit.parents}
    aside = [f"{_LOST}/{damage.uuid}/{commit.id.decode()}" for commit in rest if commit.id not in parents]
    for name in aside:
        with git_file(repository.folder, name) as ref:
            ref.write(name.rpartition("/")[2].encode() + b"\n")
    for id in filter(None, damage.missing):
        for name in _files_of(repository, id):
            set_object_aside(repository.folder, name)
    if last is None:
        remove_git_ref(repository.folder, f"refs/domains/{damage.uuid}")
    else:
        with git_file(repository.folder, f"refs/domains/{damage.uuid}") as ref:
            ref.write(last.id + b"\n")
    return MendedLine(damage.uuid, "" if last is None else last.id.decode(), damage.missing, tuple(aside))


def _is_whole(repository: Repository, id: ObjectID) -> bool:
    try:
        line = [commit.id for commit in commits_from(repository.commit, [id])]
    except Exception:  # noqa: BLE001 - whatever dulwich says of a damaged object
        return False
    return not any(_unreadable(repository, each) for each in line)


def _files_of(repository: Repository, id: str) -> list[str]:
    """The objects of the commit ``id``, itself included, that cannot be read."""
    names = [cast("ObjectID", id.encode())]
    for name in names:
        try:
            read = repository.objects[name]
            if read.type_name == b"commit":
                names.append(cast("Commit", read).tree)
            elif read.type_name == b"tree":
                names.extend(item.sha for item in read.items())  # type: ignore[attr-defined]
        except Exception:  # noqa: BLE001 - this is one
            continue
    return [name.decode() for name in names if _is_damaged(repository, name)]


def _is_damaged(repository: Repository, name: ObjectID) -> bool:
    try:
        repository.objects[name].check()
    except Exception:  # noqa: BLE001 - whatever dulwich says of a damaged object
        return True
    return False


def _why(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
