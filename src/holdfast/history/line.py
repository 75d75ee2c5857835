"""The line of a domain: its commits in order of time, also where those of several hosts were joined.

A commit with one parent or none is an entry. One with two joins what two hosts have recorded, and says nothing itself.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dulwich.objects import Commit, ObjectID

_NO_SIGNATURE = re.compile(r"[<>\x00-\x1f]")


def commits_from(commit_of: Callable[[ObjectID], Commit], heads: Iterable[ObjectID]) -> Iterator[Commit]:
    """All commits that ``heads`` lead to, the youngest first; none before one that leads to it and to nothing else."""
    known = set(heads)
    waiting = [(-commit.commit_time, commit.id, commit) for commit in map(commit_of, sorted(known))]
    heapq.heapify(waiting)
    while waiting:
        _, _, commit = heapq.heappop(waiting)
        yield commit
        for parent in map(commit_of, [each for each in dict.fromkeys(commit.parents) if each not in known]):
            known.add(parent.id)
            heapq.heappush(waiting, (-parent.commit_time, parent.id, parent))


def entries_from(commit_of: Callable[[ObjectID], Commit], heads: Iterable[ObjectID]) -> Iterator[Commit]:
    """Those of them that are entries."""
    return (commit for commit in commits_from(commit_of, heads) if len(commit.parents) < 2)


def new_commit(tree: ObjectID, parents: list[ObjectID], by: str, time: int, message: str) -> Commit:
    """A commit of ``tree``, made ``by`` somebody at ``time``, in seconds since 1970."""
    from dulwich.objects import Commit

    commit = Commit()
    commit.tree, commit.parents, commit.message = tree, parents, message.encode()
    name = _NO_SIGNATURE.sub("", by).strip() or "unknown"
    commit.author = commit.committer = f"{name} <>".encode()
    commit.author_time = commit.commit_time = time
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    return commit


def joining(commit_of: Callable[[ObjectID], Commit], ours: ObjectID, theirs: ObjectID) -> Commit:
    """The commit that joins two lines of a domain, with the document of the last entry: the same one on every host."""
    both = sorted((ours, theirs))
    last = next(commits_from(commit_of, both))
    message = "the entries of several hosts are joined: the log has them in order of time\n"
    return new_commit(last.tree, both, "Holdfast", last.commit_time, message)
