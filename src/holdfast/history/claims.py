"""Who has a domain: one small ref for each at the remote, which names the host, and goes on by compare-and-swap alone.

``refs/holdfast/host/UUID`` is a line of commits without files: each says in its message which host has the domain from
then on. It leads to the one before, so a remote that refuses rewritten refs takes it, and whoever comes second loses.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from holdfast.errors import HoldfastError
from holdfast.errors.history import CLAIM_LOST, CLAIM_UNKNOWN, HISTORY_REMOTE
from holdfast.history.line import new_commit
from holdfast.history.remote import Remote
from holdfast.text import printable

if TYPE_CHECKING:
    from dulwich.object_store import MemoryObjectStore
    from dulwich.objects import Commit, ObjectID

CLAIMS = "holdfast/host"
NOBODY = ""
UNKNOWN = "a host that cannot be read"
"""What somebody who writes no claims has put there: it is no host of ours, and not nobody."""
_TRAILER = "Holdfast-Host:"
_TRIES = 4


@dataclass(frozen=True)
class Claim:
    """What a remote says of who has a domain.

    ``host``  the name of the host, as its history has it; NOBODY where it was given up
    ``time``  since when, in ISO 8601
    ``by``    who has said so
    ``id``    the commit
    """

    host: str
    time: str
    by: str
    id: str

    @property
    def since(self) -> str:
        """Since when, as people here read it."""
        return (
            f"{datetime.fromisoformat(self.time).astimezone():%Y-%m-%d %H:%M:%S}" if self.time else "nobody knows when"
        )


class Claims:
    """What the remote at ``where`` says of who has which domain. Raises NOT_A_REMOTE."""

    def __init__(self, where: str) -> None:
        self._remote = Remote(where, CLAIMS)
        self.name = self._remote.name

    def read(self, uuids: Collection[str] | None = None) -> dict[str, Claim]:
        """The claims of these domains, or of all, as far as there are some. Raises HISTORY_REMOTE."""
        return self._read(uuids)[0]

    def move(self, uuids: Collection[str], old: str, new: str, by: str) -> dict[str, HoldfastError]:
        """Let the host ``new`` have these domains, which the host ``old`` has; either can be NOBODY.

        Returns those of which that could not be said, each with the reason: CLAIM_LOST where another host has it, or
        what is wrong with the remote. Of two at once one loses. Raises HISTORY_REMOTE where nothing was changed, and
        CLAIM_UNKNOWN where the answer of the remote was lost.
        """
        failure, is_final = None, False
        for attempt in range(_TRIES):
            if attempt > 1:
                time.sleep(random.uniform(0.05, 0.3) * attempt)
            there, objects = self._read_again(uuids, new) if attempt else self._read(uuids)
            hosts = {uuid: there[uuid].host if uuid in there else NOBODY for uuid in uuids}
            left = {uuid: there.get(uuid) for uuid, host in hosts.items() if host == old != new}
            lost: dict[str, HoldfastError] = {
                uuid: CLAIM_LOST(remote=self.name, uuid=uuid, host=host or "nobody")
                for uuid, host in hosts.items()
                if host not in (old, new)
            }
            if not left or is_final:
                break
            failure, is_final = self._send(left, new, by, objects)
        why = failure or HISTORY_REMOTE(remote=self.name, reason="it has not taken what it was sent")
        return {**lost, **dict.fromkeys(left, why)}

    def _read_again(self, uuids: Collection[str], new: str) -> tuple[dict[str, Claim], MemoryObjectStore]:
        """See what became of what was sent. Raises CLAIM_UNKNOWN."""
        try:
            return self._read(uuids)
        except HoldfastError as error:
            raise CLAIM_UNKNOWN(remote=self.name, host=new or "nobody", cause=error) from error

    def _read(self, uuids: Collection[str] | None) -> tuple[dict[str, Claim], MemoryObjectStore]:
        from dulwich.object_store import MemoryObjectStore

        objects = MemoryObjectStore()
        wanted = self._remote.tips().keys() if uuids is None else uuids
        tips = self._remote.fetch(wanted, [], lambda id: cast("Commit", objects[id]), objects) if wanted else {}
        if {*wanted} - tips.keys():  # a ref whose commit is not there is left out without a word by some that serve it
            tips = {uuid: tip for uuid, tip in self._remote.tips().items() if uuid in wanted} | tips
        return {uuid: _claim(objects, tip) for uuid, tip in tips.items()}, objects

    def _send(
        self, left: Mapping[str, Claim | None], new: str, by: str, objects: MemoryObjectStore
    ) -> tuple[HoldfastError | None, bool]:
        """Try to let ``left`` go on to ``new``; returns what was in the way, and whether it will be the next time."""
        commits = {uuid: _commit(objects, before, new, by) for uuid, before in left.items()}
        tips = {uuid: None if before is None else before.id.encode() for uuid, before in left.items()}

        def choose(there: dict[str, ObjectID]) -> dict[str, ObjectID]:
            return {uuid: commits[uuid] for uuid in left if there.get(uuid) == tips[uuid]}

        try:
            refused = self._remote.send(choose, objects)
        except HoldfastError as error:
            return error, True
        return next((HISTORY_REMOTE(remote=self.name, reason=why) for why in refused.values()), None), False


def _claim(objects: MemoryObjectStore, tip: ObjectID) -> Claim:
    try:
        commit = cast("Commit", objects[tip])
        said = [line for line in commit.message.decode().splitlines() if line.startswith(_TRAILER)]
        host = said[-1].removeprefix(_TRAILER).strip() if said else UNKNOWN
        moment = datetime.fromtimestamp(commit.commit_time, UTC)
        moment.astimezone()  # a year that cannot be told here
        when = moment.isoformat(timespec="seconds")
        by = commit.author.decode(errors="replace").partition(" <")[0]
    except (KeyError, AttributeError, UnicodeDecodeError, ValueError, OverflowError, OSError):
        return Claim(UNKNOWN, "", "", tip.decode())
    return Claim(printable(host), when, printable(by), tip.decode())


def _commit(objects: MemoryObjectStore, before: Claim | None, host: str, by: str) -> ObjectID:
    """The commit that says it, which is put into ``objects``."""
    from dulwich.objects import Tree

    tree = Tree()
    parents = [] if before is None else [cast("ObjectID", before.id.encode())]
    message = f"{host or 'nobody'} has it\n\n{_TRAILER} {host}\n"
    commit = new_commit(tree.id, parents, by, int(time.time()), message)
    objects.add_object(tree)
    objects.add_object(commit)
    return commit.id
